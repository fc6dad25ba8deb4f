/* SPDX-License-Identifier: MIT
 *
 * adopt.c: objects become what another replica exported.
 *
 * An adopted record stands in the log beside the commits. It replaces its objects whole, whatever
 * stamps they had: apply.c (A5) says how that stays so when the log is read again.
 */
#include "core/store/ship.h"

#define ABSENT_MOST 1024u /* objects deleted by one record */

/* As export.c makes them: each object once; a block as runs of chunks, in order, at one stamp. */
static bool well_formed(const struct shipment *s)
{
    for (uint32_t i = 0; i < s->count; i++) {
        const struct entry *entry = &s->entries[i], *last = i ? entry - 1 : NULL;
        bool stamped =
            stamp_compare(entry->stamp, STAMP_ZERO) > 0 && entry->stamp.time != UINT64_MAX;
        if (entry->action == WRITE_PUNCH || (entry->action != WRITE_DELETE && !stamped))
            return false;
        if (!last || !object_key_equal(&last->key, &entry->key))
            continue;
        if (last->action != WRITE_CHUNKS || entry->action != WRITE_CHUNKS ||
            stamp_compare(last->stamp, entry->stamp) != 0 ||
            last->first_chunk + entry_chunks(last) > entry->first_chunk)
            return false;
    }
    return true;
}

static enum err can_write(const struct store *store)
{
    INVARIANT(!store->closing);
    return store->read_only ? ERR_READ_ONLY : OK;
}

/* Appends and applies; the record says which commit was the last. */
static enum err put_record(struct store *store, struct append *append)
{
    append->flags = FRAME_ADOPTED;
    append->stamp = store->last_stamp;
    enum err err = log_append(store, append);
    err = err ? err : store_apply(store, append->entries, append->count);
    if (err)
        return err;
    store->last_commit_ns = store->env->ops->mono_ns(store->env);
    checkpoint_kick(store);
    cleaner_kick(store);
    return OK;
}

enum err store_adopt(struct store *store, const struct store_shipped *shipped)
{
    struct shipment s;
    enum err err = can_write(store);
    arena_reset(&store->arena);
    err = err ? err : shipment_open(store, shipped, FRAME_ADOPTED, &s);
    if (!err && !well_formed(&s))
        err = ERR_DECODE;
    if (err || !s.count)
        return err;
    struct append append = {.entries = s.entries,
                            .count = s.count,
                            .payload = shipped->payload,
                            .owner = shipped->owner};
    return put_record(store, &append);
}

bool store_keeps_older(struct store *store, const struct object_key *key)
{
    struct version version, older;
    return store->old_versions > 0 && lookup(store, key, STAMP_MAX, &version) == OK &&
           lookup_older(store, key, version.stamp, &older) == OK;
}

enum err store_adopt_absent(struct store *store, const struct object_key *keys, uint32_t count)
{
    enum err err = can_write(store);
    for (uint32_t i = 0; i < count && !err; i++)
        if (!object_kind_is_shared(keys[i].kind))
            err = ERR_DECODE;
    for (uint32_t done = 0; done < count && !err;) {
        arena_reset(&store->arena);
        struct append append = {.entries = ARENA_ARRAY(&store->arena, struct entry, ABSENT_MOST),
                                .frees = true};
        for (; done < count && append.count < ABSENT_MOST; done++)
            if (!done || !object_key_equal(&keys[done], &keys[done - 1]))
                append.entries[append.count++] =
                    (struct entry){.action = WRITE_DELETE, .key = keys[done], .replaces = true};
        if (append.count)
            err = put_record(store, &append);
    }
    return err;
}

enum err store_adopt_end(struct store *store, struct stamp at)
{
    struct append append = {.stamp = at, .flags = FRAME_REBASE, .frees = true};
    enum err err = can_write(store);
    arena_reset(&store->arena);
    err = err ? err : log_append(store, &append);
    if (err)
        return err;
    store->last_stamp = at;
    checkpoint_kick(store);
    return OK;
}
