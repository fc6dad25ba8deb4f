/* SPDX-License-Identifier: MIT
 *
 * replica_cut.c: power cuts under the store of a replica: it takes records from another store,
 * goes its own way, is repaired, notes things. The main program is that of cut.c.
 *
 * Definitions
 *   state    what the replica holds after each change of it: its objects, its note, its last stamp
 *   line     the commits of the replica since its log began anew, at a repair's end
 *
 * Law, checked after every cut
 *   Q1  What is recovered equals a state, not earlier than what was durable (T4).
 *   Q2  A tail of the replica's log gives the line behind a stamp, or LOG_GONE: never a part of it,
 *       nor anything behind a stamp that is not in the line; not LOG_GONE when nothing is gone.
 *   Q3  A tail that was open while the cleaner worked gives everything (T3).
 *   Q4  In the end the replica holds what the other holds (T2), and an index made again from the
 *       log says the same.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/assert.h"
#include "cut.h"
#include "pair.h"

#define WAIT_NS UINT64_C(60000000000)
#define OWN     UINT32_MAX
#define NOTE    8u

enum change { CHANGE_COMMIT, CHANGE_NOTE, CHANGE_ADOPT, CHANGE_END };

struct state {
    enum change change; /* what led to it */
    struct stamp last;
    char note[NOTE];
    uint32_t at; /* the commit of the other store that it equals; OWN: of none */
    bool unsure; /* it, or one before it in the line, was recovered, or another that is like it */
};

struct care {
    struct store_sync sync; /* comes first */
    bool busy;
};

struct life {
    struct pair p; /* comes first */
    struct care care, care_from;
    struct store_tail *held; /* of the other's log, or NULL */
    uint32_t held_at;
    struct state states[HISTORY];
    struct stamp stamps[HISTORY]; /* of the other's commits */
    bool keep;                    /* no log is ever given up */
    uint32_t most;                /* states ever: the last ones may have been lost again */
    struct figures *figures;
};

static uint64_t chance(struct life *l, uint64_t n)
{
    return world_random(&l->p.from) % n;
}

static bool dead(const struct life *l)
{
    return sim_crashed(l->p.to.env);
}

static bool full(const struct life *l)
{
    return l->p.to.commits + 300 > HISTORY || l->p.from.commits + 300 > HISTORY;
}

/* --- states --- */

static void note_of(const struct store *store, char note[NOTE])
{
    struct bytes bytes = store_note(store);
    memset(note, 0, NOTE);
    if (bytes.len)
        memcpy(note, bytes.data, bytes.len < NOTE ? bytes.len : NOTE);
}

/* The model of `to` is up to date: a state. `counted`: world_commit did that. */
static void add_state(struct life *l, enum change change, uint32_t at, bool counted)
{
    struct world *w = &l->p.to;
    if (!counted)
        w->history[++w->commits] = w->now;
    struct state *state = &l->states[w->commits];
    *state = (struct state){.change = change, .last = store_last_stamp(w->store), .at = at};
    note_of(w->store, state->note);
    state->unsure = change != CHANGE_END && (state - 1)->unsure;
    l->most = w->commits > l->most ? w->commits : l->most;
    l->figures->commits++;
}

static uint32_t at_now(const struct life *l)
{
    return l->states[l->p.to.commits].at;
}

static bool same_state(struct life *l, uint32_t j)
{
    struct world *w = &l->p.to;
    char note[NOTE];
    enum err err = OK;
    note_of(w->store, note);
    if (memcmp(note, l->states[j].note, NOTE) != 0 ||
        stamp_compare(store_last_stamp(w->store), l->states[j].last) != 0)
        return false;
    for (uint32_t what = 0; what < SMALLS + BLOCKS; what++)
        if (!world_same(w, &w->history[j], what, &err)) {
            if (err)
                cut_fail("an object cannot be read: %s", err_name(err));
            return false;
        }
    return true;
}

