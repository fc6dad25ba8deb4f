/* SPDX-License-Identifier: MIT
 *
 * renewal.c: certificates are renewed by their owner when a third of their time is left.
 *
 * Who renews shows the old certificate and a request signed by the same key; so it does not matter
 * through which nodes the question went, and nobody gets a certificate for somebody else. Only a
 * node that has the authority's key can answer; the others pass the question on.
 */
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "node/cell/calls.h"
#include "node/cell/certificates.h"
#include "node/cell/requests.h"
#include "node/cell/upkeep.h"

#define FORWARD_MS 5000u
#define THIRD_S    (IDENTITY_DAYS * INT64_C(86400) / 3)
#define TEXT_MAX   16384u
#define OWN_COUNT  3u

/* --- the question --- */

static BIO *over(const char *text)
{
    BIO *bio = BIO_new_mem_buf(text, (int)strlen(text));
    INVARIANT(bio != NULL);
    return bio;
}

static X509 *certificate_in(const char *text)
{
    BIO *bio = over(text);
    X509 *certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    BIO_free(bio);
    return certificate;
}

static bool same_key(X509 *certificate, const char *request)
{
    BIO *bio = over(request);
    X509_REQ *parsed = PEM_read_bio_X509_REQ(bio, NULL, NULL, NULL);
    BIO_free(bio);
    bool same =
        parsed && EVP_PKEY_eq(X509_get0_pubkey(certificate), X509_REQ_get0_pubkey(parsed)) == 1;
    X509_REQ_free(parsed);
    return same;
}

static bool signed_by_us(const struct cell *cell, X509 *certificate)
{
    char path[HOME_PATH_MAX + 32];
    snprintf(path, sizeof path, "%s/ca.crt", cell->tls);
    FILE *file = fopen(path, "re");
    X509 *authority = file ? PEM_read_X509(file, NULL, NULL, NULL) : NULL;
    if (file)
        fclose(file);
    bool ours = authority && X509_verify(certificate, X509_get0_pubkey(authority)) == 1;
    X509_free(authority);
    return ours;
}

/* Whose certificate is to be renewed; false after the question was failed. */
static bool owner_of(struct ask *ask, const char *old, const char *request,
                     struct identity *identity)
{
    struct store_error error = {""};
    X509 *certificate = certificate_in(old);
    bool sound = certificate && signed_by_us(ask->cell, certificate) &&
                 identity_of(certificate, identity, &error) == OK && same_key(certificate, request);
    X509_free(certificate);
    if (!sound) {
        ask->cell->refused.rights++;
        ask_fail(ask, ERR_CERTIFICATE,
                 "That is not a certificate of this cell and a request by its owner.");
    } else if (serial_revoked(ask->cell, identity->serial)) {
        ask->cell->refused.rights++;
        ask_fail(ask, ERR_CERTIFICATE, "The certificate was revoked.");
        sound = false;
    }
    return sound;
}

struct renewing {
    struct edit edit;
    struct ask *ask;
    struct identity identity;
    char *certificate;
};

static enum err renew_make(struct edit *edit)
{
    certificate_issue(edit, &((struct renewing *)edit)->identity);
    return OK;
}

static void renewed(struct edit *edit, enum err err)
{
    struct renewing *renewing = (struct renewing *)edit;
    if (err == OK)
        ask_finish(renewing->ask,
                   json_pack("{s:b, s:s}", "ok", 1, "certificate", renewing->certificate));
    else
        ask_fail_registry(renewing->ask, err);
    free(renewing->certificate);
    free(renewing);
}

