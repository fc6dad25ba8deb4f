/* SPDX-License-Identifier: MIT
 *
 * certificates.c: see certificates.h; the questions about certificates.
 */
#include "node/cell/certificates.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "node/cell/requests.h"

#define TIDY_EVERY_NS (600000 * CELL_MS)

uint64_t certificate_serial(void)
{
    uint64_t serial = 0;
    while (serial == 0) {
        INVARIANT(getrandom(&serial, sizeof serial, 0) == sizeof serial);
        serial >>= 1;
    }
    return serial;
}

bool certificate_authority(const struct cell *cell)
{
    char path[HOME_PATH_MAX + 32];
    snprintf(path, sizeof path, "%s/ca.key", cell->tls);
    return access(path, R_OK) == 0;
}

uint32_t certificate_authority_node(const struct cell *cell)
{
    for (uint32_t i = 0; i < cell->node_count; i++) {
        uint32_t node = cell->nodes[i].record.number;
        if (node <= CELL_FIRST_KEYS && node != cell->file.node && member_alive(cell, node))
            return node;
    }
    return 0;
}

/* --- issued/SERIAL --- */

void certificate_issue(struct edit *edit, const struct identity *identity)
{
    char key[REGISTRY_KEY_MAX + 1];
    json_t *json =
        json_pack("{s:s, s:s, s:I, s:I, s:I}", "name", identity->name, "role",
                  cell_role_name(identity->role), "node", (json_int_t)identity->node, "uid",
                  (json_int_t)identity->uid, "not_after", (json_int_t)identity->not_after);
    char *text = json_dumps(json, JSON_COMPACT);
    INVARIANT(text != NULL);
    edit_put(edit, record_key_number(key, "issued", identity->serial),
             (struct bytes){arena_copy(&edit->arena, text, strlen(text)), strlen(text)});
    free(text);
    json_decref(json);
}

static uint64_t serial_in(const char *key)
{
    const char *slash = strrchr(key, '/');
    return slash ? strtoull(slash + 1, NULL, 10) : 0;
}

static json_t *issued_json(const struct registry_item *item)
{
    return json_loadb((const char *)item->value.data, item->value.len, 0, NULL);
}

static int64_t integer(const json_t *json, const char *name)
{
    return json_integer_value(json_object_get(json, name));
}

static void of_node_read(struct registry_read *read)
{
    struct certificate_list *list = read->ctx;
    for (size_t i = 0; read->err == OK && i < read->count; i++) {
        json_t *json = issued_json(&read->items[i]);
        if (integer(json, "node") == (int64_t)list->node)
            list->serials[list->count++ % CERTIFICATES_OF_NODE] = serial_in(read->items[i].key);
        json_decref(json);
    }
    if (list->count > CERTIFICATES_OF_NODE)
        list->count = CERTIFICATES_OF_NODE;
    list->done(list->ctx, read->err);
}

void certificates_of_node(struct cell *cell, struct certificate_list *list, uint32_t node,
                          void (*done)(void *ctx, enum err err), void *ctx)
{
    list->count = 0;
    list->node = node;
    list->done = done;
    list->ctx = ctx;
    list->read =
        (struct registry_read){.key = "issued/", .prefix = true, .done = of_node_read, .ctx = list};
    cell->registry->ops->read(cell->registry, &list->read);
}

/* --- certificates, revoke --- */

struct listing {
    struct registry_read read;
    struct ask *ask;
};

static void listed(struct registry_read *read)
{
    struct listing *listing = read->ctx;
    struct ask *ask = listing->ask;
    json_t *list = json_array();
    for (size_t i = 0; read->err == OK && i < read->count; i++) {
        char serial[24];
        json_t *json = issued_json(&read->items[i]);
        uint64_t number = serial_in(read->items[i].key);
        snprintf(serial, sizeof serial, "%llx", (unsigned long long)number);
        if (json_is_object(json)) {
            json_object_set_new(json, "serial", json_string(serial));
            json_object_set_new(json, "revoked", json_boolean(serial_revoked(ask->cell, number)));
            json_array_append(list, json);
        }
        json_decref(json);
    }
    if (read->err == OK) {
        ask_finish(ask, json_pack("{s:b, s:o}", "ok", 1, "certificates", list));
    } else {
        json_decref(list);
        ask_fail_registry(ask, read->err == ERR_TIMEOUT ? ERR_REGISTRY : read->err);
    }
    free(listing);
}

