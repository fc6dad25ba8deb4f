/* SPDX-License-Identifier: MIT
 *
 * invite.c: invitations. An invitation is a secret that is in nobody's hands but the invited one's:
 * the registry has its hash. What is given for it is in enrol.c.
 */
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "core/registry/invitation.h"
#include "node/cell/certificates.h"
#include "node/cell/requests.h"
#include "node/cell/users.h"

#define MINUTES      30
#define MINUTES_MOST (7 * 24 * 60)

void certificate_digest(const void *data, size_t len, char out[65])
{
    uint8_t digest[32];
    INVARIANT(EVP_Digest(data, len, digest, NULL, EVP_sha256(), NULL) == 1);
    for (size_t i = 0; i < sizeof digest; i++)
        snprintf(out + 2 * i, 3, "%02x", digest[i]);
}

struct inviting {
    struct edit edit;
    struct env_job job;
    struct ask *ask;
    struct record_invite record;
    uint8_t secret[INVITATION_SECRET];
    struct gate_user user;
};

static enum err invite_make(struct edit *edit)
{
    struct inviting *inviting = (struct inviting *)edit;
    char key[REGISTRY_KEY_MAX + 1], hash[65];
    certificate_digest(inviting->secret, sizeof inviting->secret, hash);
    record_key_text(key, "invite", hash);
    edit_expect(edit, key, 0);
    edit_put(edit, key, record_encode_invite(&inviting->record, &edit->arena));
    if (inviting->record.uid >= 0) {
        char *text = user_text(&inviting->user);
        edit_put(edit, record_key_number(key, "user", (uint64_t)inviting->record.uid),
                 (struct bytes){arena_copy(&edit->arena, text, strlen(text)), strlen(text)});
        free(text);
    }
    return OK;
}

/* This node first, then others that run. */
static void add_addresses(const struct cell *cell, struct invitation *invitation)
{
    snprintf(invitation->addresses[invitation->address_count++], RECORD_ADDR_MAX, "%s",
             cell->file.listen);
    for (uint32_t i = 0; i < cell->node_count; i++) {
        const struct record_node *node = &cell->nodes[i].record;
        if (invitation->address_count < INVITATION_ADDRESSES && node->number != cell->file.node &&
            member_alive(cell, node->number) && invitation_address_sound(node->address))
            snprintf(invitation->addresses[invitation->address_count++], RECORD_ADDR_MAX, "%s",
                     node->address);
    }
}

static void invited(struct edit *edit, enum err err)
{
    struct inviting *inviting = (struct inviting *)edit;
    struct cell *cell = edit->cell;
    struct invitation invitation = {.role = (enum node_role)inviting->record.role};
    struct store_error error = {""};
    char path[HOME_PATH_MAX + 32], code[INVITATION_TEXT_MAX];
    snprintf(path, sizeof path, "%s/ca.crt", cell->tls);
    memcpy(invitation.secret, inviting->secret, sizeof invitation.secret);
    add_addresses(cell, &invitation);
    if (err != OK) {
        ask_fail_registry(inviting->ask, err);
    } else if ((err = authority_fingerprint(path, invitation.fingerprint, &error)) != OK) {
        ask_fail(inviting->ask, err, "%s", error.text);
    } else {
        invitation_print(&invitation, code);
        ask_finish(inviting->ask, json_pack("{s:b, s:s, s:I}", "ok", 1, "code", code, "expires",
                                            (json_int_t)(inviting->record.expires / 1000000000)));
    }
    free(inviting);
}

/* What the system says of a user may take its time: on a worker. */
static void look_up(struct env_job *job)
{
    struct inviting *inviting = (struct inviting *)((char *)job - offsetof(struct inviting, job));
    user_look_up((uint32_t)inviting->record.uid, &inviting->user);
}

static void looked_up(struct env_job *job)
{
    struct inviting *inviting = (struct inviting *)((char *)job - offsetof(struct inviting, job));
    edit_begin(&inviting->edit);
}

/* A whole number of the request, or what it is without; false: it is no number in that range. */
static bool number_of(const struct ask *ask, const char *name, json_int_t most, json_int_t *out)
{
    const json_t *value = json_object_get(ask->json, name);
    if (!value || json_is_null(value))
        return true;
    *out = json_integer_value(value);
    return json_is_integer(value) && *out >= -1 && *out <= most;
}

void request_invite(struct ask *ask)
{
    struct cell *cell = ask->cell;
    json_int_t minutes = MINUTES, uid = IDENTITY_UID_ANY;
    const char *name = json_string_value(json_object_get(ask->json, "role"));
    enum node_role role = cell_role(name ? name : "node");
    if (!role || !number_of(ask, "minutes", MINUTES_MOST, &minutes) || minutes < 1 ||
        !number_of(ask, "uid", INT32_MAX, &uid) || (uid >= 0 && role != ROLE_CLIENT)) {
        ask_fail(ask, ERR_USAGE,
                 "An invitation is for a node, a client or an administrator, for 1 to %d minutes; "
                 "a client's may be bound to a user.",
                 MINUTES_MOST);
        return;
    }
    struct inviting *inviting = calloc(1, sizeof *inviting);
    INVARIANT(inviting != NULL &&
              getrandom(inviting->secret, sizeof inviting->secret, 0) == INVITATION_SECRET);
    inviting->edit = (struct edit){.cell = cell, .make = invite_make, .done = invited};
    inviting->ask = ask;
    inviting->record =
        (struct record_invite){.role = role,
                               .expires = cell_wall(cell) + minutes * INT64_C(60000000000),
                               .uid = (int32_t)uid};
    inviting->job = (struct env_job){.run = look_up, .done = looked_up};
    if (uid >= 0)
        cell->env->ops->submit(cell->env, &inviting->job);
    else
        edit_begin(&inviting->edit);
}