static void match(struct life *l)
{
    struct world *w = &l->p.to;
    uint32_t j = w->acked;
    while (j <= w->commits && !same_state(l, j))
        j++;
    for (uint32_t i = 0; j > w->commits && i < w->acked; i++)
        if (same_state(l, i))
            cut_fail("only the first %u of %u states were recovered; %u were durable", i,
                     w->commits, w->acked);
    if (j > w->commits)
        cut_fail("what was recovered is no prefix of the %u states (%u durable)", w->commits,
                 w->acked);
    for (uint32_t later = j + 1; later <= w->commits && !l->states[j].unsure; later++)
        l->states[j].unsure = same_state(l, later);
    l->figures->lost += w->commits - j;
    w->commits = w->acked = j;
    w->now = w->history[j];
}

/* --- Q2 --- */

struct tailing {
    struct store_tail_read read; /* comes first */
    struct life *l;
    struct stamp last;
    uint32_t state; /* of the last record given */
    bool over;
};

/* The state of the next commit of the line, or 0. */
static uint32_t next_commit(const struct life *l, uint32_t state)
{
    while (++state <= l->p.to.commits)
        if (l->states[state].change == CHANGE_COMMIT)
            return state;
    return 0;
}

static void tailed(struct store_tail_read *read, const struct store_record *record)
{
    struct tailing *t = (struct tailing *)(void *)read;
    uint32_t next = next_commit(t->l, t->state);
    if (!next || stamp_compare(t->l->states[next].last, record->stamp) != 0)
        cut_fail("a tail differs from what was committed");
    if (stamp_compare(record->before, t->last) != 0)
        cut_fail("a record of a tail differs in the one before it");
    t->last = record->stamp;
    t->state = next;
}

static void tail_over(struct store_tail_read *read)
{
    ((struct tailing *)(void *)read)->over = true;
}

static bool tail_settled(void *ctx)
{
    struct tailing *t = ctx;
    return t->over || dead(t->l);
}

/* The state in the line behind whose commit `after` a tail may begin; UINT32_MAX: none. */
static uint32_t in_line(const struct life *l, struct stamp after)
{
    for (uint32_t i = l->p.to.commits;; i--) {
        const struct state *state = &l->states[i];
        if (state->change == CHANGE_ADOPT)
            return UINT32_MAX;
        bool here = state->change != CHANGE_NOTE && stamp_compare(state->last, after) == 0;
        if (here || state->change == CHANGE_END || i == 0)
            return here ? i : UINT32_MAX;
    }
}

static void check_tail(struct life *l)
{
    struct world *w = &l->p.to;
    if (l->states[w->commits].unsure)
        return;
    struct stamp after = l->states[chance(l, l->most + 1)].last;
    uint32_t start = in_line(l, after);
    struct store_tail *tail;
    struct tailing t = {
        .read = {.most_bytes = 1u << chance(l, 20), .each = tailed, .done = tail_over},
        .l = l,
        .last = after,
        .state = start};
    enum err err = store_tail_open(w->store, after, &tail);
    bool open = !err, more = open;
    while (more) {
        t.over = store_tail_read(tail, &t.read);
        if (!t.over && !sim_run_until(w->sim, tail_settled, &t, WAIT_NS))
            cut_fail("a tail was never answered");
        if (dead(l))
            return;
        err = t.read.err;
        more = !err && t.read.count;
        if (start == UINT32_MAX && t.read.count)
            cut_fail("a tail differs: it begins where none is");
    }
    if (open)
        store_tail_close(tail);
    bool needed = start != UINT32_MAX && (l->keep || start == w->commits);
    if (err && (err != ERR_LOG_GONE || needed))
        cut_fail("a tail cannot be read: %s", err_name(err));
    if (!err && start == UINT32_MAX)
        cut_fail("a tail differs: there is none behind that stamp");
    if (!err && next_commit(l, t.state))
        cut_fail("a tail differs: it ends early");
}

/* --- what is done to the replica --- */

static void source_commits(struct life *l, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        pair_commits(&l->p, 1);
        l->stamps[l->p.from.commits] = store_last_stamp(l->p.from.store);
    }
}

struct shipping {
    struct store_tail_read read; /* comes first */
    struct life *l;
    bool over;
};

