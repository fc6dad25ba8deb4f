/* SPDX-License-Identifier: MIT
 *
 * lookup.c: the index through its layers: the active overlay, the frozen one, the index on disk
 * (M2).
 */
#include <string.h>

#include "core/store/store_private.h"

/* A version as one layer holds it. */
struct hit {
    bool found, newest;
    struct stamp stamp;
    struct bytes value;
};

static bool hidden_in(struct overlay *overlay, const struct object_key *key, struct stamp stamp)
{
    struct overlay_object *object = overlay ? overlay_find(overlay, key) : NULL;
    for (struct overlay_version *v = object ? object->versions : NULL; v; v = v->older)
        if (stamp_compare(v->stamp, stamp) == 0)
            return true; /* dropped there, or overridden: then that layer answers */
    return false;
}

/* The newest put at or before `at` in one overlay. `above` hides it. */
static struct hit overlay_hit(struct overlay *overlay, struct overlay *above,
                              const struct object_key *key, struct stamp at)
{
    struct overlay_object *object = overlay ? overlay_find(overlay, key) : NULL;
    for (struct overlay_version *v = object ? object->versions : NULL; v; v = v->older) {
        if (v->dropped || stamp_compare(v->stamp, at) > 0 || hidden_in(above, key, v->stamp))
            continue;
        return (struct hit){true, v->newest, v->stamp, {v->value, v->len}};
    }
    return (struct hit){.found = false};
}

/* The same in the index on disk: keys of one object stand together, newest first. */
static enum err disk_hit(struct store *store, const struct object_key *key, struct stamp at,
                         struct hit *hit)
{
    const struct env_ops *ops = store->env->ops;
    uint8_t wanted[INDEX_KEY];
    index_key_encode(key, at, wanted);
    struct bytes found, value;
    enum err err =
        ops->cursor_seek(store->cursor, (struct bytes){wanted, INDEX_KEY}, &found, &value);
    hit->found = false;
    while (!err) {
        if (found.len != INDEX_KEY || memcmp(found.data, wanted, INDEX_OBJECT_KEY) != 0)
            return OK;
        struct object_key ignored;
        err = index_key_decode(found, &ignored, &hit->stamp);
        if (err)
            return err;
        if (!hidden_in(store->active, key, hit->stamp) &&
            !hidden_in(store->frozen, key, hit->stamp)) {
            hit->found = true;
            hit->newest = false;
            hit->value = value;
            return OK;
        }
        MARK(lookup_hidden);
        err = ops->cursor_next(store->cursor, &found, &value);
    }
    return err == ERR_NOENT ? OK : err;
}

static void newer(struct hit *best, const struct hit *other)
{
    if (other->found && (!best->found || stamp_compare(other->stamp, best->stamp) > 0))
        *best = *other;
}

static enum err find(struct store *store, const struct object_key *key, struct stamp at,
                     struct hit *best)
{
    *best = overlay_hit(store->active, NULL, key, at);
    if (best->found && best->newest)
        return OK;
    struct overlay *frozen = MUTANT(lookup_skips_frozen) ? NULL : store->frozen;
    struct hit other = overlay_hit(frozen, store->active, key, at);
    if (other.found && !best->found)
        MARK(lookup_frozen);
    newer(best, &other);
    if (best->found && best->newest)
        return OK;
    enum err err = disk_hit(store, key, at, &other);
    if (!err)
        newer(best, &other);
    return err;
}

enum err lookup(struct store *store, const struct object_key *key, struct stamp at,
                struct version *version)
{
    struct hit hit;
    enum err err = find(store, key, at, &hit);
    if (err)
        return err;
    if (!hit.found)
        return ERR_NOENT;
    return index_value_decode(key, hit.stamp, hit.value, version);
}

enum err lookup_older(struct store *store, const struct object_key *key, struct stamp before,
                      struct version *version)
{
    if (before.node > 0)
        before.node--;
    else if (before.time > 0)
        before = (struct stamp){before.time - 1, UINT32_MAX};
    else
        return ERR_NOENT;
    return lookup(store, key, before, version);
}

enum err lookup_refresh(struct store *store)
{
    const struct env_ops *ops = store->env->ops;
    if (store->cursor)
        ops->cursor_close(store->cursor);
    store->cursor = NULL;
    enum err err = ops->index_refresh(store->index);
    return err ? err : ops->cursor_open(store->index, &store->cursor);
}

void index_put(struct store *store, const struct object_key *key, const struct version *version,
               bool newest, bool born)
{
    uint8_t value[INDEX_VALUE_MAX];
    size_t len = index_value_encode(key, version, value);
    overlay_put(store->active,
                &(struct overlay_put){*key, version->stamp, {value, len}, newest, born});
}

