/* SPDX-License-Identifier: MIT
 *
 * authority.c: the cell's authority: makes itself, signs what it is told to.
 *
 * The profile is RFC 5280's smallest: an authority that may sign only owners (path length 0), and
 * owners that may sign only handshakes. Clients' certificates are of no use to a server.
 */
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/base/assert.h"
#include "io/tls/private.h"

#define AUTHORITY_NAME "PactFS authority"
#define AUTHORITY_DAYS 7305 /* twenty years */
#define DAY            INT64_C(86400)
#define EARLY          DAY /* clocks of machines that join may be behind */

/* --- keys --- */

EVP_PKEY *tls_new_key(void)
{
    return EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
}

const EVP_MD *tls_digest(const EVP_PKEY *key)
{
    return EVP_PKEY_is_a(key, "ED25519") ? NULL : EVP_sha256();
}

static bool kind_sound(const EVP_PKEY *key)
{
    char group[32] = "";
    size_t len;
    if (EVP_PKEY_is_a(key, "ED25519"))
        return true;
    return EVP_PKEY_is_a(key, "EC") &&
           EVP_PKEY_get_group_name(key, group, sizeof group, &len) == 1 &&
           strcmp(group, "prime256v1") == 0;
}

EVP_PKEY *tls_request_key(const char *text, struct store_error *error)
{
    if (strnlen(text, IDENTITY_REQUEST_MAX + 1) > IDENTITY_REQUEST_MAX) {
        tls_refuse(error, ERR_CERTIFICATE, "The certificate request is longer than %u bytes.",
                   IDENTITY_REQUEST_MAX);
        return NULL;
    }
    BIO *bio = BIO_new_mem_buf(text, -1);
    X509_REQ *request = bio ? PEM_read_bio_X509_REQ(bio, NULL, NULL, NULL) : NULL;
    EVP_PKEY *key = request ? X509_REQ_get_pubkey(request) : NULL;
    BIO_free(bio);
    if (!key || !kind_sound(key) || X509_REQ_verify(request, key) != 1) {
        tls_refuse(error, ERR_CERTIFICATE,
                   "That is not a certificate request by the owner of an Ed25519 or P-256 key.");
        EVP_PKEY_free(key);
        key = NULL;
    }
    X509_REQ_free(request);
    ERR_clear_error();
    return key;
}

/* --- putting a certificate together --- */

static bool add_name(X509_NAME *name, const char *field, const char *value)
{
    return X509_NAME_add_entry_by_txt(name, field, MBSTRING_UTF8, (const unsigned char *)value, -1,
                                      -1, 0) == 1;
}

static bool set_subject(X509 *certificate, const char *common, const char *role,
                        const uint8_t cell[16])
{
    X509_NAME *name = X509_get_subject_name(certificate);
    char text[33];
    tls_cell_print(cell, text);
    return add_name(name, "CN", common) && (!role || add_name(name, "OU", role)) &&
           add_name(name, "O", text);
}

static bool set_times(X509 *certificate, int64_t end)
{
    int64_t now = time(NULL), begin = (end < now ? end : now) - EARLY;
    return ASN1_TIME_set(X509_getm_notBefore(certificate), begin) &&
           ASN1_TIME_set(X509_getm_notAfter(certificate), end);
}

static bool set_serial(X509 *certificate, uint64_t serial)
{
    while (serial == 0) {
        if (RAND_bytes((unsigned char *)&serial, sizeof serial) != 1)
            return false;
        serial &= INT64_MAX; /* as RFC 5280 has them: positive */
    }
    return ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate), serial) == 1;
}

