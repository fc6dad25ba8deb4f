/* SPDX-License-Identifier: MIT
 *
 * blame.c: a small witness of a question that has no serialisation.
 *
 * Law
 *   B1  A part that is made free (see serialise.h) allows all that it allowed before, and more. So
 *       what has no serialisation with free parts has none without; those that are not free are a
 *       witness: whatever else happened, they cannot all be right.
 *   B2  What happened up to the furthest place that the search came to has no serialisation either
 *       (the promises in real time are closed under prefixes): parts that began later go, those
 *       that ended later are free.
 *   B3  Parts are made free in halves, quarters, ... as long as no serialisation appears (delta
 *       debugging, Zeller and Hildebrandt 2002). The work is bounded: the witness is small, not
 *       always the smallest. A run that takes too long counts as one that found a serialisation.
 */
#include "core/check/search/blame.h"

#include <string.h>

#define WORK_MAX    UINT64_C(1500000) /* steps in all */
#define RUNS_MAX    2000u
#define RUN_FLOOR   UINT64_C(5000) /* steps that a run may always take */
#define STEPS_SHOWN 20u

struct shrinking {
    struct question question;
    struct part *parts;
    uint64_t work;
    uint32_t runs;
};

static bool still_none(struct shrinking *s)
{
    struct serial_answer answer;
    if (s->work > WORK_MAX || s->runs > RUNS_MAX)
        return false;
    serialise(&s->question, &answer);
    s->work += answer.steps + s->question.part_count;
    s->runs++;
    return answer.result == SERIAL_NONE;
}

static uint32_t count_bound(const struct shrinking *s)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < s->question.part_count; i++)
        count += s->parts[i].role != PART_FREE;
    return count;
}

/* Frees the bound parts from the one at `from` on, `most` of them; takes it back when a
 * serialisation appears. Returns where to go on. */
static uint32_t free_some(struct shrinking *s, uint32_t from, uint32_t most, struct part *before)
{
    uint32_t freed = 0, to = from;
    for (; to < s->question.part_count && freed < most; to++) {
        before[to] = s->parts[to];
        freed += s->parts[to].role != PART_FREE;
        s->parts[to].role = PART_FREE;
    }
    if (freed && !still_none(s))
        memcpy(s->parts + from, before + from, (to - from) * sizeof *before);
    return to;
}

/* B2 */
static void cut_tail(struct shrinking *s, uint64_t stuck_rank, struct part *before)
{
    const struct history *history = s->question.history;
    uint32_t count = s->question.part_count, kept = 0;
    if (stuck_rank == RANK_NEVER)
        return;
    memcpy(before, s->parts, count * sizeof *before);
    for (uint32_t i = 0; i < count; i++) {
        const struct history_txn *txn = &history->txns[before[i].txn];
        if (txn->began > stuck_rank)
            continue;
        s->parts[kept] = before[i];
        if (txn->ended > stuck_rank)
            s->parts[kept].role = PART_FREE;
        kept++;
    }
    s->question.part_count = kept;
    if (!still_none(s)) {
        memcpy(s->parts, before, count * sizeof *before);
        s->question.part_count = count;
    }
}

/* Free parts that only look say nothing any more. */
static void drop_looking(struct shrinking *s)
{
    const struct history *history = s->question.history;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < s->question.part_count; i++) {
        const struct history_txn *txn = &history->txns[s->parts[i].txn];
        bool looks = s->parts[i].role == PART_FREE;
        for (uint32_t j = 0; j < txn->count && looks; j++)
            looks = model_only_looks(history_act(history, txn, j), true);
        if (!looks)
            s->parts[kept++] = s->parts[i];
    }
    s->question.part_count = kept;
}

static void shrink(struct shrinking *s, uint64_t stuck_rank, struct arena *arena)
{
    struct part *before = arena_alloc(arena, (s->question.part_count + 1) * sizeof *before);
    cut_tail(s, stuck_rank, before);
    drop_looking(s);
    uint32_t bound = count_bound(s);
    for (uint32_t most = bound / 2 ? bound / 2 : 1;; most = (most + 1) / 2) {
        for (uint32_t at = 0; at < s->question.part_count;)
            at = free_some(s, at, most, before);
        drop_looking(s);
        uint32_t now = count_bound(s);
        if (s->work > WORK_MAX || s->runs > RUNS_MAX || (most == 1 && now == bound))
            break;
        bound = now;
    }
}

/* "began after 1, 3 had ended": the steps before it, by their numbers in the verdict; or NULL. */
static const char *order_note(struct culprits *k, uint32_t place)
{
    const struct history *history = k->c->history;
    const char *list = NULL;
    uint32_t number = 0;
    if (k->question->order != ORDER_REAL_TIME)
        return NULL;
    for (uint32_t i = 0; i < place; i++) {
        number += k->shown[i];
        if (k->shown[i] && history->txns[k->txns[i]].ended < history->txns[k->txns[place]].began)
            list = list ? checking_print(k->c, "%s, %u", list, number)
                        : checking_print(k->c, "%u", number);
    }
    return list ? checking_print(k->c, "began after %s had ended", list) : NULL;
}

