/* SPDX-License-Identifier: MIT
 *
 * memory_db.c: see memory_db.h.
 *
 * Law
 *   D1  A key's versions are in the order of their times. The state at a time is, of each key, the
 *       versions up to it: of a register the last one, of a list or a set all, of a counter their
 *       sum.
 *   D2  At DB_READ_COMMITTED a key with uncommitted writes has one writer: nobody else writes it.
 */
#include "memory_db.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/assert.h"
#include "core/base/chance.h"

#define NOBODY UINT32_MAX

struct db_version {
    uint32_t value, time;
};

struct db_key {
    uint32_t number; /* in the history */
    uint32_t writes; /* asked for, until it retires */
    struct db_version *versions;
    uint32_t count, room;
    uint32_t writer; /* the client with uncommitted writes, or NOBODY */
};

struct client {
    bool busy, failed, bug;
    uint32_t txn, next; /* the next act */
    uint32_t snapshot;
};

struct db {
    const struct db_load *load;
    struct chance chance;
    struct history *history;
    struct db_key *keys; /* all that ever were; by number in the history */
    uint32_t key_count, key_room;
    uint32_t *active;
    struct client *clients;
    uint32_t time, begun;
    uint64_t now_ns;
    int64_t next_value;
    uint32_t *buffer, buffer_room;
};

static void *must(void *memory)
{
    INVARIANT(memory != NULL);
    return memory;
}

static bool per_mille(struct db *db, uint32_t share)
{
    return share && chance_below(&db->chance, 1000) < share;
}

static uint32_t new_key(struct db *db)
{
    char name[24];
    int len = snprintf(name, sizeof name, "k%u", db->key_count);
    if (db->key_count == db->key_room) {
        db->key_room = db->key_room ? db->key_room * 2 : 64;
        db->keys = must(realloc(db->keys, db->key_room * sizeof *db->keys));
    }
    struct db_key *key = &db->keys[db->key_count];
    *key = (struct db_key){.writer = NOBODY};
    INVARIANT(history_key(db->history, VALUE_NONE, history_value(db->history, name, (size_t)len),
                          db->load->model, &key->number) == OK &&
              key->number == db->key_count);
    return db->key_count++;
}

/* --- asking --- */

static enum act_code write_code(enum history_model model)
{
    switch (model) {
    case MODEL_LIST:
        return ACT_APPEND;
    case MODEL_SET:
        return ACT_ADD;
    case MODEL_COUNTER:
        return ACT_INCREMENT;
    default:
        return ACT_WRITE;
    }
}

static void ask_read(struct db *db, uint32_t key)
{
    history_add(db->history, &(struct history_act){.code = ACT_READ, .key = key});
}

static void ask_write(struct db *db, uint32_t key)
{
    bool repeat = db->next_value > 1 && per_mille(db, db->load->repeat);
    int64_t number = repeat ? 1 + (int64_t)chance_below(&db->chance, (uint32_t)db->next_value)
                            : ++db->next_value;
    if (db->load->model == MODEL_COUNTER)
        number = 1 + (int64_t)chance_below(&db->chance, 3);
    history_add(db->history, &(struct history_act){.code = (uint8_t)write_code(db->load->model),
                                                   .key = key,
                                                   .args = {history_number(db->history, number)}});
}

static void begin(struct db *db, uint32_t number)
{
    struct client *client = &db->clients[number];
    uint32_t acts = 1 + chance_below(&db->chance, db->load->acts);
    *client = (struct client){.busy = true, .snapshot = db->time};
    client->txn = history_begin(db->history, number, db->now_ns);
    client->bug = db->load->bug_every && !chance_below(&db->chance, db->load->bug_every);
    for (uint32_t i = 0; i < acts; i++) {
        uint32_t slot = chance_below(&db->chance, db->load->keys);
        uint32_t key = db->active[slot];
        bool write = chance_coin(&db->chance);
        if (!write || (db->load->read_first && acts > 1))
            ask_read(db, key);
        if (!write)
            continue;
        ask_write(db, key);
        if (db->load->retire && ++db->keys[key].writes >= db->load->retire)
            db->active[slot] = new_key(db);
    }
    db->begun++;
}

/* --- carrying out --- */

