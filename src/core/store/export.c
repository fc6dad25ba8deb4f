/* SPDX-License-Identifier: MIT
 *
 * export.c: whole objects of a snapshot as one record, for a replica that lacks them.
 *
 * The entries are made from the index at once; the bytes of blocks are read into the payload while
 * the loop goes on (read.c, which verifies them and keeps their segments from being removed).
 */
#include <stdlib.h>
#include <string.h>

#include "core/store/store_private.h"

#define ENTRY_COST 64u /* of an encoded entry beyond value and checksums, at most */

struct exporting {
    struct store_read read;
    struct store_export *export;
    struct arena arena; /* of entries, values, checksums, ranges */
    struct entry *entries;
    struct store_range *ranges;
    uint32_t count, room, range_count;
    uint64_t payload_len;
    uint8_t *payload, *head;
    size_t head_len;
};

static void exporting_free(struct exporting *e)
{
    arena_free(&e->arena);
    free(e->entries);
    free(e->payload);
    free(e->head);
    free(e);
}

void store_export_free(struct store_export *export)
{
    if (export->impl)
        exporting_free(export->impl);
    export->impl = NULL;
}

static struct entry *add_entry(struct exporting *e, const struct object_key *key,
                               struct stamp stamp, enum write_action action)
{
    if (e->count == e->room) {
        e->room = e->room ? e->room * 2 : 64;
        e->entries = realloc(e->entries, sizeof *e->entries * e->room);
        INVARIANT(e->entries != NULL);
    }
    struct entry *entry = &e->entries[e->count++];
    *entry = (struct entry){.action = action, .key = *key, .stamp = stamp};
    return entry;
}

/* How many chunks from `first` on one entry can carry: all but the last are full. */
static uint32_t run_of(const struct version *version, uint32_t first)
{
    uint32_t n = 0;
    while (first + n < BLOCK_CHUNKS && version->chunks[first + n].state == CHUNK_DATA) {
        n++;
        if (version->chunks[first + n - 1].len < CHUNK_SIZE)
            break;
    }
    return n;
}

static void add_block(struct exporting *e, const struct object_key *key,
                      const struct version *version)
{
    for (uint32_t i = 0; i < BLOCK_CHUNKS;) {
        uint32_t n = run_of(version, i);
        if (n == 0) {
            i++;
            continue;
        }
        uint32_t *sums = ARENA_ARRAY(&e->arena, uint32_t, n);
        for (uint32_t c = 0; c < n; c++)
            sums[c] = version->chunks[i + c].sum;
        struct entry *entry = add_entry(e, key, version->stamp, WRITE_CHUNKS);
        entry->first_chunk = i;
        entry->length = (n - 1) * CHUNK_SIZE + version->chunks[i + n - 1].len;
        entry->sums = sums;
        e->payload_len += entry->length;
        e->range_count++;
        i += n;
    }
}

static void add_small(struct exporting *e, const struct object_key *key,
                      const struct version *version)
{
    struct entry *entry = add_entry(e, key, version->stamp, WRITE_PUT);
    entry->value.len = version->value.len;
    entry->value.data = arena_copy(&e->arena, version->value.data, version->value.len);
}

/* What the object adds to the record, at most. */
static uint64_t cost_of(const struct version *version)
{
    uint64_t cost = ENTRY_COST + version->value.len;
    for (uint32_t i = 0; version->block && i < BLOCK_CHUNKS; i++)
        if (version->chunks[i].state == CHUNK_DATA)
            cost += version->chunks[i].len + sizeof version->chunks[i].sum + ENTRY_COST / 8;
    return cost;
}

/* Takes as many of the keys as go into one record. */
static enum err plan(struct store *store, struct exporting *e)
{
    struct store_export *export = e->export;
    uint64_t bytes = 0;
    if (!store_readable(store, export->at))
        return ERR_SNAPSHOT_GONE;
    for (; export->taken < export->count; export->taken++) {
        const struct object_key *key = &export->keys[export->taken];
        struct version version = {.stamp = STAMP_ZERO};
        if (!object_kind_is_shared(key->kind))
            return ERR_DECODE;
        enum err err = lookup(store, key, export->at, &version);
        if (err && err != ERR_NOENT)
            return err;
        bytes += err ? ENTRY_COST : cost_of(&version);
        if (export->taken && bytes > export->most_bytes)
            return OK;
        if (err || !version_present(&version))
            add_entry(e, key, err ? STAMP_ZERO : version.stamp, WRITE_DELETE);
        else if (version.block)
            add_block(e, key, &version);
        else
            add_small(e, key, &version);
    }
    return OK;
}

static void encode_head(struct exporting *e)
{
    struct record_out record = {.entries = e->entries, .count = e->count, .own_stamps = true};
    uint32_t *weights = ARENA_ARRAY(&e->arena, uint32_t, e->count + 1);
    void *packed;
    e->head_len = record_measure(&record, &e->arena, weights, &packed);
    e->head = malloc(e->head_len + 1);
    INVARIANT(e->head != NULL);
    record_encode(packed, e->head);
}

static void plan_read(struct exporting *e)
{
    uint32_t n = 0;
    uint64_t at = 0;
    e->payload = malloc(e->payload_len + 1);
    e->ranges = ARENA_ARRAY(&e->arena, struct store_range, e->range_count + 1);
    INVARIANT(e->payload != NULL);
    for (uint32_t i = 0; i < e->count; i++) {
        const struct entry *entry = &e->entries[i];
        if (entry->action != WRITE_CHUNKS)
            continue;
        e->ranges[n++] = (struct store_range){entry->key, entry->first_chunk * CHUNK_SIZE,
                                              entry->length, e->payload + at};
        at += entry->length;
    }
    INVARIANT(n == e->range_count && at == e->payload_len);
}

static void conclude(struct exporting *e, enum err err)
{
    struct store_export *export = e->export;
    export->err = err;
    if (err) {
        export->taken = 0;
        return;
    }
    export->head = (struct bytes){e->head, e->head_len};
    export->payload = (struct bytes){e->payload, e->payload_len};
}

static void read_over(struct store_read *read)
{
    struct exporting *e = (struct exporting *)(void *)read; /* its first member */
    conclude(e, read->err);
    e->export->done(e->export);
}

bool store_export(struct store *store, struct store_export *export)
{
    struct exporting *e = calloc(1, sizeof *e);
    INVARIANT(e != NULL);
    e->export = export;
    export->impl = e;
    export->taken = 0;
    export->head = export->payload = (struct bytes){NULL, 0};
    arena_init(&e->arena);
    enum err err = plan(store, e);
    if (err) {
        conclude(e, err);
        return true;
    }
    encode_head(e);
    plan_read(e);
    e->read = (struct store_read){
        .at = export->at, .ranges = e->ranges, .count = e->range_count, .done = read_over};
    if (!store_read(store, &e->read))
        return false;
    conclude(e, e->read.err);
    return true;
}
