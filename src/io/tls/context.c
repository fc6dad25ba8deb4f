/* SPDX-License-Identifier: MIT
 *
 * context.c: what a TLS connection of a cell demands of both ends.
 *
 * TLS 1.3 only (RFC 8446), no tickets and no resumption: each connection looks at the other's
 * certificate. AES-128-GCM first where the processor computes it, ChaCha20 elsewhere.
 */
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <string.h>
#ifdef __aarch64__
#include <sys/auxv.h>
#endif

#include "core/base/assert.h"
#include "io/tls/private.h"

#define AES_FIRST    "TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_256_GCM_SHA384"
#define CHACHA_FIRST "TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384"
#define DEPTH        1 /* nobody between an owner and the authority */

static const char *ciphers(void)
{
#if defined __x86_64__
    return __builtin_cpu_supports("aes") && __builtin_cpu_supports("pclmul") ? AES_FIRST
                                                                             : CHACHA_FIRST;
#elif defined __aarch64__
    return getauxval(AT_HWCAP) & (1 << 3) ? AES_FIRST : CHACHA_FIRST; /* HWCAP_AES */
#else
    return CHACHA_FIRST;
#endif
}

static SSL_CTX *plain_context(void)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_method());
    if (!ctx)
        return NULL;
    SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION |
                                 SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                              SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_NO_AUTO_CHAIN);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_verify_depth(ctx, DEPTH);
    if (SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) == 1 &&
        SSL_CTX_set_ciphersuites(ctx, ciphers()) == 1 && SSL_CTX_set_num_tickets(ctx, 0) == 1 &&
        SSL_CTX_set1_groups_list(ctx, "X25519:P-256") == 1)
        return ctx;
    SSL_CTX_free(ctx);
    return NULL;
}

/* --- someone with a certificate --- */

struct own {
    X509 *ca, *certificate;
    EVP_PKEY *key;
};

static void own_free(struct own *own)
{
    X509_free(own->ca);
    X509_free(own->certificate);
    EVP_PKEY_free(own->key);
}

static enum err own_load(const char *dir, const char *name, struct own *own,
                         struct store_error *error)
{
    char path[TLS_PATH_MAX];
    struct identity identity;
    uint8_t cell[16];
    enum err err = OK;
    if (tls_path(path, dir, "ca", ".crt") || tls_path(path, dir, name, ".crt"))
        return tls_refuse(error, ERR_IO, "The path of %.100s.crt is too long.", name);
    if (!(own->certificate = tls_read_certificate(path, &err, error)))
        return err;
    err = identity_of(own->certificate, &identity, error);
    if (err)
        return err;
    INVARIANT(tls_path(path, dir, name, ".key") == OK);
    if (!(own->key = tls_read_key(path, &err, error)))
        return err;
    INVARIANT(tls_path(path, dir, "ca", ".crt") == OK);
    if (!(own->ca = tls_read_certificate(path, &err, error)))
        return err;
    if (!tls_authority_cell(own->ca, cell) || memcmp(cell, identity.cell, 16) != 0 ||
        X509_verify(own->certificate, X509_get0_pubkey(own->ca)) != 1 ||
        X509_check_private_key(own->certificate, own->key) != 1)
        return tls_refuse_ssl(error, ERR_CERTIFICATE,
                              "The files ca.crt, certificate and key do not belong together in",
                              dir);
    return OK;
}

static bool use(SSL_CTX *ctx, const struct own *own)
{
    return X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), own->ca) == 1 &&
           SSL_CTX_use_certificate(ctx, own->certificate) == 1 &&
           SSL_CTX_use_PrivateKey(ctx, own->key) == 1;
}

enum err identity_context(const char *dir, const char *name, bool strangers, SSL_CTX **out,
                          struct store_error *error)
{
    struct own own = {0};
    enum err err = own_load(dir, name, &own, error);
    SSL_CTX *ctx = err ? NULL : plain_context();
    int demand = SSL_VERIFY_PEER | (strangers ? 0 : SSL_VERIFY_FAIL_IF_NO_PEER_CERT);
    if (!err && (!ctx || !use(ctx, &own)))
        err = tls_refuse_ssl(error, ERR_NOMEM, "Cannot prepare TLS with", dir);
    /* A stranger knows the authority by its fingerprint only: show it. */
    if (!err && SSL_CTX_add1_chain_cert(ctx, own.ca) != 1)
        err = tls_refuse_ssl(error, ERR_NOMEM, "Cannot prepare TLS with", dir);
    own_free(&own);
    if (err) {
        SSL_CTX_free(ctx);
        return err;
    }
    SSL_CTX_set_verify(ctx, demand, NULL);
    *out = ctx;
    return OK;
}

/* --- someone without --- */

static X509 *with_fingerprint(STACK_OF(X509) * sent, const uint8_t *fingerprint)
{
    for (int i = 0; i < sk_X509_num(sent); i++) {
        uint8_t digest[EVP_MAX_MD_SIZE], cell[16];
        unsigned len = 0;
        X509 *one = sk_X509_value(sent, i);
        if (X509_digest(one, EVP_sha256(), digest, &len) == 1 && len == 32 &&
            CRYPTO_memcmp(digest, fingerprint, 32) == 0 && tls_authority_cell(one, cell))
            return one;
    }
    return NULL;
}

/* In place of the store of authorities, which is empty: the one that has the fingerprint. */
static int verify_by_fingerprint(X509_STORE_CTX *store, void *fingerprint)
{
    X509 *authority = with_fingerprint(X509_STORE_CTX_get0_untrusted(store), fingerprint);
    STACK_OF(X509) *trusted = authority ? sk_X509_new_null() : NULL;
    int good = 0;
    if (trusted && sk_X509_push(trusted, authority) > 0) {
        X509_STORE_CTX_set0_trusted_stack(store, trusted);
        good = X509_verify_cert(store);
    } else {
        X509_STORE_CTX_set_error(store, X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN);
    }
    sk_X509_free(trusted);
    return good == 1;
}

enum err identity_stranger_context(const uint8_t *fingerprint, SSL_CTX **out,
                                   struct store_error *error)
{
    SSL_CTX *ctx = plain_context();
    if (!ctx)
        return tls_refuse_ssl(error, ERR_NOMEM, "Cannot prepare TLS", "for a stranger");
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_cert_verify_callback(ctx, verify_by_fingerprint, (void *)(uintptr_t)fingerprint);
    *out = ctx;
    return OK;
}
