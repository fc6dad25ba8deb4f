/* SPDX-License-Identifier: MIT
 *
 * identity.h: who is who in a cell: certificates of its authority (X.509, Ed25519 keys, OpenSSL 3).
 *
 * A certificate names its owner in the subject: CN = name, OU = role ("node", "client",
 * "administrator"), O = the cell's UUID; a node's number and a client's user are in a URI among the
 * alternative names: pactfs:node=3 or pactfs:uid=1000 (uid=any: a machine whose kernel is trusted
 * with its users). Times: certificates last IDENTITY_DAYS and are renewed by their owner when a
 * third is left; the authority's own lasts twenty years.
 */
#ifndef PACTFS_IO_TLS_IDENTITY_H
#define PACTFS_IO_TLS_IDENTITY_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/base/err.h"
#include "core/registry/records.h"

#define IDENTITY_DAYS    365u
#define IDENTITY_UID_ANY (-1)

struct identity {
    enum node_role role;
    uint32_t node; /* ROLE_NODE: its number */
    int64_t uid;   /* ROLE_CLIENT: IDENTITY_UID_ANY or a user */
    char name[RECORD_NAME_MAX];
    uint8_t cell[16];
    uint64_t serial;   /* of the certificate: random, unique in the cell */
    int64_t not_after; /* seconds since 1970 */
};

/* Errors: CERTIFICATE, IO, NOMEM, EXIST, with a sentence in error->text (struct store_error). */

/* Makes a cell's authority: DIR/ca.key (mode 0600), DIR/ca.crt. */
enum err authority_make(const char *dir, const uint8_t cell[16], struct store_error *error);
/* SHA-256 of the authority's certificate (DER). */
enum err authority_fingerprint(const char *ca_crt, uint8_t out[32], struct store_error *error);

/* Makes a key and a request to be signed: NAME.key (0600) in DIR; the request as PEM text, malloc'd. */
enum err identity_request(const char *dir, const char *name, char **request,
                          struct store_error *error);
/* Signs a request with DIR/ca.key: the certificate says what `identity` says (serial is chosen here
 * when 0), nothing of what the request says but its key. PEM text, malloc'd. `days` may be negative,
 * for tests of what has expired. */
enum err authority_sign(const char *dir, const char *request, const struct identity *identity,
                        int days, char **certificate, struct store_error *error);
/* What a certificate says; CERTIFICATE when it is not one of ours in form. */
enum err identity_of(X509 *certificate, struct identity *out, struct store_error *error);
enum err identity_read(const char *path, struct identity *out, struct store_error *error);

/* TLS 1.3 only, mutual, of one cell: DIR/ca.crt, DIR/NAME.crt, DIR/NAME.key. `server`: also accepts
 * (a peer without a certificate is let in only when `strangers`, see transport.h). */
enum err identity_context(const char *dir, const char *name, bool strangers, SSL_CTX **out,
                          struct store_error *error);

#endif
