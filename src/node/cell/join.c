/* SPDX-License-Identifier: MIT
 *
 * join.c: a machine joins a cell: it makes its keys, shows the invitation's secret to a node that
 * it knows by the authority's fingerprint, and keeps what it is given.
 *
 * Keys are made once and the requests for them kept beside: a call that is repeated asks for the
 * very same, and is given it again (enrol.c).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/assert.h"
#include "core/registry/invitation.h"
#include "io/tls/transport.h"
#include "node/cell/setup_private.h"

#define TIMEOUT_MS  10000u
#define REQUEST_MAX IDENTITY_REQUEST_MAX

struct joining {
    struct setup setup;
    struct invitation invitation;
    struct cell_file *file;
    const char *names[2]; /* of the certificates that the role gets */
    unsigned name_count;
    uint32_t timeout_ms;
};

/* --- the requests, the same each time --- */

static char *kept_request(const char *path)
{
    char *text = calloc(1, REQUEST_MAX + 1);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    INVARIANT(text != NULL);
    ssize_t got = fd >= 0 ? read(fd, text, REQUEST_MAX) : -1;
    if (fd >= 0)
        close(fd);
    if (got > 0)
        return text;
    free(text);
    return NULL;
}

static enum err keep_request(const char *path, const char *text, struct store_error *error)
{
    char fresh[HOME_PATH_MAX + 64];
    snprintf(fresh, sizeof fresh, "%s.new", path);
    int fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    size_t len = strlen(text);
    bool written = fd >= 0 && write(fd, text, len) == (ssize_t)len && fsync(fd) == 0;
    int number = errno;
    if (fd >= 0)
        close(fd);
    if (written && rename(fresh, path) == 0)
        return OK;
    return setup_refuse(error, err_from_errno(number), "cannot write %.300s: %s.", path,
                        strerror(number));
}

static enum err request_of(struct joining *joining, const char *name, json_t *into,
                           struct store_error *error)
{
    char path[HOME_PATH_MAX + 32];
    enum err err = OK;
    snprintf(path, sizeof path, "%s/%s.csr", joining->setup.tls, name);
    char *request = kept_request(path);
    if (!request)
        err = identity_request(joining->setup.tls, name, &request, error);
    if (err == OK)
        err = keep_request(path, request, error);
    if (err == OK)
        json_object_set_new(into, name, json_string(request));
    free(request);
    return err;
}

/* --- the question --- */

static enum err call_cell(struct joining *joining, json_t *question, json_t **answer,
                          struct store_error *error)
{
    const char *addresses[INVITATION_ADDRESSES + 1] = {NULL};
    char *text = json_dumps(question, JSON_COMPACT), *line = NULL;
    INVARIANT(text != NULL);
    for (uint32_t i = 0; i < joining->invitation.address_count; i++)
        addresses[i] = joining->invitation.addresses[i];
    struct transport_call call = {.dir = joining->setup.tls,
                                  .fingerprint = joining->invitation.fingerprint,
                                  .addresses = addresses,
                                  .text = text,
                                  .timeout_ms = joining->timeout_ms};
    enum err err = transport_call(&call, &line, error);
    free(text);
    *answer = err == OK ? json_loads(line, 0, NULL) : NULL;
    free(line);
    if (err == OK && !json_is_object(*answer))
        err = setup_refuse(error, ERR_DECODE, "the node's answer is not understood.");
    return err;
}

static enum err code_of(const char *name)
{
    for (int code = OK + 1; name && code < ERR_COUNT; code++)
        if (strcmp(err_name((enum err)code), name) == 0)
            return (enum err)code;
    return ERR_PERM;
}

static enum err ask(struct joining *joining, json_t **answer, struct store_error *error)
{
    char secret[33];
    json_t *requests = json_object();
    enum err err = OK;
    for (unsigned i = 0; i < joining->name_count && err == OK; i++)
        err = request_of(joining, joining->names[i], requests, error);
    record_uuid_print(joining->invitation.secret, secret);
    json_t *question =
        json_pack("{s:s, s:s, s:s, s:s, s:s, s:o}", "request", "enrol", "secret", secret, "role",
                  cell_role_name(joining->invitation.role), "name", joining->file->self, "address",
                  joining->file->listen, "requests", requests);
    if (err == OK)
        err = call_cell(joining, question, answer, error);
    json_decref(question);
    if (err != OK || json_is_true(json_object_get(*answer, "ok")))
        return err;
    const char *why = json_string_value(json_object_get(*answer, "error"));
    const char *code = json_string_value(json_object_get(*answer, "code"));
    return setup_refuse(error, code_of(code), "%s", why ? why : "the cell refused.");
}

/* --- what was given --- */

static enum err keep_certificates(struct joining *joining, const json_t *answer,
                                  struct store_error *error)
{
    const char *tls = joining->setup.tls;
    const json_t *certificates = json_object_get(answer, "certificates");
    const char *ca = json_string_value(json_object_get(answer, "ca"));
    uint8_t fingerprint[32];
    char path[HOME_PATH_MAX + 32];
    if (!ca)
        return setup_refuse(error, ERR_DECODE, "the node's answer has no authority.");
    enum err err =
        authority_keep(tls, ca, json_string_value(json_object_get(answer, "ca_key")), error);
    snprintf(path, sizeof path, "%s/ca.crt", tls);
    if (err == OK)
        err = authority_fingerprint(path, fingerprint, error);
    if (err == OK && memcmp(fingerprint, joining->invitation.fingerprint, sizeof fingerprint) != 0)
        err = setup_refuse(error, ERR_CERTIFICATE,
                           "the node sent another authority than the one of the code.");
    for (unsigned i = 0; i < joining->name_count && err == OK; i++) {
        const char *certificate =
            json_string_value(json_object_get(certificates, joining->names[i]));
        err = certificate
                  ? identity_keep(tls, joining->names[i], certificate, error)
                  : setup_refuse(error, ERR_DECODE, "the node's answer lacks the certificate %s.",
                                 joining->names[i]);
    }
    return err;
}