static bool extend(X509 *certificate, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509V3_set_ctx(&ctx, issuer, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    bool good = extension && X509_add_ext(certificate, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    return good;
}

/* --- who the owner is, among the alternative names --- */

static bool add_text(GENERAL_NAMES *names, int type, const char *text)
{
    GENERAL_NAME *name = GENERAL_NAME_new();
    ASN1_IA5STRING *string = ASN1_IA5STRING_new();
    bool good = name && string && ASN1_STRING_set(string, text, -1) == 1;
    if (good) {
        GENERAL_NAME_set0_value(name, type, string);
        string = NULL;
        good = sk_GENERAL_NAME_push(names, name) > 0;
    }
    ASN1_IA5STRING_free(string);
    if (!good)
        GENERAL_NAME_free(name);
    return good;
}

/* An IP address as such, anything else as a name. */
static bool add_host(GENERAL_NAMES *names, const char *host)
{
    ASN1_OCTET_STRING *address = a2i_IPADDRESS(host);
    if (!address) {
        ERR_clear_error();
        return add_text(names, GEN_DNS, host);
    }
    GENERAL_NAME *name = GENERAL_NAME_new();
    if (!name) {
        ASN1_OCTET_STRING_free(address);
        return false;
    }
    GENERAL_NAME_set0_value(name, GEN_IPADD, address);
    if (sk_GENERAL_NAME_push(names, name) > 0)
        return true;
    GENERAL_NAME_free(name);
    return false;
}

static bool local_host(const char *host)
{
    return strcmp(host, "localhost") == 0 || strcmp(host, "127.0.0.1") == 0;
}

static bool add_owner(GENERAL_NAMES *names, const struct identity *identity)
{
    char uri[64] = "pactfs:uid=any";
    if (identity->role == ROLE_NODE) {
        snprintf(uri, sizeof uri, "pactfs:node=%u", identity->node);
        return add_text(names, GEN_URI, uri) && add_host(names, "127.0.0.1") &&
               add_host(names, "localhost") &&
               (!identity->host[0] || local_host(identity->host) ||
                add_host(names, identity->host));
    }
    if (identity->uid != IDENTITY_UID_ANY)
        snprintf(uri, sizeof uri, "pactfs:uid=%lld", (long long)identity->uid);
    return add_text(names, GEN_URI, uri);
}

static bool set_owner(X509 *certificate, const struct identity *identity)
{
    if (identity->role == ROLE_ADMINISTRATOR)
        return true;
    GENERAL_NAMES *names = sk_GENERAL_NAME_new_null();
    bool good = names && add_owner(names, identity) &&
                X509_add1_ext_i2d(certificate, NID_subject_alt_name, names, 0, 0) == 1;
    GENERAL_NAMES_free(names);
    return good;
}

/* --- the authority itself --- */

static X509 *self_signed(EVP_PKEY *key, const uint8_t cell[16])
{
    X509 *ca = X509_new();
    bool good = ca && X509_set_version(ca, X509_VERSION_3) == 1 && set_serial(ca, 0) &&
                set_times(ca, time(NULL) + AUTHORITY_DAYS * DAY) &&
                set_subject(ca, AUTHORITY_NAME, NULL, cell) &&
                X509_set_issuer_name(ca, X509_get_subject_name(ca)) == 1 &&
                X509_set_pubkey(ca, key) == 1 &&
                extend(ca, ca, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") &&
                extend(ca, ca, NID_key_usage, "critical,keyCertSign,cRLSign") &&
                extend(ca, ca, NID_subject_key_identifier, "hash") &&
                X509_sign(ca, key, tls_digest(key)) > 0;
    if (good)
        return ca;
    X509_free(ca);
    return NULL;
}

static bool there(const char *dir, const char *ending)
{
    char path[TLS_PATH_MAX];
    return tls_path(path, dir, "ca", ending) == OK && access(path, F_OK) == 0;
}

enum err authority_make(const char *dir, const uint8_t cell[16], struct store_error *error)
{
    if (there(dir, ".crt"))
        return tls_refuse(error, ERR_EXIST, "%.300s/ca.crt is there: an authority already.", dir);
    EVP_PKEY *key = tls_new_key();
    X509 *ca = key ? self_signed(key, cell) : NULL;
    char *key_text = ca ? tls_key_text(key) : NULL;
    char *ca_text = key_text ? tls_certificate_text(ca) : NULL;
    enum err err =
        ca_text ? OK : tls_refuse_ssl(error, ERR_NOMEM, "Cannot make an authority in", dir);
    if (!err)
        err = tls_write(dir, "ca", ".key", key_text, error);
    if (!err)
        err = tls_write(dir, "ca", ".crt", ca_text, error);
    if (key_text)
        OPENSSL_cleanse(key_text, strlen(key_text));
    free(key_text);
    free(ca_text);
    X509_free(ca);
    EVP_PKEY_free(key);
    return err;
}

bool tls_authority_cell(X509 *authority, uint8_t cell[16])
{
    char common[64], text[64];
    return tls_subject(authority, NID_commonName, common, sizeof common) &&
           strcmp(common, AUTHORITY_NAME) == 0 &&
           tls_subject(authority, NID_organizationName, text, sizeof text) &&
           tls_cell_parse(text, cell) && X509_check_ca(authority) == 1 &&
           X509_self_signed(authority, 1) == 1;
}

enum err authority_fingerprint(const char *ca_crt, uint8_t out[32], struct store_error *error)
{
    enum err err = OK;
    unsigned len = 0;
    X509 *ca = tls_read_certificate(ca_crt, &err, error);
    if (ca && (X509_digest(ca, EVP_sha256(), out, &len) != 1 || len != 32))
        err = tls_refuse_ssl(error, ERR_CERTIFICATE, "Cannot hash", ca_crt);
    X509_free(ca);
    return err;
}

static enum err keep_checked(const char *dir, X509 *ca, const char *key, struct store_error *error)
{
    char path[TLS_PATH_MAX];
    enum err err = OK;
    if (tls_path(path, dir, "ca", ".crt") != OK)
        return tls_refuse(error, ERR_IO, "The path of ca.crt is too long.");
    X509 *old = access(path, F_OK) == 0 ? tls_read_certificate(path, &err, error) : NULL;
    if (old && X509_cmp(old, ca) != 0)
        err = tls_refuse(error, ERR_EXIST, "%.300s is another cell's authority.", path);
    X509_free(old);
    char *text = err ? NULL : tls_certificate_text(ca);
    if (!err && !text)
        err = tls_refuse(error, ERR_NOMEM, "Out of memory.");
    if (!err && key)
        err = tls_write(dir, "ca", ".key", key, error);
    if (!err && !old)
        err = tls_write(dir, "ca", ".crt", text, error);
    free(text);
    return err;
}

enum err authority_keep(const char *dir, const char *certificate, const char *key,
                        struct store_error *error)
{
    uint8_t cell[16];
    enum err err;
    X509 *ca = tls_certificate_of(certificate);
    EVP_PKEY *own = key ? tls_key_of(key) : NULL;
    if (!ca || !tls_authority_cell(ca, cell))
        err = tls_refuse(error, ERR_CERTIFICATE, "That is not the authority of a PactFS cell.");
    else if (key && (!own || X509_check_private_key(ca, own) != 1))
        err = tls_refuse(error, ERR_CERTIFICATE, "That is not the key of the cell's authority.");
    else
        err = keep_checked(dir, ca, key, error);
    X509_free(ca);
    EVP_PKEY_free(own);
    ERR_clear_error();
    return err;
}

/* --- signing --- */

static const char *role_word(enum node_role role)
{
    switch (role) {
    case ROLE_NODE:
        return "node";
    case ROLE_CLIENT:
        return "client";
    case ROLE_ADMINISTRATOR:
        return "administrator";
    }
    return NULL;
}

static bool host_sound(const char *host)
{
    size_t len = strnlen(host, RECORD_ADDR_MAX);
    return len < RECORD_ADDR_MAX &&
           strspn(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:") ==
               len;
}

static enum err sound(const struct identity *identity, struct store_error *error)
{
    if (!role_word(identity->role))
        return tls_refuse(error, ERR_CERTIFICATE, "A certificate needs a role.");
    if (!tls_name_sound(identity->name))
        return tls_refuse(error, ERR_CERTIFICATE,
                          "The name for a certificate has to be 1 to %u letters, digits, '-', '_' "
                          "or '.'.",
                          RECORD_NAME_MAX - 1);
    if (identity->role == ROLE_NODE &&
        (identity->node == 0 || identity->node > IDENTITY_NODE_MAX || !host_sound(identity->host)))
        return tls_refuse(error, ERR_CERTIFICATE,
                          "A node's certificate needs a number of 1 to %u, and a host in plain "
                          "letters.",
                          IDENTITY_NODE_MAX);
    if (identity->role == ROLE_CLIENT && identity->uid != IDENTITY_UID_ANY &&
        (identity->uid < 0 || identity->uid >= UINT32_MAX))
        return tls_refuse(error, ERR_CERTIFICATE, "There is no user %lld.",
                          (long long)identity->uid);
    return OK;
}

/* Who is no node must not pass for a TLS client elsewhere: etcd lets in every certificate of the
 * authority that may (io/etcd/child.h), and would let it change the registry. There has to be some
 * usage, as none means any: one under the number for examples (RFC 5612), which nobody owns. */
#define NOT_NODE_USAGE "1.3.6.1.4.1.32473.1.1"

struct authority {
    X509 *ca;
    EVP_PKEY *key;
};

static enum err authority_load(const char *dir, struct authority *out, struct store_error *error)
{
    char path[TLS_PATH_MAX];
    enum err err = tls_path(path, dir, "ca", ".crt");
    if (err)
        return tls_refuse(error, err, "The path of ca.crt is too long.");
    out->ca = tls_read_certificate(path, &err, error);
    if (!out->ca)
        return err;
    INVARIANT(tls_path(path, dir, "ca", ".key") == OK); /* as long as ca.crt */
    out->key = tls_read_key(path, &err, error);
    if (!out->key)
        return err;
    if (X509_check_private_key(out->ca, out->key) != 1)
        return tls_refuse_ssl(error, ERR_CERTIFICATE, "The authority's key does not fit in", dir);
    return OK;
}

static X509 *issue(const struct authority *authority, EVP_PKEY *owner,
                   const struct identity *identity)
{
    X509 *out = X509_new();
    int64_t end = identity->not_after ? identity->not_after : time(NULL) + IDENTITY_DAYS * DAY;
    const char *usage = identity->role == ROLE_NODE ? "serverAuth,clientAuth" : NOT_NODE_USAGE;
    bool good = out && X509_set_version(out, X509_VERSION_3) == 1 &&
                set_serial(out, identity->serial) && set_times(out, end) &&
                set_subject(out, identity->name, role_word(identity->role), identity->cell) &&
                X509_set_issuer_name(out, X509_get_subject_name(authority->ca)) == 1 &&
                X509_set_pubkey(out, owner) == 1 &&
                extend(out, authority->ca, NID_basic_constraints, "critical,CA:FALSE") &&
                extend(out, authority->ca, NID_key_usage, "critical,digitalSignature") &&
                extend(out, authority->ca, NID_ext_key_usage, usage) &&
                extend(out, authority->ca, NID_authority_key_identifier, "keyid") &&
                set_owner(out, identity) &&
                X509_sign(out, authority->key, tls_digest(authority->key)) > 0;
    if (good)
        return out;
    X509_free(out);
    return NULL;
}

static enum err sign(const struct authority *authority, EVP_PKEY *owner,
                     const struct identity *identity, char **out, struct store_error *error)
{
    uint8_t cell[16];
    if (!tls_authority_cell(authority->ca, cell) || memcmp(cell, identity->cell, 16) != 0)
        return tls_refuse(error, ERR_CERTIFICATE, "The authority here is of another cell.");
    X509 *certificate = issue(authority, owner, identity);
    *out = certificate ? tls_certificate_text(certificate) : NULL;
    X509_free(certificate);
    return *out ? OK : tls_refuse_ssl(error, ERR_NOMEM, "Cannot sign for", identity->name);
}

enum err authority_sign(const char *dir, const char *request, const struct identity *identity,
                        char **certificate, struct store_error *error)
{
    struct authority authority = {0};
    enum err err = sound(identity, error);
    EVP_PKEY *owner = err ? NULL : tls_request_key(request, error);
    if (!err && !owner)
        err = ERR_CERTIFICATE;
    if (!err)
        err = authority_load(dir, &authority, error);
    if (!err)
        err = sign(&authority, owner, identity, certificate, error);
    X509_free(authority.ca);
    EVP_PKEY_free(authority.key);
    EVP_PKEY_free(owner);
    return err;
}