static void ship(struct store_tail_read *read, const struct store_record *record)
{
    struct life *l = ((struct shipping *)(void *)read)->l;
    struct world *w = &l->p.to;
    static uint8_t payload[PAIR_RECORD];
    size_t len = 0;
    while (!dead(l) && !store_has_room(w->store) && sim_step(w->sim))
        ;
    if (dead(l))
        return;
    for (int i = 0; i < record->payload_count; i++) {
        memcpy(payload + len, record->payload[i].data, record->payload[i].len);
        len += record->payload[i].len;
    }
    struct store_shipped shipped = {record->head, {payload, len}, NULL};
    if (len > 0 && chance(l, 8) == 0) { /* damaged on the way */
        payload[len / 2] ^= 4;
        if (store_commit_record(w->store, &shipped) == OK)
            cut_fail("a damaged record was taken");
        payload[len / 2] ^= 4;
    }
    enum err err = store_commit_record(w->store, &shipped);
    if (dead(l))
        return;
    if (err)
        cut_fail("a record is refused: %s", err_name(err));
    uint32_t at = at_now(l) + 1;
    w->now = l->p.from.history[at];
    add_state(l, CHANGE_COMMIT, at, false);
    if (stamp_compare(l->stamps[at], store_last_stamp(w->store)) != 0)
        cut_fail("a tail differs: records are missing");
    while (chance(l, 3) == 0 && !dead(l) && sim_step(w->sim))
        ;
}

static void shipped_all(struct store_tail_read *read)
{
    ((struct shipping *)(void *)read)->over = true;
}

static bool is_over(void *ctx)
{
    return ((struct shipping *)ctx)->over;
}

/* Some of what the other has committed. False: its log is gone. */
static bool catch_up(struct life *l, uint32_t reads)
{
    struct world *from = &l->p.from;
    struct store_tail *tail;
    struct shipping s = {
        .read = {.most_bytes = 1u << chance(l, 18), .each = ship, .done = shipped_all}, .l = l};
    enum err err = store_tail_open(from->store, store_last_stamp(l->p.to.store), &tail);
    if (err && err != ERR_LOG_GONE)
        cut_fail("a tail cannot be opened: %s", err_name(err));
    if (err)
        return false;
    do {
        s.over = store_tail_read(tail, &s.read);
        if (!s.over && !sim_run_until(from->sim, is_over, &s, WAIT_NS))
            cut_fail("a tail was never answered");
        if (s.read.err && s.read.err != ERR_LOG_GONE)
            cut_fail("a tail cannot be read: %s", err_name(s.read.err));
    } while (!s.read.err && s.read.count && --reads && !dead(l));
    store_tail_close(tail);
    return !s.read.err;
}

/* Not in the middle of a repair: what is adopted may be newer than the next commit. */
static void go_own_way(struct life *l)
{
    struct world *w = &l->p.to;
    uint32_t last = w->commits;
    while (last && l->states[last].change == CHANGE_NOTE)
        last--;
    if (l->states[last].change == CHANGE_ADOPT)
        return;
    hlc_observe(&w->clock, store_last_stamp(w->store));
    w->clock.last.time += chance(l, 2) << (12 + chance(l, 24));
    for (uint64_t n = 1 + chance(l, 6); n > 0 && !dead(l); n--) {
        while (!dead(l) && !store_has_room(w->store) && sim_step(w->sim))
            ;
        enum err err = world_commit(w);
        if (dead(l))
            return;
        if (err)
            cut_fail("a commit failed: %s", err_name(err));
        add_state(l, CHANGE_COMMIT, OWN, true);
    }
}

static void set_note(struct life *l)
{
    char text[NOTE];
    snprintf(text, sizeof text, "%u", (unsigned)chance(l, 100000));
    enum err err =
        store_set_note(l->p.to.store, (struct bytes){(const uint8_t *)text, strlen(text)});
    if (dead(l) || err == ERR_AGAIN)
        return;
    if (err)
        cut_fail("the note cannot be set: %s", err_name(err));
    l->p.to.history[l->p.to.commits + 1] = l->p.to.now;
    add_state(l, CHANGE_NOTE, at_now(l), false);
}

static void take_object(struct life *l, const struct object_key *key, bool absent)
{
    struct model *now = &l->p.to.now, *then = &l->p.from.now;
    static const struct model nothing;
    const struct model *source = absent ? &nothing : then;
    for (uint32_t i = 0; i < SMALLS; i++) {
        struct object_key small = world_small(i);
        if (object_key_equal(&small, key))
            now->small[i] = source->small[i];
    }
    for (uint32_t i = 0; i < BLOCKS; i++) {
        struct object_key block = world_block(i);
        if (object_key_equal(&block, key))
            memcpy(now->chunk[i], source->chunk[i], sizeof now->chunk[i]);
    }
}