enum err store_get(struct store *store, struct object_key key, struct stamp at,
                   struct object_version *out)
{
    struct version version;
    *out = (struct object_version){.stamp = STAMP_ZERO};
    if (!store_readable(store, at))
        return ERR_SNAPSHOT_GONE;
    enum err err = lookup(store, &key, at, &version);
    if (err == ERR_NOENT)
        return OK;
    if (err)
        return err;
    out->stamp = version.stamp;
    out->present = version_present(&version);
    out->value = version.value;
    out->chunks = version_chunks(&version);
    return OK;
}

/* --- walks: three ordered layers merged by object key --- */

static struct overlay_object *in_range(const struct walk *walk, struct overlay_object *object)
{
    return object && object_key_compare(&object->key, &walk->to) <= 0 ? object : NULL;
}

/* Moves the disk layer to the first object at or after `from`. */
static enum err seek_disk(struct walk *walk, const struct object_key *from)
{
    const struct env_ops *ops = walk->store->env->ops;
    struct bytes found, value;
    struct stamp stamp;
    uint8_t seek[INDEX_KEY];
    index_key_encode(from, STAMP_MAX, seek);
    walk->on_disk = false;
    enum err err =
        ops->cursor_seek(walk->store->cursor, (struct bytes){seek, INDEX_KEY}, &found, &value);
    if (err)
        return err == ERR_NOENT ? OK : err;
    if (found.len != INDEX_KEY || found.data[0] > walk->to.kind)
        return OK;
    err = index_key_decode(found, &walk->disk, &stamp);
    walk->on_disk = !err && object_key_compare(&walk->disk, &walk->to) <= 0;
    return err;
}

enum err walk_begin(struct walk *walk, struct store *store, struct object_key from,
                    struct object_key to)
{
    *walk = (struct walk){.store = store, .to = to};
    if (object_key_compare(&from, &to) > 0)
        return OK;
    if (!MUTANT(walk_skips_memory))
        walk->active = in_range(walk, overlay_at(store->active, &from));
    walk->frozen = store->frozen ? in_range(walk, overlay_at(store->frozen, &from)) : NULL;
    return seek_disk(walk, &from);
}

static bool smallest(const struct walk *walk, struct object_key *key)
{
    const struct object_key *best = walk->on_disk ? &walk->disk : NULL;
    if (walk->active && (!best || object_key_compare(&walk->active->key, best) < 0))
        best = &walk->active->key;
    if (walk->frozen && (!best || object_key_compare(&walk->frozen->key, best) < 0))
        best = &walk->frozen->key;
    if (best)
        *key = *best;
    return best != NULL;
}

bool object_key_next(struct object_key *key)
{
    if (++key->sub == 0 && ++key->ino == 0)
        return ++key->kind != 0;
    return true;
}

static enum err step_over(struct walk *walk, const struct object_key *key)
{
    if (walk->active && object_key_equal(&walk->active->key, key))
        walk->active = in_range(walk, overlay_next(walk->active));
    if (walk->frozen && object_key_equal(&walk->frozen->key, key))
        walk->frozen = in_range(walk, overlay_next(walk->frozen));
    if (!walk->on_disk || !object_key_equal(&walk->disk, key))
        return OK;
    struct object_key next = *key;
    walk->on_disk = false;
    return object_key_next(&next) ? seek_disk(walk, &next) : OK;
}

enum err walk_next(struct walk *walk, struct object_key *key)
{
    if (!smallest(walk, key))
        return ERR_NOENT;
    return step_over(walk, key);
}

enum err store_scan(struct store *store, uint8_t kind, uint64_t ino, uint64_t from, uint64_t to,
                    struct stamp at,
                    bool (*each)(void *ctx, const struct object_key *key,
                                 const struct object_version *version),
                    void *ctx)
{
    struct walk walk;
    struct object_key key;
    enum err err = walk_begin(&walk, store, (struct object_key){kind, ino, from},
                              (struct object_key){kind, ino, to});
    while (!err && (err = walk_next(&walk, &key)) == OK) {
        struct object_version version;
        err = store_get(store, key, at, &version);
        if (!err && version.present && !each(ctx, &key, &version))
            return OK;
    }
    return err == ERR_NOENT ? OK : err;
}

enum err store_each(struct store *store,
                    void (*each)(void *ctx, const struct object_key *key,
                                 const struct object_version *version),
                    void *ctx)
{
    const struct object_key first = {0, 0, 0}, last = {OBJECT_NOTE - 1, UINT64_MAX, UINT64_MAX};
    struct object_key key;
    struct walk walk;
    enum err err = walk_begin(&walk, store, first, last);
    while (!err && (err = walk_next(&walk, &key)) == OK) {
        struct object_version version;
        err = store_get(store, key, STAMP_MAX, &version);
        if (!err && version.present)
            each(ctx, &key, &version);
    }
    return err == ERR_NOENT ? OK : err;
}
