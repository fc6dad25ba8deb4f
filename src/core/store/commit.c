/* SPDX-License-Identifier: MIT
 *
 * commit.c: a write set becomes a record of the log, and is applied.
 */
#include "core/store/store_private.h"

void store_on_record(struct store *store,
                     void (*each)(void *ctx, const struct store_record *record), void *ctx)
{
    store->on_record = each;
    store->on_record_ctx = ctx;
}

enum err store_apply(struct store *store, const struct entry *entries, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        enum err err = apply_entry(store, &entries[i]);
        if (err) {
            store_fail(store, err, "reading the index");
            return err;
        }
    }
    return OK;
}

void store_committed(struct store *store, struct stamp stamp)
{
    store->last_stamp = stamp;
    store->last_commit_ns = store->env->ops->mono_ns(store->env);
    store->counters.commits++;
    checkpoint_kick(store);
    cleaner_kick(store);
}

/* The payload stays where the writes have it. */
static void tell_of_writes(struct store *store, const struct append *append)
{
    struct env_iov *pieces = ARENA_ARRAY(&store->arena, struct env_iov, append->count + 1);
    struct store_record record = {.before = store->last_stamp,
                                  .stamp = append->stamp,
                                  .head = append->head,
                                  .payload = pieces};
    for (uint32_t i = 0; i < append->count; i++) {
        struct bytes value = append->writes[i].value;
        if (append->writes[i].action != WRITE_CHUNKS)
            continue;
        pieces[record.payload_count++] = (struct env_iov){(void *)(uintptr_t)value.data, value.len};
        record.payload_len += value.len;
    }
    store->on_record(store->on_record_ctx, &record);
}

static void entry_of_write(struct store *store, const struct write *write, struct stamp stamp,
                           struct entry *entry)
{
    *entry = (struct entry){.action = write->action,
                            .key = write->key,
                            .value = write->value,
                            .first_chunk = write->first_chunk,
                            .length = write->action == WRITE_CHUNKS ? (uint32_t)write->value.len
                                                                    : write->chunks,
                            .stamp = stamp};
    if (write->action == WRITE_PUT)
        INVARIANT(write->value.len <= OBJECT_VALUE_MAX && !object_kind_is_block(write->key.kind));
    if (write->action != WRITE_CHUNKS)
        return;
    uint32_t n = entry_chunks(entry);
    INVARIANT(n > 0 && write->first_chunk + n <= BLOCK_CHUNKS);
    uint32_t *sums = ARENA_ARRAY(&store->arena, uint32_t, n);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t offset = i * CHUNK_SIZE, rest = entry->length - offset;
        sums[i] = checksum32(write->value.data + offset, rest < CHUNK_SIZE ? rest : CHUNK_SIZE);
    }
    entry->sums = sums;
    entry->value = (struct bytes){NULL, 0};
}

enum err store_commit(struct store *store, const struct write_set *writes, struct stamp stamp,
                      bool frees, uint64_t *lsn)
{
    if (store->read_only)
        return ERR_READ_ONLY;
    INVARIANT(!store->closing && stamp_compare(stamp, store->last_stamp) > 0);
    arena_reset(&store->arena);
    struct entry *entries = arena_alloc(&store->arena, sizeof *entries * (writes->count + 1));
    for (size_t i = 0; i < writes->count; i++)
        entry_of_write(store, &writes->items[i], stamp, &entries[i]);
    struct append append = {.entries = entries,
                            .writes = writes->items,
                            .count = (uint32_t)writes->count,
                            .stamp = stamp,
                            .frees = frees};
    enum err err = store_abolish(store, entries, append.count, stamp);
    err = err ? err : log_append(store, &append);
    if (err)
        return err;
    err = store_apply(store, entries, append.count);
    if (err)
        return err;
    if (store->on_record)
        tell_of_writes(store, &append);
    store_committed(store, stamp);
    *lsn = place_lsn(store->log.appended);
    return OK;
}
