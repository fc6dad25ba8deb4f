/* SPDX-License-Identifier: MIT
 *
 * identity.h: who is who in a cell: certificates of its authority (X.509, Ed25519 keys, OpenSSL 3).
 *
 * A certificate names its owner in the subject: CN = name, OU = role ("node", "client",
 * "administrator"), O = the cell's UUID; a node's number and a client's user are in a URI among the
 * alternative names: pactfs:node=3 or pactfs:uid=1000 (uid=any: a machine whose kernel is trusted
 * with its users). Nodes also have 127.0.0.1, localhost and their host there, for etcd, which looks
 * at them; PactFS does not. Times: certificates last IDENTITY_DAYS and are renewed by their owner
 * when a third is left; the authority's own lasts twenty years.
 *
 * Law
 *   I1  A certificate says what the authority was told to sign; of a request only the key is taken,
 *       after its owner has proved to have it.
 *   I2  Files appear whole or not at all, keys readable by their owner only. A key is made once:
 *       renewal replaces one file.
 *   I3  What a certificate says is read strictly: anything that PactFS would not have written is
 *       CERTIFICATE, also under the authority's signature.
 */
#ifndef PACTFS_IO_TLS_IDENTITY_H
#define PACTFS_IO_TLS_IDENTITY_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/base/err.h"
#include "core/registry/records.h"

#define IDENTITY_DAYS        365u
#define IDENTITY_UID_ANY     (-1)
#define IDENTITY_NODE_MAX    65535u
#define IDENTITY_REQUEST_MAX 16384u /* bytes of a request */

struct identity {
    enum node_role role;        /* 0: a stranger, without a certificate (transport.h) */
    uint32_t node;              /* ROLE_NODE: its number */
    int64_t uid;                /* ROLE_CLIENT: IDENTITY_UID_ANY or a user */
    char name[RECORD_NAME_MAX]; /* letters, digits, '-', '_', '.' */
    char host[RECORD_ADDR_MAX]; /* ROLE_NODE: name or IP address where it listens; "": none */
    uint8_t cell[16];
    uint64_t serial;   /* of the certificate: random, unique in the cell */
    int64_t not_after; /* seconds since 1970 */
};

/* All errors come with a sentence in error->text; a file that is not there is NOENT. Writing makes
 * DIR (0700) when only it is missing. */

/* Makes a cell's authority: DIR/ca.key (mode 0600), DIR/ca.crt. EXIST: there is one (a key without
 * its certificate is what an interrupted call left, and is replaced); IO, NOMEM. */
enum err authority_make(const char *dir, const uint8_t cell[16], struct store_error *error);
/* SHA-256 of the authority's certificate (DER). `ca_crt` is the file's path. IO, CERTIFICATE. */
enum err authority_fingerprint(const char *ca_crt, uint8_t out[32], struct store_error *error);
/* Keeps an authority that another node sent, both as PEM text: DIR/ca.crt and, unless key is NULL,
 * DIR/ca.key. CERTIFICATE: not an authority, or another key's; EXIST: DIR/ca.crt is another cell's;
 * IO. */
enum err authority_keep(const char *dir, const char *certificate, const char *key,
                        struct store_error *error);
/* Signs a request with DIR/ca.key: the certificate says what `identity` says (serial is chosen here
 * when 0; not_after is in IDENTITY_DAYS when 0, and may be past, for tests; cell must be the
 * authority's), nothing of what the request says but its key. PEM text, malloc'd. CERTIFICATE: not
 * a request, or not of a sound identity; IO. */
enum err authority_sign(const char *dir, const char *request, const struct identity *identity,
                        char **certificate, struct store_error *error);

/* A request to be signed, as PEM text, malloc'd, for the key DIR/NAME.key, which is made (0600)
 * when it is not there. CERTIFICATE: the key cannot be used; IO. */
enum err identity_request(const char *dir, const char *name, char **request,
                          struct store_error *error);
/* Keeps what the authority answered: DIR/NAME.crt. CERTIFICATE: it is not of DIR/ca.crt, or not for
 * DIR/NAME.key; IO. */
enum err identity_keep(const char *dir, const char *name, const char *certificate,
                       struct store_error *error);
/* What a certificate says; CERTIFICATE when it is not one of ours in form. */
enum err identity_of(X509 *certificate, struct identity *out, struct store_error *error);
enum err identity_load(const char *path, struct identity *out, struct store_error *error);

/* TLS 1.3 only, mutual, of one cell: DIR/ca.crt, DIR/NAME.crt, DIR/NAME.key; for both ends of a
 * connection. `strangers`: a peer without a certificate passes the handshake; who may then do what
 * is transport.h's. The caller's, by SSL_CTX_free. CERTIFICATE: the three do not belong together
 * (one that has expired is taken: others refuse it); IO. */
enum err identity_context(const char *dir, const char *name, bool strangers, SSL_CTX **out,
                          struct store_error *error);
/* The same for someone without a certificate, who knows the SHA-256 of the authority's. Peers have
 * to send that. `fingerprint` (32 bytes) must live as long as the context. NOMEM. */
enum err identity_stranger_context(const uint8_t *fingerprint, SSL_CTX **out,
                                   struct store_error *error);

#endif
