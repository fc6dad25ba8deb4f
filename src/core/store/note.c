/* SPDX-License-Identifier: MIT
 *
 * note.c: a few bytes of the node's own, as a small object of a kind that is never replicated. Its
 * stamps count how often it was set.
 */
#include <string.h>

#include "core/store/store_private.h"

static const struct object_key note_key = {.kind = OBJECT_NOTE};

static void remember(struct store *store, struct bytes note, struct stamp stamp)
{
    if (note.len)
        memcpy(store->note, note.data, note.len);
    store->note_len = note.len;
    store->note_stamp = stamp;
}

enum err note_load(struct store *store)
{
    struct version version;
    enum err err = lookup(store, &note_key, STAMP_MAX, &version);
    if (err)
        return err == ERR_NOENT ? OK : err;
    if (version.value.len > STORE_NOTE_MAX)
        return ERR_INDEX;
    remember(store, version.value, version.stamp);
    return OK;
}

enum err store_set_note(struct store *store, struct bytes note)
{
    if (store->read_only)
        return ERR_READ_ONLY;
    if (note.len > STORE_NOTE_MAX)
        return ERR_LIMIT;
    INVARIANT(!store->closing);
    struct stamp stamp = {store->note_stamp.time + 1, 0};
    struct entry entry = {.action = WRITE_PUT, .key = note_key, .value = note, .stamp = stamp};
    struct append append = {.entries = &entry,
                            .count = 1,
                            .stamp = store->last_stamp,
                            .flags = FRAME_NOTE,
                            .frees = true};
    arena_reset(&store->arena);
    enum err err = MUTANT(note_not_logged) ? OK : log_append(store, &append);
    if (err)
        return err;
    if (!MUTANT(note_not_logged))
        err = store_apply(store, &entry, 1);
    if (err)
        return err;
    remember(store, note, stamp);
    checkpoint_kick(store);
    return OK;
}

struct bytes store_note(const struct store *store)
{
    return (struct bytes){store->note, store->note_len};
}