static struct history_act *acts_of(struct db *db, const struct client *client)
{
    return &db->history->acts[db->history->txns[client->txn].first];
}

static void add_version(struct db_key *key, uint32_t value, uint32_t time)
{
    if (key->count == key->room) {
        key->room = key->room ? key->room * 2 : 8;
        key->versions = must(realloc(key->versions, key->room * sizeof *key->versions));
    }
    key->versions[key->count++] = (struct db_version){value, time};
}

static uint32_t versions_up_to(const struct db_key *key, uint32_t time)
{
    uint32_t low = 0, high = key->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (key->versions[middle].time <= time)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool bug(const struct db *db, const struct client *client, enum db_bug which)
{
    return client->bug && db->load->bug == which;
}

/* The time that a read is of. */
static uint32_t time_of_read(struct db *db, const struct client *client, uint32_t index)
{
    bool now = db->load->level != DB_SNAPSHOT;
    uint32_t time = now ? db->time : client->snapshot;
    if (bug(db, client, DB_STALE_SNAPSHOT))
        time -= time < 4 ? time / 2 : 2 + chance_below(&db->chance, 3);
    if (bug(db, client, DB_TORN_SNAPSHOT) && index == 0 && time > 0)
        time -= 1;
    return time;
}

static void need_buffer(struct db *db, uint32_t count)
{
    if (count <= db->buffer_room)
        return;
    db->buffer_room = count * 2;
    db->buffer = must(realloc(db->buffer, db->buffer_room * sizeof *db->buffer));
}

static void answer_read(struct db *db, struct client *client, uint32_t index)
{
    struct history_act *acts = acts_of(db, client);
    const struct db_key *key = &db->keys[acts[index].key];
    uint32_t count = versions_up_to(key, time_of_read(db, client, index));
    bool own = db->load->level != DB_NONE && !bug(db, client, DB_OWN_MISSED);
    int64_t sum = 0, number = 0;
    need_buffer(db, count + index);
    for (uint32_t i = 0; i < count; i++)
        db->buffer[i] = key->versions[i].value;
    for (uint32_t i = 0; own && i < index; i++)
        if (acts[i].code != ACT_READ && acts[i].key == acts[index].key)
            db->buffer[count++] = acts[i].args[0];
    if (db->load->model == MODEL_LIST || db->load->model == MODEL_SET) {
        history_answer_list(db->history, client->txn, index, db->buffer, count);
        return;
    }
    if (db->load->model == MODEL_REGISTER) {
        acts[index].value = count ? db->buffer[count - 1] : VALUE_NONE;
        return;
    }
    for (uint32_t i = 0; i < count; i++)
        sum += history_integer(db->history, db->buffer[i], &number) ? number : 0;
    acts[index].value = history_number(db->history, sum);
}

/* A write is asked for: what happens before the commit. */
static void ask_to_write(struct db *db, uint32_t number, uint32_t index)
{
    struct client *client = &db->clients[number];
    const struct history_act *act = &acts_of(db, client)[index];
    struct db_key *key = &db->keys[act->key];
    if (db->load->level == DB_NONE) {
        add_version(key, act->args[0], ++db->time);
    } else if (db->load->level == DB_READ_COMMITTED && !bug(db, client, DB_NO_FIRST_WINNER)) {
        if (key->writer == NOBODY)
            key->writer = number;
        client->failed |= key->writer != number;
    }
}

static void carry_out(struct db *db, uint32_t number, uint32_t index)
{
    if (acts_of(db, &db->clients[number])[index].code == ACT_READ)
        answer_read(db, &db->clients[number], index);
    else
        ask_to_write(db, number, index);
}

static bool conflict(struct db *db, const struct client *client)
{
    const struct history_act *acts = acts_of(db, client);
    uint32_t count = db->history->txns[client->txn].count;
    if (db->load->level != DB_SNAPSHOT || bug(db, client, DB_NO_FIRST_WINNER))
        return false;
    for (uint32_t i = 0; i < count; i++) {
        const struct db_key *key = &db->keys[acts[i].key];
        if (acts[i].code != ACT_READ && key->count &&
            key->versions[key->count - 1].time > client->snapshot)
            return true;
    }
    return false;
}

static void commit(struct db *db, const struct client *client)
{
    const struct history_act *acts = acts_of(db, client);
    uint32_t count = db->history->txns[client->txn].count, written = 0;
    if (db->load->level == DB_NONE)
        return;
    db->time++;
    if (bug(db, client, DB_INTERMEDIATE))
        while (count > 0 && acts[--count].code == ACT_READ)
            continue;
    for (uint32_t i = 0; i < count; i++) {
        if (acts[i].code == ACT_READ)
            continue;
        written++;
        if (written > 1 || !bug(db, client, DB_LOST_WRITE))
            add_version(&db->keys[acts[i].key], acts[i].args[0], db->time);
        if (written == 1 && bug(db, client, DB_TWICE))
            add_version(&db->keys[acts[i].key], acts[i].args[0], db->time);
    }
}

/* Of what failed, with the bug, the first write stays. */
static void fail(struct db *db, const struct client *client)
{
    const struct history_act *acts = acts_of(db, client);
    for (uint32_t i = 0; i < db->history->txns[client->txn].count; i++)
        if (bug(db, client, DB_DIRTY_READ) && acts[i].code != ACT_READ) {
            add_version(&db->keys[acts[i].key], acts[i].args[0], ++db->time);
            return;
        }
}

static void end(struct db *db, uint32_t number)
{
    struct client *client = &db->clients[number];
    const struct history_txn *txn = &db->history->txns[client->txn];
    enum outcome outcome = OUTCOME_DONE;
    if (db->load->level == DB_SERIALISABLE)
        for (uint32_t i = 0; i < txn->count; i++)
            carry_out(db, number, i);
    if (client->failed || conflict(db, client) || per_mille(db, db->load->failed)) {
        outcome = OUTCOME_FAILED;
        fail(db, client);
    } else {
        commit(db, client);
    }
    if (per_mille(db, db->load->unknown))
        outcome = OUTCOME_UNKNOWN;
    for (uint32_t i = 0; i < txn->count; i++) {
        struct db_key *key = &db->keys[acts_of(db, client)[i].key];
        if (key->writer == number)
            key->writer = NOBODY;
    }
    history_end(db->history, client->txn, db->now_ns, outcome);
    client->busy = false;
}

/* One turn of one client: begins, does one act, or ends. */
static bool turn(struct db *db)
{
    uint32_t number = chance_below(&db->chance, db->load->clients);
    struct client *client = &db->clients[number];
    db->now_ns += 1000 + chance_below(&db->chance, 100000);
    if (!client->busy) {
        if (db->begun == db->load->txns)
            return false;
        begin(db, number);
    } else if (client->next < db->history->txns[client->txn].count && !client->failed) {
        if (db->load->level != DB_SERIALISABLE)
            carry_out(db, number, client->next);
        client->next++;
    } else {
        end(db, number);
    }
    return true;
}

static bool any_busy(const struct db *db)
{
    for (uint32_t i = 0; i < db->load->clients; i++)
        if (db->clients[i].busy)
            return true;
    return false;
}

static void read_all(struct db *db)
{
    struct client reader = {.txn = history_begin(db->history, db->load->clients, db->now_ns)};
    for (uint32_t key = 0; key < db->key_count; key++)
        ask_read(db, key);
    reader.snapshot = db->time;
    for (uint32_t key = 0; key < db->key_count; key++)
        answer_read(db, &reader, key);
    history_end(db->history, reader.txn, db->now_ns + 1, OUTCOME_DONE);
}

struct history *db_history(const struct db_load *load)
{
    struct db db = {.load = load, .history = history_new()};
    chance_seed(&db.chance, load->seed);
    db.clients = must(calloc(load->clients, sizeof *db.clients));
    db.active = must(calloc(load->keys, sizeof *db.active));
    for (uint32_t i = 0; i < load->keys; i++)
        db.active[i] = new_key(&db);
    while (db.begun < load->txns || any_busy(&db))
        turn(&db);
    if (load->final_read)
        read_all(&db);
    for (uint32_t i = 0; i < db.key_count; i++)
        free(db.keys[i].versions);
    free(db.keys);
    free(db.active);
    free(db.clients);
    free(db.buffer);
    return db.history;
}
