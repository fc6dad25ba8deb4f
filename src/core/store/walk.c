/* SPDX-License-Identifier: MIT
 *
 * walk.c: all objects of a snapshot, in order, and what hash their names and stamps have.
 *
 * A digest is the sum of a hash for each object: so digests of adjoining ranges add up to that of
 * both, and leaves of a hash tree can be cut anywhere. It is no defence against a peer that wants
 * two different sets to look the same.
 */
#include "core/store/store_private.h"

/* Objects that are not present are passed over, but not for ever. */
#define PASSED_MOST(most) (UINT64_C(1024) + UINT64_C(8) * (most))

static const struct object_key last_key = {OBJECT_NOTE - 1, UINT64_MAX, UINT64_MAX};

struct visit {
    struct store *store;
    struct stamp at;
    uint32_t most;
    bool (*each)(void *ctx, const struct object_key *key, const struct object_version *version);
    void *ctx;
    /* out */
    bool stopped;           /* before the end of the range */
    struct object_key next; /* stopped: where to go on */
};

/* Stops at the object that would be one too many, so that there is one where it stops. */
static enum err visit_range(struct visit *visit, struct object_key from, struct object_key to)
{
    struct walk walk;
    struct object_key key;
    uint64_t given = 0, passed = 0;
    enum err err = walk_begin(&walk, visit->store, from, to);
    while (!err && (err = walk_next(&walk, &key)) == OK) {
        struct object_version version;
        err = store_get(visit->store, key, visit->at, &version);
        if (err)
            return err;
        visit->next = key;
        visit->stopped =
            version.present ? given == visit->most : passed++ == PASSED_MOST(visit->most);
        if (visit->stopped)
            return OK;
        if (!version.present)
            continue;
        given++;
        if (visit->each(visit->ctx, &key, &version))
            continue;
        visit->stopped = object_key_next(&visit->next);
        return OK;
    }
    return err == ERR_NOENT ? OK : err;
}

enum err store_walk(struct store *store, struct store_walk *walk,
                    bool (*each)(void *ctx, const struct object_key *key,
                                 const struct object_version *version),
                    void *ctx)
{
    struct visit visit = {
        .store = store, .at = walk->at, .most = walk->most, .each = each, .ctx = ctx};
    enum err err = visit_range(&visit, walk->from, last_key);
    walk->more = visit.stopped;
    walk->next = visit.next;
    return err;
}

static bool add_object(void *ctx, const struct object_key *key,
                       const struct object_version *version)
{
    struct store_digest *digest = ctx;
    uint8_t name[INDEX_KEY];
    index_key_encode(key, MUTANT(digest_without_stamp) ? STAMP_ZERO : version->stamp, name);
    digest->hash += checksum64(name, sizeof name, 0);
    digest->count++;
    return true;
}

static bool stop(void *ctx, const struct object_key *key, const struct object_version *version)
{
    (void)ctx;
    (void)key;
    (void)version;
    return false;
}

/* The greatest key that is smaller; the key is not the smallest. */
static struct object_key object_key_before(struct object_key key)
{
    if (key.sub-- == 0 && key.ino-- == 0)
        key.kind--;
    return key;
}

/* Is there anything behind the range? */
static enum err look_behind(struct visit *visit, const struct object_key *to)
{
    struct object_key from = *to;
    visit->stopped = false;
    visit->most = 0;
    visit->each = stop;
    if (!object_key_next(&from) || object_key_compare(&from, &last_key) > 0)
        return OK;
    return visit_range(visit, from, last_key);
}

enum err store_digest(struct store *store, struct store_digest *digest)
{
    struct store_walk *walk = &digest->walk;
    struct object_key to = object_key_compare(&digest->to, &last_key) < 0 ? digest->to : last_key;
    struct visit visit = {
        .store = store, .at = walk->at, .most = walk->most, .each = add_object, .ctx = digest};
    digest->hash = digest->count = 0;
    digest->last = digest->to;
    enum err err = visit_range(&visit, walk->from, to);
    if (visit.stopped)
        digest->last = object_key_before(visit.next);
    else
        err = err ? err : look_behind(&visit, &to);
    walk->more = visit.stopped;
    walk->next = visit.next;
    return err;
}
