/* SPDX-License-Identifier: MIT
 *
 * abolish.c: deletions of a past that was given up (apply.c, A6) give way to commits.
 */
#include "core/store/store_private.h"

static enum err abolish(struct store *store, const struct object_key *key)
{
    struct entry entry = {.action = WRITE_DELETE, .key = *key, .replaces = true};
    struct append append = {.entries = &entry,
                            .count = 1,
                            .stamp = store->last_stamp,
                            .flags = FRAME_ADOPTED | FRAME_MOVED | FRAME_STAMPED,
                            .frees = true};
    MARK(commit_abolished);
    enum err err = log_append(store, &append);
    return err ? err : store_apply(store, &entry, 1);
}

enum err store_abolish(struct store *store, const struct entry *entries, uint32_t count,
                       struct stamp stamp)
{
    enum err err = OK;
    if (stamp_compare(stamp, store->given_up) > 0 || MUTANT(apply_keeps_divergent))
        return OK;
    for (uint32_t i = 0; i < count && !err; i++) {
        struct version version;
        err = lookup(store, &entries[i].key, STAMP_MAX, &version);
        if (!err && !version_present(&version) && stamp_compare(version.stamp, stamp) > 0)
            err = abolish(store, &entries[i].key);
        else if (err == ERR_NOENT)
            err = OK;
    }
    return err;
}