void request_certificates(struct ask *ask)
{
    struct registry *registry = ask->cell->registry;
    struct listing *listing = calloc(1, sizeof *listing);
    INVARIANT(listing != NULL);
    listing->ask = ask;
    listing->read =
        (struct registry_read){.key = "issued/", .prefix = true, .done = listed, .ctx = listing};
    registry->ops->read(registry, &listing->read);
}

struct revocation {
    struct edit edit;
    struct ask *ask;
    uint64_t serial;
};

static enum err revoke_make(struct edit *edit)
{
    char key[REGISTRY_KEY_MAX + 1];
    edit_put(edit, record_key_number(key, "revoked", ((struct revocation *)edit)->serial),
             (struct bytes){(const uint8_t *)"revoked", 7});
    return OK;
}

static void revoked(struct edit *edit, enum err err)
{
    struct revocation *revocation = (struct revocation *)edit;
    if (err == OK)
        ask_done(revocation->ask);
    else
        ask_fail_registry(revocation->ask, err);
    free(revocation);
}

void request_revoke(struct ask *ask)
{
    char *end;
    const char *text = ask_text(ask, "serial", 16);
    if (!text)
        return;
    uint64_t serial = strtoull(text, &end, 16);
    if (*end || serial == 0) {
        ask_fail(ask, ERR_USAGE,
                 "'%s' is not the serial of a certificate: up to 16 hexadecimal digits, as "
                 "'pactfs certificates' prints them.",
                 text);
        return;
    }
    struct revocation *revocation = calloc(1, sizeof *revocation);
    INVARIANT(revocation != NULL);
    revocation->edit = (struct edit){.cell = ask->cell, .make = revoke_make, .done = revoked};
    revocation->ask = ask;
    revocation->serial = serial;
    edit_begin(&revocation->edit);
}

/* --- what has expired --- */

struct tidying {
    struct edit edit;
    struct registry_read read;
    uint32_t step, count;
    char keys[EDIT_KEYS][REGISTRY_KEY_MAX + 1];
};

static const char *const tidied[] = {"issued/", "invite/", "given/"};
static void tidy_step(struct tidying *tidying);

static bool has_expired(const struct cell *cell, const struct registry_item *item)
{
    struct record_invite invite;
    int64_t now = cell_wall(cell);
    if (strncmp(item->key, "invite/", 7) == 0)
        return record_decode_invite(item->value, &invite) == OK && invite.expires < now;
    json_t *json = issued_json(item);
    int64_t until = integer(json, strncmp(item->key, "given/", 6) == 0 ? "until" : "not_after");
    json_decref(json);
    return until > 0 && until < now / 1000000000;
}

static enum err tidy_make(struct edit *edit)
{
    struct tidying *tidying = (struct tidying *)edit;
    for (uint32_t i = 0; i < tidying->count; i++)
        edit_delete(edit, tidying->keys[i]);
    return OK;
}

static void tidy_done(struct edit *edit, enum err err)
{
    (void)err;
    tidy_step((struct tidying *)edit);
}

static void tidy_read(struct registry_read *read)
{
    struct tidying *tidying = read->ctx;
    struct cell *cell = tidying->edit.cell;
    tidying->count = 0;
    for (size_t i = 0; read->err == OK && i < read->count && tidying->count + 1 < EDIT_KEYS; i++) {
        if (!has_expired(cell, &read->items[i]))
            continue;
        const char *key = read->items[i].key;
        snprintf(tidying->keys[tidying->count++], REGISTRY_KEY_MAX + 1, "%s", key);
        if (strncmp(key, "issued/", 7) == 0) /* an expired one is refused without being listed */
            record_key_number(tidying->keys[tidying->count++], "revoked", serial_in(key));
    }
    edit_begin(&tidying->edit);
}

static void tidy_step(struct tidying *tidying)
{
    struct cell *cell = tidying->edit.cell;
    if (tidying->step == sizeof tidied / sizeof *tidied || cell->stopping) {
        cell->tidying = false;
        free(tidying);
        return;
    }
    tidying->read = (struct registry_read){
        .key = tidied[tidying->step++], .prefix = true, .done = tidy_read, .ctx = tidying};
    cell->registry->ops->read(cell->registry, &tidying->read);
}

void certificates_tidy(struct cell *cell)
{
    if (cell->tidying || cell_now(cell) - cell->tidied_ns < TIDY_EVERY_NS)
        return;
    struct tidying *tidying = calloc(1, sizeof *tidying);
    INVARIANT(tidying != NULL);
    tidying->edit = (struct edit){.cell = cell, .make = tidy_make, .done = tidy_done};
    cell->tidied_ns = cell_now(cell);
    cell->tidying = true;
    tidy_step(tidying);
}