static enum err take_answer(struct joining *joining, const json_t *answer,
                            struct store_error *error)
{
    struct cell_file *file = joining->file;
    const json_t *cell = json_object_get(answer, "cell");
    const char *uuid = json_string_value(json_object_get(cell, "uuid"));
    const char *name = json_string_value(json_object_get(cell, "name"));
    json_int_t number = json_integer_value(json_object_get(answer, "number"));
    bool node = joining->invitation.role == ROLE_NODE;
    if (!uuid || !record_uuid(uuid, file->uuid) || !name || !record_name_sound(name) ||
        number < 0 || number > IDENTITY_NODE_MAX || (number > 0) != node ||
        !cell_nodes_read(json_object_get(answer, "nodes"), file) ||
        !cell_registry_read(json_object_get(answer, "registry"), file))
        return setup_refuse(error, ERR_DECODE, "the node's answer is not understood.");
    snprintf(file->name, sizeof file->name, "%s", name);
    file->node = (uint32_t)number;
    file->client_port = file->peer_port = 0; /* this machine's are chosen when it needs them */
    struct cell_place self = {.number = file->node};
    memcpy(self.name, file->self, sizeof self.name);
    memcpy(self.address, file->listen, sizeof self.address);
    if (node && cell_file_place(file, &self) != OK)
        return setup_refuse(error, ERR_LIMIT, "the cell has too many nodes for this version.");
    return OK;
}

static void forget_requests(const struct joining *joining)
{
    for (unsigned i = 0; i < joining->name_count; i++) {
        char path[HOME_PATH_MAX + 32];
        snprintf(path, sizeof path, "%s/%s.csr", joining->setup.tls, joining->names[i]);
        unlink(path);
    }
}

/* --- join --- */

static enum err describe(const struct setup_join *options, struct joining *joining,
                         struct store_error *error)
{
    struct cell_file *file = joining->file;
    struct invitation_fault fault = {""};
    struct bytes code = {(const uint8_t *)options->code, strlen(options->code)};
    if (invitation_parse(code, &joining->invitation, &fault) != OK)
        return setup_refuse(error, ERR_DECODE, "%s.", fault.text);
    enum node_role role = file->role = joining->invitation.role;
    if (role == ROLE_NODE && !options->listen)
        return setup_refuse(error, ERR_USAGE,
                            "the code is for a node, which has to say where others reach it: "
                            "--listen HOST:PORT");
    if (role != ROLE_NODE && options->listen)
        return setup_refuse(error, ERR_USAGE,
                            "the code is for a %s, which listens nowhere: leave --listen away.",
                            cell_role_name(role));
    if (role == ROLE_NODE)
        joining->names[joining->name_count++] = "node";
    joining->names[joining->name_count++] = role == ROLE_ADMINISTRATOR ? "admin" : "client";
    joining->timeout_ms = options->timeout_ms ? options->timeout_ms : TIMEOUT_MS;
    enum err err = role == ROLE_NODE ? setup_address(options->listen, file->listen, error) : OK;
    return err == OK ? setup_name(options->name, file->self, error) : err;
}

/* Did the cell see the secret? Then what was made must stay, for another try. */
static bool may_have_joined(enum err err)
{
    return err == OK || err == ERR_TIMEOUT || err == ERR_IO || err == ERR_NOSPC ||
           err == ERR_DECODE;
}

static enum err run(const struct setup_join *options, struct joining *joining,
                    struct store_error *error)
{
    char words[2 * RECORD_ADDR_MAX + INVITATION_TEXT_MAX];
    json_t *answer = NULL;
    snprintf(words, sizeof words, "%s %s %s", options->code, joining->file->listen,
             joining->file->self);
    enum err err = setup_begin(&joining->setup, options->home, words, error);
    if (err != OK)
        return err;
    /* before the invitation is used up, and a node is registered that cannot run */
    if (joining->invitation.role == ROLE_NODE)
        err = transport_can_listen(joining->file->listen, error);
    if (err == OK)
        err = ask(joining, &answer, error);
    else
        err = err == ERR_IO ? ERR_UNREACHABLE : err; /* nothing was asked */
    bool nothing = !may_have_joined(err) && !joining->setup.again;
    if (err == OK)
        err = keep_certificates(joining, answer, error);
    if (err == OK)
        err = take_answer(joining, answer, error);
    if (err == OK)
        err = setup_end(&joining->setup, joining->file, error);
    if (err == OK)
        forget_requests(joining);
    json_decref(answer);
    setup_leave(&joining->setup, err != OK && nothing);
    return err;
}

enum err setup_join(const struct setup_join *options, struct setup_made *made,
                    struct store_error *error)
{
    struct joining joining = {.name_count = 0};
    joining.file = calloc(1, sizeof *joining.file);
    INVARIANT(joining.file != NULL);
    memset(made, 0, sizeof *made);
    enum err err = describe(options, &joining, error);
    if (err == OK)
        err = run(options, &joining, error);
    if (err == OK)
        error->text[0] = '\0';
    made->role = joining.file->role;
    made->node = joining.file->node;
    memcpy(made->cell, joining.file->name, sizeof made->cell);
    memcpy(made->name, joining.file->self, sizeof made->name);
    memcpy(made->listen, joining.file->listen, sizeof made->listen);
    memcpy(made->fingerprint, joining.invitation.fingerprint, sizeof made->fingerprint);
    free(joining.file);
    return err;
}
