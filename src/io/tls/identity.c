/* SPDX-License-Identifier: MIT
 *
 * identity.c: what a certificate says, and an owner's own files.
 */
#include <arpa/inet.h>
#include <ctype.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "io/tls/private.h"

bool tls_name_sound(const char *name)
{
    size_t len = strnlen(name, RECORD_NAME_MAX);
    if (len == 0 || len == RECORD_NAME_MAX || name[0] == '-' || name[0] == '.')
        return false;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)name[i];
        if (c >= 0x80 || (!isalnum(c) && c != '-' && c != '_' && c != '.'))
            return false;
    }
    return true;
}

void tls_cell_print(const uint8_t cell[16], char out[33])
{
    for (int i = 0; i < 16; i++)
        snprintf(out + (ptrdiff_t)2 * i, 3, "%02x", cell[i]);
}

static int digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool tls_cell_parse(const char *text, uint8_t cell[16])
{
    if (strlen(text) != 32)
        return false;
    for (int i = 0; i < 16; i++) {
        int high = digit(text[2 * i]), low = digit(text[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        cell[i] = (uint8_t)(high * 16 + low);
    }
    return true;
}

/* --- reading a certificate (law I3) --- */

/* The string without anything that would make it read differently elsewhere. */
static bool string_of(const ASN1_STRING *string, char *out, size_t size)
{
    int len = ASN1_STRING_length(string);
    if (len <= 0 || (size_t)len >= size || memchr(ASN1_STRING_get0_data(string), 0, (size_t)len))
        return false;
    memcpy(out, ASN1_STRING_get0_data(string), (size_t)len);
    out[len] = 0;
    return true;
}

bool tls_subject(X509 *certificate, int nid, char *out, size_t size)
{
    X509_NAME *name = X509_get_subject_name(certificate);
    int at = X509_NAME_get_index_by_NID(name, nid, -1);
    if (at < 0 || X509_NAME_get_index_by_NID(name, nid, at) >= 0)
        return false;
    return string_of(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at)), out, size);
}

static bool read_role(X509 *certificate, enum node_role *out)
{
    static const struct {
        const char *word;
        enum node_role role;
    } roles[] = {
        {"node", ROLE_NODE}, {"client", ROLE_CLIENT}, {"administrator", ROLE_ADMINISTRATOR}};
    char word[32];
    if (!tls_subject(certificate, NID_organizationalUnitName, word, sizeof word))
        return false;
    for (size_t i = 0; i < sizeof roles / sizeof *roles; i++)
        if (strcmp(word, roles[i].word) == 0) {
            *out = roles[i].role;
            return true;
        }
    return false;
}

/* A decimal number as it is printed: no sign, no blank, no leading zero. */
static bool number_of(const char *text, uint64_t most, uint64_t *out)
{
    uint64_t value = 0;
    size_t len = strlen(text);
    if (len == 0 || len > 10 || strspn(text, "0123456789") != len || (text[0] == '0' && len > 1))
        return false;
    for (size_t i = 0; i < len; i++)
        value = value * 10 + (uint64_t)(text[i] - '0');
    *out = value;
    return value <= most;
}

static bool read_uri(const char *uri, struct identity *out)
{
    uint64_t number;
    if (out->role == ROLE_NODE) {
        if (strncmp(uri, "pactfs:node=", 12) != 0 ||
            !number_of(uri + 12, IDENTITY_NODE_MAX, &number) || number == 0)
            return false;
        out->node = (uint32_t)number;
        return true;
    }
    if (out->role != ROLE_CLIENT || strncmp(uri, "pactfs:uid=", 11) != 0)
        return false;
    if (strcmp(uri + 11, "any") == 0)
        return true; /* as it was set */
    if (!number_of(uri + 11, UINT32_MAX - 1, &number))
        return false;
    out->uid = (int64_t)number;
    return true;
}

static bool address_of(const ASN1_STRING *bytes, char *out, size_t size)
{
    int len = ASN1_STRING_length(bytes);
    if (len != 4 && len != 16)
        return false;
    return inet_ntop(len == 4 ? AF_INET : AF_INET6, ASN1_STRING_get0_data(bytes), out,
                     (socklen_t)size) != NULL;
}

/* A host; this machine's names for itself are in every node's certificate. */
static bool read_host(const GENERAL_NAME *name, struct identity *out)
{
    char host[RECORD_ADDR_MAX];
    bool good = name->type == GEN_DNS ? string_of(name->d.dNSName, host, sizeof host)
                                      : address_of(name->d.iPAddress, host, sizeof host);
    if (!good)
        return false;
    if (strcmp(host, "localhost") == 0 || strcmp(host, "127.0.0.1") == 0)
        return true;
    if (out->host[0])
        return false;
    memcpy(out->host, host, sizeof host);
    return true;
}

static bool read_names(GENERAL_NAMES *names, struct identity *out)
{
    char uri[64];
    unsigned uris = 0;
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        bool good = false;
        if (name->type == GEN_URI)
            good = string_of(name->d.uniformResourceIdentifier, uri, sizeof uri) &&
                   read_uri(uri, out) && ++uris == 1;
        else if (out->role == ROLE_NODE && (name->type == GEN_DNS || name->type == GEN_IPADD))
            good = read_host(name, out);
        if (!good)
            return false;
    }
    return uris == 1;
}

