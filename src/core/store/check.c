/* SPDX-License-Identifier: MIT
 *
 * check.c: asserts the laws of the store on its present state. Slow; for tests.
 */
#include <stdlib.h>
#include <string.h>

#include "core/store/store_private.h"

/* A4: recounts what the index refers to. */
static void count_version(struct store *store, const struct version *version, uint64_t *live)
{
    const struct segments *table = &store->segments;
    for (uint32_t i = 0; version->block && i < BLOCK_CHUNKS; i++) {
        const struct chunk *chunk = &version->chunks[i];
        if (chunk->state == CHUNK_ABSENT)
            continue;
        INVARIANT(segments_find(table, chunk->place.segment) != NULL);
        INVARIANT(version->oldest <= chunk->place.segment); /* A2 */
        live[chunk->place.segment] += chunk->state == CHUNK_DATA ? chunk->len
                                      : chunk->counted           ? 1
                                                                 : 0;
    }
    if (version->block)
        return;
    INVARIANT(segments_find(table, version->place.segment) != NULL);
    INVARIANT(version->oldest <= version->place.segment);
    live[version->place.segment] += version->present || version->counted ? version->weight : 0;
}

/* What versions share is counted once. */
static void hide_shared(struct version *version, const struct version *newer)
{
    for (uint32_t i = 0; version->block && i < BLOCK_CHUNKS; i++) {
        struct chunk *chunk = &version->chunks[i];
        const struct chunk *other = &newer->chunks[i];
        if (chunk->state == other->state && place_lsn(chunk->place) == place_lsn(other->place) &&
            stamp_compare(chunk->stamp, other->stamp) == 0)
            chunk->state = CHUNK_ABSENT;
    }
}

static void count_object(struct store *store, const struct object_key *key, uint64_t *live)
{
    struct version version, older;
    enum err err = lookup(store, key, STAMP_MAX, &version);
    INVARIANT(err == OK || err == ERR_NOENT);
    if (err)
        return;
    count_version(store, &version, live);
    while (store->old_versions && lookup_older(store, key, version.stamp, &older) == OK) {
        struct version counted = older;
        hide_shared(&counted, &version);
        count_version(store, &counted, live);
        version = older;
    }
}

static void check_live(struct store *store)
{
    const struct object_key first = {0, 0, 0},
                            last = {OBJECT_KIND_COUNT - 1, UINT64_MAX, UINT64_MAX};
    uint64_t *live = calloc((size_t)store->segments.last_number + 1, sizeof *live);
    struct object_key key;
    struct walk walk;
    INVARIANT(live != NULL);
    enum err err = walk_begin(&walk, store, first, last);
    while (!err && (err = walk_next(&walk, &key)) == OK)
        count_object(store, &key, live);
    INVARIANT(err == ERR_NOENT);
    for (uint32_t i = 0; i < store->segments.count; i++) {
        const struct segment *s = store->segments.items[i];
        INVARIANT(s->live == live[s->number]);
    }
    free(live);
}

void store_check(struct store *store)
{
    const struct log *log = &store->log;
    INVARIANT(place_lsn(log->durable) <= place_lsn(log->appended)); /* M4 */
    INVARIANT(place_lsn(log->written) <= place_lsn(log->appended));
    uint64_t pending = 0, lsn = 0;
    for (const struct log_piece *p = log->first; p; p = p->next) {
        INVARIANT(place_lsn(p->place) >= lsn); /* L1 */
        lsn = place_lsn(p->place) + p->len;
        pending += p->len;
    }
    INVARIANT(pending == log->pending);
    overlay_check(store->active);
    if (store->frozen)
        overlay_check(store->frozen);
    for (uint32_t i = 1; i < store->segments.count; i++)
        INVARIANT(store->segments.items[i - 1]->number < store->segments.items[i]->number); /* S1 */
    check_live(store);
}