/* The other commits nothing meanwhile: its model is that of the snapshot. */
static void acted(struct pair *p, enum act act, const struct object_key *keys, uint32_t count)
{
    struct life *l = (struct life *)(void *)p;
    for (uint32_t i = 0; i < count; i++)
        take_object(l, &keys[i], act == ACT_ABSENT);
    bool end = act == ACT_END;
    add_state(l, end ? CHANGE_END : CHANGE_ADOPT, end ? p->from.commits : OWN, false);
    l->figures->orphans += end;
}

static void upkeep_over(struct store_sync *sync, enum err err)
{
    (void)err;
    ((struct care *)(void *)sync)->busy = false;
}

static void upkeep(struct life *l, struct world *w, struct care *care)
{
    if (care->busy)
        return;
    *care = (struct care){.sync.done = upkeep_over, .busy = true};
    if (chance(l, 2))
        store_clean(w->store, &care->sync);
    else
        store_checkpoint(w->store, &care->sync);
}

/* --- Q3: on the other store, which is never cut --- */

static void held_one(struct store_tail_read *read, const struct store_record *record)
{
    struct tailing *t = (struct tailing *)(void *)read;
    if (stamp_compare(record->stamp, t->l->stamps[++t->l->held_at]) != 0)
        cut_fail("a tail differs: what it held is gone");
}

static bool held_over(void *ctx)
{
    return ((struct tailing *)ctx)->over;
}

static enum err read_held(struct life *l, uint32_t most_bytes, uint32_t *count)
{
    struct tailing t = {.read = {.most_bytes = most_bytes, .each = held_one, .done = tail_over},
                        .l = l};
    t.over = store_tail_read(l->held, &t.read);
    if (!t.over && !sim_run_until(l->p.from.sim, held_over, &t, WAIT_NS))
        cut_fail("a tail was never answered");
    *count = t.read.count;
    return t.read.err;
}

static void let_go(struct life *l)
{
    if (l->held)
        store_tail_close(l->held);
    l->held = NULL;
}

/* Opens a tail and finds its place; another time, reads all of it. */
static void hold_tail(struct life *l)
{
    uint32_t count = 1;
    bool fresh = !l->held;
    if (fresh) {
        l->held_at = (uint32_t)chance(l, l->p.from.commits + 1);
        if (store_tail_open(l->p.from.store, l->stamps[l->held_at], &l->held))
            return;
        if (read_held(l, 1, &count))
            let_go(l);
        return;
    }
    while (count)
        if (read_held(l, 100000, &count))
            cut_fail("a tail differs: what it held is gone");
    if (l->held_at != l->p.from.commits)
        cut_fail("a tail differs: it ends early");
    let_go(l);
}

static void repair(struct life *l)
{
    if (!dead(l) && at_now(l) != l->p.from.commits)
        pair_repair(&l->p, 1 + (uint32_t)chance(l, 6));
}

static void act_once(struct life *l)
{
    struct world *w = &l->p.to;
    switch (chance(l, 16)) {
    case 0:
        go_own_way(l);
        break;
    case 1:
    case 2:
        set_note(l);
        break;
    case 3:
        if (!world_sync(w) && !dead(l))
            cut_fail("a sync failed");
        l->figures->durable++;
        break;
    case 4:
        upkeep(l, w, &l->care);
        break;
    case 5:
        upkeep(l, &l->p.from, &l->care_from);
        sim_advance(l->p.from.sim, UINT64_C(500000000));
        break;
    case 6:
        check_tail(l);
        break;
    case 7:
        for (uint64_t end = sim_now(w->sim) + UINT64_C(600000000);
             !dead(l) && sim_now(w->sim) < end && sim_step(w->sim);)
            ;
        break;
    case 8:
        hold_tail(l);
        break;
    default:
        source_commits(l, (uint32_t)chance(l, 8));
        if (at_now(l) == OWN ? chance(l, 3) == 0 : !catch_up(l, 1 + (uint32_t)chance(l, 5)))
            repair(l);
    }
}

/* --- life and death --- */