void request_renew(struct ask *ask)
{
    struct cell *cell = ask->cell;
    struct store_error error = {""};
    struct identity identity;
    uint32_t to = certificate_authority_node(cell);
    const char *request = ask_text(ask, "pem", TEXT_MAX);
    const char *old = request ? ask_text(ask, "certificate", TEXT_MAX) : NULL;
    if (!old)
        return;
    bool authority = certificate_authority(cell);
    if (!authority && to) {
        ask_forward(ask, to, FORWARD_MS);
        return;
    }
    if (!authority) {
        ask_fail(ask, ERR_UNREACHABLE, "No node that can sign certificates is in reach.");
        return;
    }
    if (!owner_of(ask, old, request, &identity))
        return;
    struct renewing *renewing = calloc(1, sizeof *renewing);
    INVARIANT(renewing != NULL);
    identity.serial = certificate_serial();
    identity.not_after = cell_wall(cell) / 1000000000 + IDENTITY_DAYS * INT64_C(86400);
    renewing->edit = (struct edit){.cell = cell, .make = renew_make, .done = renewed};
    renewing->ask = ask;
    renewing->identity = identity;
    enum err err = authority_sign(cell->tls, request, &identity, &renewing->certificate, &error);
    if (err == OK) {
        edit_begin(&renewing->edit);
        return;
    }
    free(renewing);
    ask_fail(ask, err, "%s", error.text);
}

/* --- this home's own --- */

struct own {
    struct cell *cell;
    const char *name;
};

static void took(void *ctx, enum err err, json_t *answer)
{
    struct own *own = ctx;
    struct cell *cell = own->cell;
    struct store_error error = {""};
    const char *certificate = json_string_value(json_object_get(answer, "certificate"));
    const char *why = json_string_value(json_object_get(answer, "error"));
    if (err == OK && certificate)
        err = identity_keep(cell->tls, own->name, certificate, &error);
    else if (err == OK)
        err = ERR_CERTIFICATE;
    if (err == OK && strcmp(own->name, "node") == 0)
        err = transport_renew(cell->transport, &error);
    if (err == OK)
        journal("the certificate %s.crt was renewed", own->name);
    else
        journal("the certificate %s.crt could not be renewed: %s", own->name,
                error.text[0] ? error.text
                : why         ? why
                              : err_text(err));
    free(own);
}

static char *text_of(const char *path)
{
    char *text = calloc(1, TEXT_MAX + 1);
    FILE *file = fopen(path, "re");
    INVARIANT(text != NULL);
    size_t got = file ? fread(text, 1, TEXT_MAX, file) : 0;
    if (file)
        fclose(file);
    text[got] = '\0';
    return text;
}

static void renew_own(struct cell *cell, const char *name, const char *path)
{
    struct store_error error = {""};
    char *request = NULL, *old = text_of(path);
    uint32_t to = certificate_authority(cell) ? cell->file.node : certificate_authority_node(cell);
    if (!to) {
        journal("the certificate %s.crt should be renewed; no node that can sign is in reach",
                name);
    } else if (identity_request(cell->tls, name, &request, &error) != OK) {
        journal("the certificate %s.crt cannot be renewed: %s", name, error.text);
    } else {
        struct own *own = calloc(1, sizeof *own);
        INVARIANT(own != NULL);
        *own = (struct own){cell, name};
        call_node(cell, to,
                  &(struct call_options){.json = json_pack("{s:s, s:s, s:s}", "request", "renew",
                                                           "pem", request, "certificate", old),
                                         .timeout_ms = FORWARD_MS,
                                         .done = took,
                                         .ctx = own});
    }
    free(request);
    free(old);
}

void renewal_tick(struct cell *cell)
{
    static const char *const names[OWN_COUNT] = {"node", "client", "admin"};
    for (uint32_t i = 0; i < OWN_COUNT; i++) {
        char path[HOME_PATH_MAX + 32];
        struct identity identity;
        struct store_error error = {""};
        snprintf(path, sizeof path, "%s/%s.crt", cell->tls, names[i]);
        if (identity_load(path, &identity, &error) != OK)
            continue;
        if (i == 0)
            cell->not_after = identity.not_after;
        if (identity.not_after - cell_wall(cell) / 1000000000 < THIRD_S)
            renew_own(cell, names[i], path);
    }
}
