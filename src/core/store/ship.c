/* SPDX-License-Identifier: MIT
 *
 * ship.c: records that another replica made. Nothing in them is believed: they come from a peer,
 * which may be faulty.
 */
#include <string.h>

#include "core/store/ship.h"

#define ENTRIES_AT_FIRST 16u

struct parsing {
    struct shipment *shipment;
    struct arena *arena;
    uint32_t room;
};

static void keep_entry(void *ctx, const struct entry *entry)
{
    struct parsing *parsing = ctx;
    struct shipment *s = parsing->shipment;
    if (s->count == parsing->room) {
        parsing->room = parsing->room ? parsing->room * 2 : ENTRIES_AT_FIRST;
        struct entry *more = arena_alloc(parsing->arena, sizeof *more * parsing->room);
        if (s->count)
            memcpy(more, s->entries, sizeof *more * s->count);
        s->entries = more;
    }
    s->entries[s->count++] = *entry;
}

/* The checksums of an entry's bytes, which begin at `data`. */
static bool intact(const struct entry *entry, const uint8_t *data)
{
    for (uint32_t i = 0; i < entry_chunks(entry); i++) {
        uint32_t offset = i * CHUNK_SIZE, rest = entry->length - offset;
        if (checksum32(data + offset, rest < CHUNK_SIZE ? rest : CHUNK_SIZE) != entry->sums[i])
            return false;
    }
    return true;
}

enum err shipment_open(struct store *store, const struct store_shipped *shipped, uint32_t flags,
                       struct shipment *out)
{
    uint64_t most = store->limits.segment_bytes, at = 0;
    struct parsing parsing = {.shipment = out, .arena = &store->arena};
    *out = (struct shipment){.count = 0};
    if (shipped->head.len > most || shipped->payload.len > most)
        return ERR_LIMIT;
    struct record_in in = {.frame = {.head_len = (uint32_t)shipped->head.len,
                                     .payload_len = (uint32_t)shipped->payload.len,
                                     .flags = flags},
                           .head = shipped->head.data};
    enum err err = record_stamp(shipped->head, &out->stamp);
    err = err ? err : record_decode(&in, &store->arena, keep_entry, &parsing);
    for (uint32_t i = 0; i < out->count && !err; i++) {
        const struct entry *entry = &out->entries[i];
        if (!object_kind_is_shared(entry->key.kind))
            return ERR_DECODE;
        if (entry->action != WRITE_CHUNKS)
            continue;
        if (!intact(entry, shipped->payload.data + at) && !MUTANT(ship_payload_unchecked))
            return ERR_CORRUPT;
        at += entry->length;
    }
    return err;
}

/* What gives space back may use the last of it; the primary knew whether it did, here it is
 * guessed. */
static bool gives_back(const struct shipment *shipment, const struct store_shipped *shipped)
{
    bool some = false;
    for (uint32_t i = 0; i < shipment->count && !some; i++) {
        const struct entry *entry = &shipment->entries[i];
        some = entry->action == WRITE_DELETE || entry->action == WRITE_PUNCH ||
               entry->key.kind == OBJECT_ORPHAN;
    }
    return some && shipped->payload.len == 0;
}

enum err store_commit_record(struct store *store, const struct store_shipped *shipped)
{
    struct shipment s;
    if (store->read_only)
        return ERR_READ_ONLY;
    INVARIANT(!store->closing);
    arena_reset(&store->arena);
    enum err err = shipment_open(store, shipped, 0, &s);
    if (err)
        return err;
    if (stamp_compare(s.stamp, store->last_stamp) <= 0 || s.stamp.time == UINT64_MAX)
        return ERR_DECODE;
    struct append append = {.entries = s.entries,
                            .count = s.count,
                            .stamp = s.stamp,
                            .frees = gives_back(&s, shipped),
                            .payload = shipped->payload,
                            .owner = shipped->owner,
                            .head = shipped->head};
    err = store_abolish(store, s.entries, s.count, s.stamp);
    err = err ? err : log_append(store, &append);
    err = err ? err : store_apply(store, s.entries, s.count);
    if (err)
        return err;
    struct env_iov piece = {(void *)(uintptr_t)shipped->payload.data, shipped->payload.len};
    struct store_record record = {.before = store->last_stamp,
                                  .stamp = s.stamp,
                                  .head = append.head,
                                  .payload = &piece,
                                  .payload_count = piece.len > 0,
                                  .payload_len = piece.len};
    if (store->on_record)
        store->on_record(store->on_record_ctx, &record);
    store_committed(store, s.stamp);
    return OK;
}
