/* SPDX-License-Identifier: MIT
 *
 * enrol.c: what is given for an invitation.
 *
 * It is used up in the same change that puts the new machine into the cell, and what was
 * given for it is kept there until it expires: the same machine (the same keys) may ask again when
 * the answer got lost, and is given the same.
 */
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/registry/invitation.h"
#include "node/cell/certificates.h"
#include "node/cell/keeper.h"
#include "node/cell/requests.h"

#define ENROL_TRIES     8u
#define FORWARD_MS      30000u /* the registry may grow meanwhile */
#define CERTIFICATE_MAX (16u << 10)

/* --- enrol --- */

#define ENROL_READS 3u

struct enrolling {
    struct edit edit;
    struct ask *ask;
    struct registry_read read;
    uint32_t reads, tries;
    char hash[65], digest[65], keys[ENROL_READS][REGISTRY_KEY_MAX + 1];
    uint64_t revisions[ENROL_READS];
    struct record_invite invite;
    uint64_t next;
    json_t *given; /* to this invitation before, or now */
    struct identity identities[2];
    uint32_t identity_count;
    uint32_t number;
    bool shared; /* other nodes can use the registry */
};

enum { READ_INVITE, READ_GIVEN, READ_NEXT };

static void look(struct enrolling *e);
static void shared(void *ctx, enum err err, const struct store_error *error);

static void end(struct enrolling *e)
{
    json_decref(e->given);
    free(e);
}

#define REFUSE(e, code, ...)                   \
    do {                                       \
        ask_fail((e)->ask, code, __VA_ARGS__); \
        end(e);                                \
    } while (0)

static char *file_text(const struct cell *cell, const char *name)
{
    char path[HOME_PATH_MAX + 32];
    snprintf(path, sizeof path, "%s/%s", cell->tls, name);
    char *text = calloc(1, CERTIFICATE_MAX);
    FILE *file = fopen(path, "re");
    INVARIANT(text != NULL);
    size_t got = file ? fread(text, 1, CERTIFICATE_MAX - 1, file) : 0;
    if (file)
        fclose(file);
    text[got] = '\0';
    return text;
}

/* What is the same whenever it is asked for (e->given), and what is true now. */
static void answer(struct enrolling *e)
{
    struct cell *cell = e->ask->cell;
    char uuid[33];
    json_t *json = json_deep_copy(json_object_get(e->given, "answer"));
    char *ca = file_text(cell, "ca.crt"), *key = file_text(cell, "ca.key");
    json_int_t number = json_integer_value(json_object_get(json, "number"));
    record_uuid_print(cell->file.uuid, uuid);
    json_object_set_new(json, "ok", json_true());
    json_object_set_new(json, "ca", json_string(ca));
    json_object_set_new(json, "cell",
                        json_pack("{s:s, s:s}", "uuid", uuid, "name", cell->file.name));
    json_object_set_new(json, "nodes", cell_nodes_json(&cell->file));
    json_object_set_new(json, "registry", cell_registry_json(&cell->file));
    if (number > 0 && number <= (json_int_t)CELL_FIRST_KEYS)
        json_object_set_new(json, "ca_key", json_string(key));
    OPENSSL_cleanse(key, strlen(key));
    free(key);
    free(ca);
    ask_finish(e->ask, json);
    end(e);
}

/* --- signing --- */

static struct identity identity_for(struct enrolling *e, enum node_role role)
{
    struct cell *cell = e->ask->cell;
    struct identity identity = {.role = role,
                                .uid = role == ROLE_CLIENT ? e->invite.uid : IDENTITY_UID_ANY,
                                .serial = certificate_serial()};
    const char *name = json_string_value(json_object_get(e->ask->json, "name"));
    const char *address = json_string_value(json_object_get(e->ask->json, "address"));
    memcpy(identity.cell, cell->file.uuid, sizeof identity.cell);
    snprintf(identity.name, sizeof identity.name, "%s", name);
    if (role == ROLE_NODE && address) {
        identity.node = e->number;
        cell_address_host(address, identity.host);
    }
    identity.not_after = cell_wall(cell) / 1000000000 + IDENTITY_DAYS * INT64_C(86400);
    return identity;
}

static bool sign(struct enrolling *e, enum node_role role, const char *file, json_t *into)
{
    struct store_error error = {""};
    char *certificate = NULL;
    const char *request =
        json_string_value(json_object_get(json_object_get(e->ask->json, "requests"), file));
    struct identity identity = identity_for(e, role);
    enum err err = request
                       ? authority_sign(e->ask->cell->tls, request, &identity, &certificate, &error)
                       : ERR_USAGE;
    if (err != OK) {
        REFUSE(e, err, "The certificate was not signed: %s",
               error.text[0] ? error.text : "there is no request for it.");
        return false;
    }
    e->identities[e->identity_count++] = identity;
    json_object_set_new(into, file, json_string(certificate));
    free(certificate);
    return true;
}

