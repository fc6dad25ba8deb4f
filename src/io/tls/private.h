/* SPDX-License-Identifier: MIT
 *
 * private.h: what the files that deal with keys and certificates share.
 */
#ifndef PACTFS_IO_TLS_PRIVATE_H
#define PACTFS_IO_TLS_PRIVATE_H

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <sys/types.h>

#include "io/tls/identity.h"

#define TLS_PATH_MAX 4096

/* --- pem.c: sentences, files, PEM --- */

/* Writes the sentence and returns `err`. `error` may be NULL. */
enum err tls_refuse(struct store_error *error, enum err err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The same with OpenSSL's reason behind the sentence; empties its queue. */
enum err tls_refuse_ssl(struct store_error *error, enum err err, const char *what,
                        const char *about);
/* "DIR/NAME" and an ending, into `path` (TLS_PATH_MAX bytes). IO: it is too long. */
enum err tls_path(char *path, const char *dir, const char *name, const char *ending);
/* Writes DIR/NAME+ENDING whole: beside it, synced, renamed, the directory synced. */
enum err tls_write(const char *dir, const char *name, const char *ending, const char *text,
                   struct store_error *error);

/* NULL with a sentence and *err set (NOENT: there is no such file). The caller's. */
X509 *tls_read_certificate(const char *path, enum err *err, struct store_error *error);
EVP_PKEY *tls_read_key(const char *path, enum err *err, struct store_error *error);
X509 *tls_certificate_of(const char *text);
EVP_PKEY *tls_key_of(const char *text);
/* PEM text, malloc'd; NULL: out of memory. */
char *tls_certificate_text(X509 *certificate);
char *tls_key_text(EVP_PKEY *key);
char *tls_request_text(X509_REQ *request);

/* --- authority.c --- */

EVP_PKEY *tls_new_key(void);
/* What goes with a key in a signature: NULL for Ed25519, which needs none. */
const EVP_MD *tls_digest(const EVP_PKEY *key);
/* The key of a request by a stranger, who has proved to have it; NULL with a sentence. */
EVP_PKEY *tls_request_key(const char *text, struct store_error *error);
/* The cell of an authority's certificate; false: it is none. */
bool tls_authority_cell(X509 *authority, uint8_t cell[16]);

/* --- identity.c --- */

bool tls_name_sound(const char *name);
void tls_cell_print(const uint8_t cell[16], char out[33]);
bool tls_cell_parse(const char *text, uint8_t cell[16]);
/* The one entry of a kind in the subject; false: none, several, or too long for `out`. */
bool tls_subject(X509 *certificate, int nid, char *out, size_t size);

#endif
