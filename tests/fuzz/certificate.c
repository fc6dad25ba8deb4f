/* SPDX-License-Identifier: MIT
 *
 * certificate.c: what a certificate says (DER), and requests to be signed (PEM). What is accepted
 * keeps the limits of identity.h; a request that a mutation touched is not accepted (law I1).
 */
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/assert.h"
#include "fuzz.h"
#include "io/tls/private.h"

static void check(const struct identity *who)
{
    INVARIANT(tls_name_sound(who->name));
    INVARIANT(who->serial != 0);
    INVARIANT(memchr(who->host, 0, sizeof who->host));
    if (who->role == ROLE_NODE)
        INVARIANT(who->node >= 1 && who->node <= IDENTITY_NODE_MAX);
    else
        INVARIANT(who->node == 0 && who->host[0] == 0);
    if (who->role == ROLE_CLIENT)
        INVARIANT(who->uid == IDENTITY_UID_ANY || (who->uid >= 0 && who->uid < UINT32_MAX));
    else
        INVARIANT(who->uid == IDENTITY_UID_ANY);
}

static void as_certificate(const uint8_t *data, size_t size)
{
    struct identity who;
    struct store_error error;
    uint8_t cell[16];
    const unsigned char *at = data;
    X509 *certificate = d2i_X509(NULL, &at, (long)size);
    if (!certificate)
        return;
    if (identity_of(certificate, &who, &error) == OK) {
        check(&who);
        INVARIANT(!tls_authority_cell(certificate, cell));
    } else {
        INVARIANT(who.role == 0 && error.text[0] != 0);
    }
    X509_free(certificate);
}

static void as_request(const uint8_t *data, size_t size)
{
    struct store_error error;
    char *text = calloc(1, size + 1);
    INVARIANT(text != NULL);
    memcpy(text, data, size);
    EVP_PKEY_free(tls_request_key(text, &error));
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 10 && memcmp(data, "-----BEGIN", 10) == 0)
        as_request(data, size);
    else
        as_certificate(data, size);
    return 0;
}

static size_t encode(const char *text, uint8_t *out)
{
    X509 *certificate = tls_certificate_of(text);
    unsigned char *at = out;
    INVARIANT(certificate != NULL);
    int len = i2d_X509(certificate, &at);
    X509_free(certificate);
    INVARIANT(len > 0 && (unsigned)len < FUZZ_INPUT_MAX);
    return (size_t)len;
}

static size_t make(const char *dir, unsigned number, uint8_t *out)
{
    struct identity who = {.role = (enum node_role)(number % 3 + 1),
                           .node = 1 + number * 9000,
                           .uid = (int64_t)number - 1,
                           .name = "a-name",
                           .host = "host.example"};
    struct store_error error;
    char *request, *certificate;
    INVARIANT(authority_make(dir, who.cell, &error) == OK);
    INVARIANT(identity_request(dir, "x", &request, &error) == OK);
    INVARIANT(authority_sign(dir, request, &who, &certificate, &error) == OK);
    size_t len = strlen(request);
    if (number < 6)
        len = encode(certificate, out);
    else
        memcpy(out, request, len);
    free(request);
    free(certificate);
    return len;
}

static void remove_file(const char *dir, const char *name)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    unlink(path);
}

size_t fuzz_seed(unsigned number, uint8_t *out)
{
    char dir[] = "/tmp/pactfs-fuzz-XXXXXX";
    if (number >= 7)
        return 0;
    INVARIANT(mkdtemp(dir) != NULL);
    size_t len = make(dir, number, out);
    remove_file(dir, "ca.key");
    remove_file(dir, "ca.crt");
    remove_file(dir, "x.key");
    rmdir(dir);
    return len;
}