/* Whether two transactions have an argument or an answer in common: a name, an inode, a value. */
static bool is_related(const struct history *history, uint32_t a, uint32_t b)
{
    const struct history_txn *x = &history->txns[a], *y = &history->txns[b];
    for (uint32_t i = 0; i < x->count * y->count; i++) {
        const struct history_act *left = history_act(history, x, i / y->count);
        const struct history_act *right = history_act(history, y, i % y->count);
        for (unsigned j = 0; j < 4; j++)
            for (unsigned m = 0; m < 4; m++)
                if (left->key == right->key && left->args[j] == right->args[m] &&
                    left->args[j] != VALUE_NONE)
                    return true;
    }
    return false;
}

/* Of a long witness people see the last of those that have to do with its end. */
static void choose_shown(struct culprits *k, bool *shown)
{
    uint32_t left = STEPS_SHOWN;
    for (uint32_t i = k->count; i-- > 0 && left;) {
        shown[i] =
            k->count <= STEPS_SHOWN || is_related(k->c->history, k->txns[i], k->txns[k->count - 1]);
        left -= shown[i];
    }
}

static void add_step(struct culprits *k, uint32_t place, const char *why)
{
    const char *note = order_note(k, place);
    if (why)
        note = note ? checking_print(k->c, "%s; %s", note, why) : why;
    if (note)
        checking_step(k->c, k->txns[place], "%s", note);
    else
        checking_step(k->c, k->txns[place], NULL);
}

static void tell(struct culprits *k, enum anomaly anomaly, const char *order)
{
    uint32_t special = UINT32_MAX;
    const char *why = NULL;
    enum anomaly found = anomaly_of(k, &special, &why);
    if (anomaly == ANOMALY_NONE)
        anomaly = found;
    if (!checking_broken(k->c, anomaly, false))
        return;
    const struct history_txn *first = &k->c->history->txns[k->txns[0]];
    uint32_t key = history_act(k->c->history, first, 0)->key;
    checking_text(k->c,
                  "%s: %s. No order of the operations %s gives the answers of these %u%s "
                  "(the others may have happened at any time, or not).",
                  history_key_text(k->c->history, key), anomaly_text(anomaly), order, k->count,
                  k->count > STEPS_SHOWN ? ", the last of which that belong together are shown"
                                         : "");
    choose_shown(k, k->shown);
    for (uint32_t i = 0; i < k->count; i++)
        if (k->shown[i])
            add_step(k, i, k->txns[i] == special ? why : NULL);
}

void blame(struct checking *c, const struct question *question, const struct serial_answer *answer,
           enum anomaly anomaly, const char *order)
{
    struct arena arena;
    arena_init(&arena);
    struct shrinking s = {.question = *question};
    s.parts = arena_alloc(&arena, (question->part_count + 1) * sizeof *s.parts);
    memcpy(s.parts, question->parts, question->part_count * sizeof *s.parts);
    s.question.parts = s.parts;
    s.question.steps = answer->steps * 2 + RUN_FLOOR;
    shrink(&s, answer->stuck_rank, &arena);
    uint32_t *txns = arena_alloc(&arena, (question->part_count + 1) * sizeof *txns);
    bool *shown = ARENA_ARRAY(&arena, bool, question->part_count + (size_t)1);
    struct culprits culprits = {.c = c, .question = question, .txns = txns, .shown = shown};
    for (uint32_t i = 0; i < s.question.part_count; i++)
        if (s.parts[i].role != PART_FREE)
            txns[culprits.count++] = s.parts[i].txn;
    tell(&culprits, anomaly, order);
    arena_free(&arena);
}

void blame_limits(struct checking *c, const struct serial_answer *answer, uint64_t steps)
{
    char line[512];
    if (answer->result == SERIAL_TOO_LONG)
        checking_undecided(c,
                           "The search was given up after %llu steps: the history leaves too "
                           "many orders open.",
                           (unsigned long long)steps);
    else if (answer->result == SERIAL_TOO_LARGE)
        checking_undecided(c,
                           "The search was given up: it would need more than %llu MiB of "
                           "memory.",
                           (unsigned long long)(c->limits.bytes >> 20));
    else if (answer->result == SERIAL_SPANS)
        checking_undecided(c,
                           "A transaction that was answered spans a crash; its outcome must be "
                           "unknown, or it must begin and end on one side: %s",
                           txn_print(c->history, answer->stuck, line, sizeof line));
}