/* A node gets two: one as a node, one for the mounts on its machine. */
static bool sign_all(struct enrolling *e)
{
    json_t *certificates = json_object();
    bool signed_all = true;
    e->identity_count = 0;
    if (e->invite.role == ROLE_NODE)
        signed_all = sign(e, ROLE_NODE, "node", certificates);
    if (signed_all && e->invite.role != ROLE_ADMINISTRATOR)
        signed_all = sign(e, ROLE_CLIENT, "client", certificates);
    if (signed_all && e->invite.role == ROLE_ADMINISTRATOR)
        signed_all = sign(e, ROLE_ADMINISTRATOR, "admin", certificates);
    if (!signed_all) {
        json_decref(certificates);
        return false;
    }
    json_decref(e->given);
    e->given =
        json_pack("{s:s, s:I, s:{s:o, s:I, s:I}}", "digest", e->digest, "until",
                  (json_int_t)(e->invite.expires / 1000000000), "answer", "certificates",
                  certificates, "number", (json_int_t)e->number, "uid", (json_int_t)e->invite.uid);
    return true;
}

/* --- the change --- */

static void put_node(struct enrolling *e)
{
    struct edit *edit = &e->edit;
    char key[REGISTRY_KEY_MAX + 1], text[24];
    struct record_node node = {
        .number = e->number, .wire_version = WIRE_OLDEST, .joined = cell_wall(edit->cell)};
    snprintf(node.name, sizeof node.name, "%s", e->identities[0].name);
    snprintf(node.address, sizeof node.address, "%s",
             json_string_value(json_object_get(e->ask->json, "address")));
    record_key_number(key, "node", e->number);
    edit_expect(edit, key, 0);
    edit_put(edit, key, record_encode_node(&node, &edit->arena));
    int len = snprintf(text, sizeof text, "%u", e->number + 1);
    edit_expect(edit, e->keys[READ_NEXT], e->revisions[READ_NEXT]);
    edit_put(edit, e->keys[READ_NEXT],
             (struct bytes){arena_copy(&edit->arena, text, (size_t)len), (size_t)len});
}

static enum err enrol_make(struct edit *edit)
{
    struct enrolling *e = (struct enrolling *)edit;
    if (e->tries++ % 2 == 1)
        return ERR_CONFLICT; /* somebody came first: everything is read anew */
    struct record_invite invite = e->invite;
    char *text = json_dumps(e->given, JSON_COMPACT);
    INVARIANT(text != NULL);
    invite.used = true;
    edit_expect(edit, e->keys[READ_INVITE], e->revisions[READ_INVITE]);
    edit_expect(edit, e->keys[READ_GIVEN], 0);
    edit_put(edit, e->keys[READ_INVITE], record_encode_invite(&invite, &edit->arena));
    edit_put(edit, e->keys[READ_GIVEN],
             (struct bytes){arena_copy(&edit->arena, text, strlen(text)), strlen(text)});
    free(text);
    for (uint32_t i = 0; i < e->identity_count; i++)
        certificate_issue(edit, &e->identities[i]);
    if (e->invite.role == ROLE_NODE)
        put_node(e);
    return OK;
}

static void enrolled(struct edit *edit, enum err err)
{
    struct enrolling *e = (struct enrolling *)edit;
    if (err == OK) {
        journal("%s '%s' joined", cell_role_name((enum node_role)e->invite.role),
                e->identities[0].name);
        answer(e);
    } else if (err == ERR_CONFLICT && e->tries < 2 * ENROL_TRIES) {
        look(e);
    } else {
        ask_fail_registry(e->ask, err);
        end(e);
    }
}

/* --- what is asked for, against the invitation --- */

static bool sound(struct enrolling *e)
{
    struct cell *cell = e->ask->cell;
    const char *name = json_string_value(json_object_get(e->ask->json, "name"));
    const char *address = json_string_value(json_object_get(e->ask->json, "address"));
    if (!name || !record_name_sound(name)) {
        REFUSE(e, ERR_USAGE, "The machine needs a name: letters, digits, '-', '_' and '.'.");
        return false;
    }
    if (e->invite.role != ROLE_NODE)
        return true;
    if (!address || !invitation_address_sound(address)) {
        REFUSE(e, ERR_USAGE, "A node has to say where it listens: --listen HOST:PORT.");
        return false;
    }
    struct cell_node *other = member_named(cell, name);
    if (other) {
        REFUSE(e, ERR_EXIST, "There is a node '%s' already (%s); choose another with --name.", name,
               other->record.address);
        return false;
    }
    return true;
}