static bool read_owner(X509 *certificate, struct identity *out)
{
    int critical;
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, &critical, NULL);
    bool good = out->role == ROLE_ADMINISTRATOR ? !names && critical == -1
                                                : names && read_names(names, out);
    GENERAL_NAMES_free(names);
    return good;
}

static bool read_end(X509 *certificate, int64_t *out)
{
    struct tm tm;
    if (ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &tm) != 1)
        return false;
    *out = (int64_t)timegm(&tm);
    return true;
}

static bool read_subject(X509 *certificate, struct identity *out)
{
    char cell[64];
    return tls_subject(certificate, NID_commonName, out->name, sizeof out->name) &&
           tls_name_sound(out->name) && read_role(certificate, &out->role) &&
           tls_subject(certificate, NID_organizationName, cell, sizeof cell) &&
           tls_cell_parse(cell, out->cell);
}

enum err identity_of(X509 *certificate, struct identity *out, struct store_error *error)
{
    memset(out, 0, sizeof *out);
    out->uid = IDENTITY_UID_ANY;
    bool good = X509_get_version(certificate) == X509_VERSION_3 && read_subject(certificate, out) &&
                read_owner(certificate, out) && read_end(certificate, &out->not_after) &&
                ASN1_INTEGER_get_uint64(&out->serial, X509_get0_serialNumber(certificate)) == 1 &&
                out->serial != 0 && X509_check_ca(certificate) == 0;
    ERR_clear_error();
    if (good)
        return OK;
    memset(out, 0, sizeof *out);
    return tls_refuse(error, ERR_CERTIFICATE,
                      "The certificate does not say who its owner is in a PactFS cell.");
}

enum err identity_load(const char *path, struct identity *out, struct store_error *error)
{
    enum err err = OK;
    X509 *certificate = tls_read_certificate(path, &err, error);
    if (certificate)
        err = identity_of(certificate, out, error);
    X509_free(certificate);
    return err;
}

/* --- the owner's files --- */

static EVP_PKEY *make_key(const char *dir, const char *name, enum err *err,
                          struct store_error *error)
{
    EVP_PKEY *key = tls_new_key();
    char *text = key ? tls_key_text(key) : NULL;
    if (!text)
        *err = tls_refuse_ssl(error, ERR_NOMEM, "Cannot make a key for", name);
    else
        *err = tls_write(dir, name, ".key", text, error);
    if (text)
        OPENSSL_cleanse(text, strlen(text));
    free(text);
    if (!*err)
        return key;
    EVP_PKEY_free(key);
    return NULL;
}

static char *request_for(EVP_PKEY *key, const char *name)
{
    X509_REQ *request = X509_REQ_new();
    char *text = NULL;
    if (request &&
        X509_NAME_add_entry_by_txt(X509_REQ_get_subject_name(request), "CN", MBSTRING_UTF8,
                                   (const unsigned char *)name, -1, -1, 0) == 1 &&
        X509_REQ_set_pubkey(request, key) == 1 && X509_REQ_sign(request, key, tls_digest(key)) > 0)
        text = tls_request_text(request);
    X509_REQ_free(request);
    return text;
}

enum err identity_request(const char *dir, const char *name, char **request,
                          struct store_error *error)
{
    char path[TLS_PATH_MAX];
    enum err err = tls_path(path, dir, name, ".key");
    if (err)
        return tls_refuse(error, err, "The path of %.100s.key is too long.", name);
    EVP_PKEY *key = tls_read_key(path, &err, error);
    if (!key && err == ERR_NOENT)
        key = make_key(dir, name, &err, error);
    if (!key)
        return err;
    *request = request_for(key, name);
    EVP_PKEY_free(key);
    return *request ? OK : tls_refuse_ssl(error, ERR_CERTIFICATE, "Cannot sign with", path);
}

static enum err check_owned(const char *dir, const char *name, X509 *certificate,
                            struct store_error *error)
{
    char path[TLS_PATH_MAX];
    struct identity identity;
    enum err err = tls_path(path, dir, name, ".key");
    if (err)
        return tls_refuse(error, err, "The path of %.100s.key is too long.", name);
    EVP_PKEY *key = tls_read_key(path, &err, error);
    if (!key)
        return err;
    bool fits = X509_check_private_key(certificate, key) == 1;
    EVP_PKEY_free(key);
    if (!fits)
        return tls_refuse_ssl(error, ERR_CERTIFICATE, "The certificate is not for the key", path);
    err = tls_path(path, dir, "ca", ".crt");
    X509 *ca = err ? NULL : tls_read_certificate(path, &err, error);
    if (!ca)
        return err;
    bool signed_by = X509_verify(certificate, X509_get0_pubkey(ca)) == 1;
    X509_free(ca);
    if (!signed_by)
        return tls_refuse_ssl(error, ERR_CERTIFICATE, "The certificate is not signed by", path);
    return identity_of(certificate, &identity, error);
}

enum err identity_keep(const char *dir, const char *name, const char *certificate,
                       struct store_error *error)
{
    X509 *parsed = tls_certificate_of(certificate);
    char *text = parsed ? tls_certificate_text(parsed) : NULL;
    enum err err;
    if (!text)
        err = tls_refuse_ssl(error, ERR_CERTIFICATE, "That is no certificate for", name);
    else
        err = check_owned(dir, name, parsed, error);
    if (!err)
        err = tls_write(dir, name, ".crt", text, error);
    free(text);
    X509_free(parsed);
    return err;
}
