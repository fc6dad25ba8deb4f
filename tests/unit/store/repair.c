/* SPDX-License-Identifier: MIT
 *
 * repair.c: a replica is made what another is, by comparing leaves of a hash tree.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pair.h"

#define WAIT_NS   UINT64_C(60000000000)
#define LEAF_MOST 256u

struct listing {
    struct object_key last;
    struct object_key keys[LEAF_MOST];
    struct stamp stamps[LEAF_MOST];
    uint32_t count;
};

static bool list_one(void *ctx, const struct object_key *key, const struct object_version *version)
{
    struct listing *listing = ctx;
    if (object_key_compare(key, &listing->last) > 0)
        return false;
    assert_true(listing->count < LEAF_MOST);
    listing->keys[listing->count] = *key;
    listing->stamps[listing->count++] = version->stamp;
    return true;
}

static void list(struct store *store, struct stamp at, const struct store_digest *leaf,
                 struct listing *out)
{
    struct store_walk walk = {.from = leaf->walk.from, .at = at, .most = LEAF_MOST};
    out->count = 0;
    out->last = leaf->last;
    assert_int_equal(store_walk(store, &walk, list_one, out), OK);
}

static bool wait_for_room(struct world *w)
{
    while (!sim_crashed(w->env) && !store_has_room(w->store) && sim_step(w->sim))
        ;
    return !sim_crashed(w->env);
}

static bool acted(struct pair *p, enum act act, const struct object_key *keys, uint32_t count,
                  enum err err)
{
    if (sim_crashed(p->to.env))
        return false;
    assert_int_equal(err, OK);
    if (p->acted)
        p->acted(p, act, keys, count);
    while (world_random(&p->from) % 2 && sim_step(p->to.sim))
        ;
    return !sim_crashed(p->to.env);
}

struct fetching {
    struct store_export export; /* comes first */
    bool over;
};

static void fetched(struct store_export *export)
{
    ((struct fetching *)(void *)export)->over = true;
}

static bool is_over(void *ctx)
{
    return ((struct fetching *)ctx)->over;
}

static bool fetch(struct pair *p, struct stamp at, const struct object_key *keys, uint32_t count)
{
    bool alive = true;
    while (count && alive && wait_for_room(&p->to)) {
        struct fetching f = {.export = {.keys = keys,
                                        .count = count,
                                        .at = at,
                                        .most_bytes = (uint32_t)(world_random(&p->from) % 150000),
                                        .done = fetched}};
        f.over = store_export(p->from.store, &f.export);
        if (!f.over && !sim_run_until(p->from.sim, is_over, &f, WAIT_NS))
            fail_msg("an export was never answered");
        assert_int_equal(f.export.err, OK);
        assert_true(f.export.taken > 0 && f.export.taken <= count);
        struct store_shipped shipped = {f.export.head, f.export.payload, NULL};
        enum err err = store_adopt(p->to.store, &shipped);
        alive = acted(p, ACT_ADOPT, keys, f.export.taken, err);
        keys += f.export.taken;
        count -= f.export.taken;
        store_export_free(&f.export);
    }
    return alive && !sim_crashed(p->to.env);
}

/* What is in both lists with the same stamp stays. */
static bool mend_leaf(struct pair *p, const struct store_digest *leaf)
{
    static struct listing mine, yours;
    struct object_key wanted[LEAF_MOST], gone[LEAF_MOST];
    uint32_t wanted_count = 0, gone_count = 0, i = 0, j = 0;
    list(p->from.store, leaf->walk.at, leaf, &mine);
    list(p->to.store, STAMP_MAX, leaf, &yours);
    while (i < mine.count || j < yours.count) {
        int order = i == mine.count    ? 1
                    : j == yours.count ? -1
                                       : object_key_compare(&mine.keys[i], &yours.keys[j]);
        if (order < 0 || (order == 0 && stamp_compare(mine.stamps[i], yours.stamps[j]) != 0))
            wanted[wanted_count++] = mine.keys[i];
        if (order > 0)
            gone[gone_count++] = yours.keys[j];
        i += order <= 0;
        j += order >= 0;
    }
    if (gone_count && wait_for_room(&p->to)) {
        enum err err = store_adopt_absent(p->to.store, gone, gone_count);
        if (!acted(p, ACT_ABSENT, gone, gone_count, err))
            return false;
    }
    return !sim_crashed(p->to.env) && fetch(p, leaf->walk.at, wanted, wanted_count);
}

/* The leaf of `to` with the same bounds. */
static bool same_leaf(struct pair *p, const struct store_digest *leaf)
{
    struct store_digest other = {.walk = {.from = leaf->walk.from, .at = STAMP_MAX, .most = 1000},
                                 .to = leaf->last};
    enum err err = store_digest(p->to.store, &other);
    if (sim_crashed(p->to.env))
        return true;
    assert_int_equal(err, OK);
    assert_int_equal(object_key_compare(&other.last, &leaf->last), 0);
    return other.count == leaf->count && other.hash == leaf->hash;
}

static const struct object_key greatest = {UINT8_MAX, UINT64_MAX, UINT64_MAX};

bool pair_repair(struct pair *p, uint32_t leaf_size)
{
    struct stamp at = store_last_stamp(p->from.store);
    struct store_digest leaf = {.walk = {.at = at, .most = leaf_size, .more = true}};
    struct store_pin pin;
    bool alive = true;
    store_pin(p->from.store, at, &pin);
    while (alive && leaf.walk.more) {
        leaf.to = greatest;
        assert_int_equal(store_digest(p->from.store, &leaf), OK);
        if (!same_leaf(p, &leaf))
            alive = mend_leaf(p, &leaf);
        leaf.walk.from = leaf.walk.next;
    }
    store_unpin(p->from.store, &pin);
    if (!alive || !wait_for_room(&p->to))
        return false;
    enum err err = store_adopt_end(p->to.store, at);
    return acted(p, ACT_END, NULL, 0, err);
}

void pair_digests_equal(struct pair *p)
{
    struct store_digest leaf = {.walk = {.at = STAMP_MAX,
                                         .most = 1 + (uint32_t)(world_random(&p->from) % 5),
                                         .more = true}};
    while (leaf.walk.more) {
        leaf.to = greatest;
        assert_int_equal(store_digest(p->from.store, &leaf), OK);
        if (!same_leaf(p, &leaf))
            fail_msg("the digests of a leaf differ");
        leaf.walk.from = leaf.walk.next;
    }
}
