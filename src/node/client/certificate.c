/* SPDX-License-Identifier: MIT
 *
 * certificate.c: the certificate of this machine's agents: which, whether it is good, and its
 * renewal.
 *
 * On a machine that is a node, the node renews it; elsewhere a mount does, when a third of its time
 * is left. Both write the file, which is read anew when it has changed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/base/assert.h"
#include "node/client/client_private.h"

#define THIRD_S  (IDENTITY_DAYS * INT64_C(86400) / 3)
#define CHECK_NS (UINT64_C(30) * 1000000000u)   /* between two looks at the file */
#define RENEW_NS (UINT64_C(3600) * 1000000000u) /* between two tries */
#define RENEW_MS 10000u
#define TEXT_MAX 16384u

static void print_path(const struct mounting *mounting, const char *name, char *buf, size_t size)
{
    snprintf(buf, size, "%s/%s.crt", mounting->tls, name);
}

/* When its file was changed; 0: it is not there. */
static int64_t changed_at(const struct mounting *mounting)
{
    char path[HOME_PATH_MAX + 32];
    struct stat st;
    print_path(mounting, mounting->certificate, path, sizeof path);
    return stat(path, &st) == 0 ? st.st_mtim.tv_sec * INT64_C(1000000000) + st.st_mtim.tv_nsec : 0;
}

static enum err expired(struct mounting *mounting, const char *path, int64_t not_after)
{
    time_t until = (time_t)not_after;
    char when[32];
    struct tm utc;
    gmtime_r(&until, &utc);
    strftime(when, sizeof when, "%Y-%m-%d", &utc);
    snprintf(mounting->error.text, sizeof mounting->error.text,
             "the certificate %.300s has expired on %s. Join the cell anew with a code of: pactfs "
             "invite --client",
             path, when);
    return ERR_CERTIFICATE;
}

enum err certificate_choose(struct mounting *mounting)
{
    static const char *const names[] = {"client", "admin"};
    char path[HOME_PATH_MAX + 32];
    struct identity identity;
    snprintf(mounting->tls, sizeof mounting->tls, "%s/tls", mounting->options->home);
    for (size_t i = 0; i < 2 && !mounting->certificate; i++) {
        print_path(mounting, names[i], path, sizeof path);
        if (access(path, F_OK) == 0)
            mounting->certificate = names[i];
    }
    if (!mounting->certificate) {
        snprintf(mounting->error.text, sizeof mounting->error.text,
                 "there is no client's certificate in %.300s. Join the cell with a code of: pactfs "
                 "invite --client",
                 mounting->tls);
        return ERR_CERTIFICATE;
    }
    enum err err = identity_load(path, &identity, &mounting->error);
    if (err == OK && identity.not_after <= (int64_t)time(NULL))
        err = expired(mounting, path, identity.not_after);
    mounting->certificate_read = changed_at(mounting);
    return err;
}

/* --- renewal --- */

static void renewed(struct mounting *mounting, const json_t *answer)
{
    struct store_error error = {"no node answered."};
    const char *certificate = json_string_value(json_object_get(answer, "certificate"));
    const char *why = json_string_value(json_object_get(answer, "error"));
    if (why)
        snprintf(error.text, sizeof error.text, "%s", why);
    if (!certificate ||
        identity_keep(mounting->tls, mounting->certificate, certificate, &error) != OK)
        journal("the certificate could not be renewed: %s", error.text);
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

static void renew(struct mounting *mounting)
{
    char path[HOME_PATH_MAX + 32], *request = NULL;
    struct identity identity;
    struct store_error error = {""};
    print_path(mounting, mounting->certificate, path, sizeof path);
    if (identity_load(path, &identity, &error) != OK ||
        identity.not_after - (int64_t)time(NULL) >= THIRD_S)
        return;
    if (identity_request(mounting->tls, mounting->certificate, &request, &error) != OK) {
        journal("the certificate cannot be renewed: %s", error.text);
        return;
    }
    char *old = text_of(path);
    find_ask(mounting,
             json_pack("{s:s, s:s, s:s}", "request", "renew", "pem", request, "certificate", old),
             RENEW_MS, renewed);
    free(request);
    free(old);
}

void certificate_tick(struct mounting *mounting, uint64_t now)
{
    struct store_error error = {""};
    bool idle = !mounting->question.text;
    if (idle && mounting->file->node == 0 && now >= mounting->renew_ns) {
        mounting->renew_ns = now + RENEW_NS;
        renew(mounting);
    }
    if (now < mounting->check_ns)
        return;
    mounting->check_ns = now + CHECK_NS;
    int64_t changed = changed_at(mounting);
    if (changed == 0 || changed == mounting->certificate_read)
        return;
    mounting->certificate_read = changed;
    if (transport_renew(mounting->transport, &error) == OK)
        journal("the certificate is another: connections show it from now on");
    else
        journal("%s", error.text);
}