/* As world_open, but the power may fail meanwhile. False: it did. */
static bool try_to_open(struct life *l)
{
    struct world *w = &l->p.to;
    struct store_error error = {""};
    w->sim = sim_new(world_random(w), w->disk);
    w->env = sim_env(w->sim);
    if (!w->options.rebuild_index && chance(l, 3) == 0)
        sim_crash_at(w->env, 1 + chance(l, 30));
    enum err err = store_open(w->env, &w->options, &w->store, &error);
    if (!dead(l) && err)
        cut_fail("the store cannot be opened: %s: %s", err_name(err), error.text);
    if (!dead(l)) {
        sim_crash_at(w->env, 0);
        return true;
    }
    l->figures->points++;
    l->figures->points_opening++;
    w->store = err ? NULL : w->store;
    world_die(w, true);
    return false;
}

static void bury(struct life *l, bool crash)
{
    struct store_status status;
    store_status(l->p.to.store, &status);
    l->figures->checkpoints += status.checkpoints;
    l->figures->cleaned += status.segments_cleaned;
    l->figures->points += crash || dead(l);
    l->figures->kills += !crash && !dead(l);
    world_die(&l->p.to, crash);
    l->care.busy = false;
}

static void recover(struct life *l)
{
    while (!try_to_open(l))
        ;
    store_check(l->p.to.store);
    match(l);
    store_keep_log(l->p.to.store, l->keep ? UINT64_MAX : 0);
    check_tail(l);
}

static void one_round(struct life *l)
{
    uint32_t far = chance(l, 4) ? 80 : 800, actions = 5 + (uint32_t)chance(l, 60);
    recover(l);
    sim_crash_at(l->p.to.env, 1 + chance(l, far));
    while (actions-- > 0 && !dead(l) && !full(l)) {
        act_once(l);
        l->figures->operations++;
    }
    bury(l, chance(l, 4) != 0);
}

static void equal_in_the_end(struct life *l)
{
    if (at_now(l) == OWN || !catch_up(l, UINT32_MAX))
        repair(l);
    if (at_now(l) != l->p.from.commits)
        cut_fail("the replica does not catch up");
    pair_digests_equal(&l->p);
    if (!same_state(l, l->p.to.commits))
        cut_fail("the replica differs from the other");
    store_check(l->p.to.store);
}

static void open_again(struct life *l)
{
    if (world_close(&l->p.to))
        cut_fail("closing");
    l->p.to.acked = l->p.to.commits;
    recover(l);
}

/* Q4 */
static void end(struct life *l)
{
    recover(l);
    equal_in_the_end(l);
    for (uint32_t i = 0; i < 3; i++) { /* each in a segment of its own */
        go_own_way(l);
        open_again(l);
        equal_in_the_end(l);
        open_again(l);
        source_commits(l, 10);
        equal_in_the_end(l);
    }
    store_keep_log(l->p.to.store, 0);
    l->keep = false;
    sim_advance(l->p.to.sim, UINT64_C(3000000000)); /* the cleaner comes to rest */
    equal_in_the_end(l);
    l->p.to.options.rebuild_index = true;
    open_again(l);
    l->p.to.options.rebuild_index = false;
    /* a hole that the cleaner forgot may have been what made a block its stamp */
    pair_repair(&l->p, 1 + (uint32_t)chance(l, 6));
    equal_in_the_end(l);
}

uint64_t cut_volume(uint64_t seed, uint32_t rounds, struct figures *figures)
{
    struct life *l = calloc(1, sizeof *l);
    INVARIANT(l != NULL);
    setenv("CMOCKA_TEST_ABORT", "1", 1); /* what pair.c and world.c assert ends the process */
    pair_new(&l->p, seed);
    l->figures = figures;
    l->keep = chance(l, 2);
    l->p.hold = true;
    l->p.acted = acted;
    l->p.to.options.limits.overlay_bytes = (6u << 10) << chance(l, 4);
    l->p.to.options.limits.clean_percent = (uint32_t)chance(l, 12);
    l->states[0] = (struct state){.change = CHANGE_END};
    world_die(&l->p.to, false);
    for (uint32_t i = 0; i < rounds; i++)
        one_round(l);
    end(l);
    let_go(l);
    uint64_t trace = checksum64(&l->p.to.now, sizeof l->p.to.now, l->p.to.commits);
    pair_free(&l->p);
    free(l);
    figures->volumes++;
    return trace;
}