static void decide(struct enrolling *e)
{
    struct cell *cell = e->ask->cell;
    const char *role = json_string_value(json_object_get(e->ask->json, "role"));
    const char *digest = json_string_value(json_object_get(e->given, "digest"));
    if (!e->revisions[READ_INVITE] || e->invite.expires < cell_wall(cell)) {
        REFUSE(e, ERR_PERM,
               "The invitation is not known here, or has expired. Ask for another: "
               "pactfs invite");
    } else if (digest && strcmp(digest, e->digest) == 0) {
        answer(e);
    } else if (e->invite.used || e->given) {
        REFUSE(e, ERR_PERM,
               "The invitation was used already, and is good for one machine. Ask "
               "for another: pactfs invite");
    } else if (!role || cell_role(role) != (enum node_role)e->invite.role) {
        REFUSE(e, ERR_PERM, "The invitation is for a %s.",
               cell_role_name((enum node_role)e->invite.role));
    } else if (e->next >= CELL_NODES_MAX && e->invite.role == ROLE_NODE &&
               cell->node_count >= CELL_NODES_MAX) {
        REFUSE(e, ERR_LIMIT, "The cell has %u nodes, the most of this version.", CELL_NODES_MAX);
    } else if (e->invite.role == ROLE_NODE && !e->shared) {
        keeper_share(cell, shared, e);
    } else if (sound(e)) {
        e->number = e->invite.role == ROLE_NODE ? (uint32_t)e->next : 0;
        if (sign_all(e))
            edit_begin(&e->edit);
    }
}

/* --- reading --- */

static void took(struct registry_read *read)
{
    struct enrolling *e = read->ctx;
    uint32_t which = e->reads++;
    if (read->err != OK) {
        ask_fail_registry(e->ask, ERR_REGISTRY);
        end(e);
        return;
    }
    e->revisions[which] = read->count ? read->items[0].revision : 0;
    struct bytes value = read->count ? read->items[0].value : (struct bytes){NULL, 0};
    if (which == READ_INVITE && read->count && record_decode_invite(value, &e->invite) != OK)
        e->revisions[which] = 0;
    if (which == READ_GIVEN && read->count)
        e->given = json_loadb((const char *)value.data, value.len, 0, NULL);
    if (which == READ_NEXT && read->count && value.len < 16) {
        char digits[17] = "";
        memcpy(digits, value.data, value.len);
        e->next = strtoull(digits, NULL, 10);
    }
    if (e->reads < ENROL_READS)
        look(e);
    else
        decide(e);
}

static void look(struct enrolling *e)
{
    struct registry *registry = e->ask->cell->registry;
    if (!registry) {
        REFUSE(e, ERR_BUSY, "PactFS is stopping.");
        return;
    }
    if (e->reads == ENROL_READS)
        e->reads = 0;
    if (e->reads == 0) {
        json_decref(e->given);
        e->given = NULL;
    }
    e->read = (struct registry_read){.key = e->keys[e->reads], .done = took, .ctx = e};
    registry->ops->read(registry, &e->read);
}

static void shared(void *ctx, enum err err, const struct store_error *error)
{
    struct enrolling *e = ctx;
    e->shared = true;
    if (err == OK)
        look(e);
    else
        REFUSE(e, err, "The registry cannot be shared with another node yet: %s", error->text);
}

static bool secret_of(const struct ask *ask, uint8_t secret[INVITATION_SECRET])
{
    const char *text = json_string_value(json_object_get(ask->json, "secret"));
    return text && record_uuid(text, secret);
}

void request_enrol(struct ask *ask)
{
    struct cell *cell = ask->cell;
    uint8_t secret[INVITATION_SECRET];
    uint32_t to = certificate_authority_node(cell);
    if (!secret_of(ask, secret)) {
        ask_fail(ask, ERR_USAGE, "The request has no 'secret'.");
        return;
    }
    if (!certificate_authority(cell)) {
        if (to)
            ask_forward(ask, to, FORWARD_MS);
        else
            ask_fail(ask, ERR_UNREACHABLE,
                     "No node that holds the key of the cell's authority (the first three) runs.");
        return;
    }
    struct enrolling *e = calloc(1, sizeof *e);
    INVARIANT(e != NULL);
    char *requests = json_dumps(json_object_get(ask->json, "requests"), JSON_SORT_KEYS);
    e->edit = (struct edit){.cell = cell, .make = enrol_make, .done = enrolled};
    e->ask = ask;
    e->next = 1;
    certificate_digest(requests ? requests : "", requests ? strlen(requests) : 0, e->digest);
    free(requests);
    certificate_digest(secret, sizeof secret, e->hash);
    record_key_text(e->keys[READ_INVITE], "invite", e->hash);
    record_key_text(e->keys[READ_GIVEN], "given", e->hash);
    record_key_text(e->keys[READ_NEXT], "next", "node");
    look(e);
}
