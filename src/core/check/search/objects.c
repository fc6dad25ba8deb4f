/* SPDX-License-Identifier: MIT
 *
 * objects.c: which objects can be judged apart.
 */
#include "core/check/search/objects.h"

#include "core/check/search/blame.h"

struct grouping {
    const struct history *history;
    uint32_t *leaders; /* by key: a key of the same group; itself for one of each group */
    uint32_t *numbers; /* by key that leads: its group */
};

static uint32_t leader(struct grouping *g, uint32_t key)
{
    while (g->leaders[key] != key)
        key = g->leaders[key] = g->leaders[g->leaders[key]];
    return key;
}

/* A key that the transaction uses, or PLACE_NONE. */
static uint32_t key_of(const struct history *history, const struct history_txn *txn)
{
    for (uint32_t i = 0; i < txn->count; i++)
        if (history_act(history, txn, i)->code != ACT_SYNC)
            return history_act(history, txn, i)->key;
    return PLACE_NONE;
}

static void join(struct grouping *g, const struct history_txn *txn)
{
    uint32_t first = key_of(g->history, txn);
    for (uint32_t i = 0; i < txn->count; i++) {
        const struct history_act *act = history_act(g->history, txn, i);
        if (act->code != ACT_SYNC)
            g->leaders[leader(g, act->key)] = leader(g, first);
    }
}

static void number_groups(struct grouping *g, struct arena *arena, struct objects *out)
{
    uint32_t keys = g->history->key_count;
    out->places = ARENA_ARRAY(arena, uint32_t, keys + 1);
    out->sizes = ARENA_ARRAY(arena, uint32_t, keys + 1);
    g->numbers = ARENA_ARRAY(arena, uint32_t, keys + 1);
    for (uint32_t key = 0; key < keys; key++)
        if (leader(g, key) == key)
            g->numbers[key] = out->groups++;
    for (uint32_t key = 0; key < keys; key++)
        out->places[key] = out->sizes[g->numbers[leader(g, key)]]++;
}

/* The group of a transaction, or PLACE_NONE. */
static uint32_t group_of(struct grouping *g, const struct history_txn *txn)
{
    uint32_t key = key_of(g->history, txn);
    if (txn->outcome == OUTCOME_FAILED || key == PLACE_NONE)
        return PLACE_NONE;
    return g->numbers[leader(g, key)];
}

static void share_out(struct grouping *g, struct arena *arena, struct objects *out)
{
    const struct history *history = g->history;
    uint32_t *next = ARENA_ARRAY(arena, uint32_t, out->groups + 1);
    out->first = ARENA_ARRAY(arena, uint32_t, out->groups + 1);
    out->parts = arena_alloc(arena, (history->txn_count + 1) * sizeof *out->parts);
    for (uint32_t i = 0; i < history->txn_count; i++) {
        uint32_t group = group_of(g, &history->txns[i]);
        if (group != PLACE_NONE)
            out->first[group + 1]++;
    }
    for (uint32_t i = 0; i < out->groups; i++)
        next[i + 1] = out->first[i + 1] += out->first[i];
    for (uint32_t i = 0; i < history->txn_count; i++) {
        uint32_t group = group_of(g, &history->txns[i]);
        if (group != PLACE_NONE)
            out->parts[next[group]++] = (struct part){.txn = i, .role = PART_REQUIRED};
    }
}

void objects_group(const struct history *history, bool together, struct arena *arena,
                   struct objects *out)
{
    struct grouping g = {.history = history};
    *out = (struct objects){0};
    g.leaders = arena_alloc(arena, (history->key_count + 1) * sizeof *g.leaders);
    for (uint32_t key = 0; key < history->key_count; key++)
        g.leaders[key] = together ? 0 : key;
    for (uint32_t i = 0; i < history->txn_count; i++)
        if (history->txns[i].outcome != OUTCOME_FAILED && history->txns[i].count > 1)
            join(&g, &history->txns[i]);
    number_groups(&g, arena, out);
    share_out(&g, arena, out);
}

struct question objects_question(const struct checking *c, struct models *models)
{
    return (struct question){
        .history = c->history,
        .models = models,
        .order = ORDER_REAL_TIME,
        .steps = c->limits.steps,
        .bytes = c->limits.bytes,
    };
}

bool objects_search(struct checking *c, struct question *question, objects_broken *broken)
{
    struct objects objects;
    struct arena arena;
    arena_init(&arena);
    objects_group(c->history, false, &arena, &objects);
    bool holds = true;
    uint64_t left = question->steps;
    for (uint32_t g = 0;
         g < objects.groups && c->verdict->result != CHECK_BROKEN && (holds || broken); g++) {
        struct serial_answer answer;
        question->places = objects.places;
        question->objects = objects.sizes[g];
        question->parts = objects.parts + objects.first[g];
        question->part_count = objects.first[g + 1] - objects.first[g];
        question->steps = left;
        serialise(question, &answer);
        left -= answer.steps < left ? answer.steps : left;
        holds = holds && answer.result == SERIAL_FOUND;
        if (answer.result == SERIAL_NONE && broken)
            broken(c, question, &answer);
        if (broken)
            blame_limits(c, &answer, c->limits.steps);
    }
    arena_free(&arena);
    return holds;
}

static bool makes_unknown(const struct history *history, const struct history_act *act)
{
    return (act->code == ACT_CREATE || act->code == ACT_MKDIR) &&
           history->keys[act->key].model == MODEL_TREE && act->args[2] == VALUE_NONE &&
           !(act->known && act->fault);
}

bool objects_known(struct checking *c)
{
    char line[512];
    for (uint32_t i = 0; i < c->history->txn_count; i++) {
        const struct history_txn *txn = &c->history->txns[i];
        for (uint32_t j = 0; j < txn->count && txn->outcome != OUTCOME_FAILED; j++) {
            if (!makes_unknown(c->history, history_act(c->history, txn, j)))
                continue;
            checking_undecided(c, "The history does not tell the inode that this made: %s",
                               txn_print(c->history, i, line, sizeof line));
            return false;
        }
    }
    return true;
}
