/* SPDX-License-Identifier: MIT
 *
 * reads_from.c: which write each read returned (the writes-into order of Ahamad et al. 1995, 2.1;
 * the reads-from relation of Bouajjani et al. 2017, 2).
 *
 * Law
 *   F1  Operations of one session have consecutive numbers, in the order in which it did them.
 *   F2  A slot of the table holds the source of one (key, value), or no key. Only values that
 *       something wrote are there; from the slot of its hash up to its own no slot is free, and at
 *       most half are in use.
 *   F3  A value has the source SOURCE_UNDONE only when nothing that may have taken effect wrote it.
 */
#include "core/check/causal/reads_from.h"

#include <string.h>

#include "core/base/assert.h"

struct source_slot {
    uint32_t key_after, value, source; /* key_after: the key + 1; 0: free */
};

/* --- the table --- */

static struct source_slot *slot_of(const struct reads_from *rf, uint32_t key, uint32_t value)
{
    uint32_t mask = rf->table_size - 1;
    uint64_t h = ((uint64_t)key << 32 | value) * UINT64_C(0x9e3779b97f4a7c15);
    for (uint32_t at = (uint32_t)(h >> 32) & mask;; at = (at + 1) & mask) {
        struct source_slot *slot = &rf->table[at];
        if (!slot->key_after || (slot->key_after == key + 1 && slot->value == value))
            return slot;
    }
}

uint32_t reads_from_source(const struct reads_from *rf, uint32_t key, uint32_t value)
{
    const struct source_slot *slot = slot_of(rf, key, value);
    bool nothing = value == VALUE_NONE && rf->history->keys[key].model == MODEL_REGISTER;
    if (!slot->key_after)
        return nothing ? SOURCE_NONE : SOURCE_NOBODY;
    if (nothing) /* somebody wrote "nothing" */
        return slot->source == SOURCE_UNDONE ? SOURCE_NONE : SOURCE_MANY;
    return slot->source;
}

static void note_write(struct reads_from *rf, uint32_t key, uint32_t value, uint32_t source)
{
    struct source_slot *slot = slot_of(rf, key, value);
    if (!slot->key_after)
        *slot = (struct source_slot){key + 1, value, source};
    else if (slot->source == SOURCE_UNDONE)
        slot->source = source;
    else if (source != SOURCE_UNDONE)
        slot->source = SOURCE_MANY;
}

/* --- the operations --- */

static bool is_plain(const struct history *history, const struct history_act *act)
{
    return act->code != ACT_SYNC && history->keys[act->key].model != MODEL_TREE;
}

static bool is_write(const struct history_act *act)
{
    return act->code == ACT_WRITE || act->code == ACT_APPEND || act->code == ACT_ADD ||
           act->code == ACT_INCREMENT || act->code == ACT_CAS;
}

/* Whether the act reads, and what it read is known. */
static bool is_read(const struct history *history, const struct history_act *act)
{
    bool unknown = history->keys[act->key].model == MODEL_COUNTER && act->value == VALUE_NONE;
    return (act->code == ACT_READ || act->code == ACT_CAS) && act->known && act->fault == OK &&
           !unknown;
}

/* Refused acts took no effect. */
static bool is_effective(const struct history_act *act)
{
    return act->fault == OK;
}

static uint32_t written(const struct history_act *act)
{
    return act->code == ACT_CAS ? act->args[1] : act->args[0];
}

static void add_read(struct reads_from *rf, struct operation *op, const struct history_act *act)
{
    op->value = act->code == ACT_CAS ? act->args[0] : act->value;
    if (op->model == MODEL_LIST || op->model == MODEL_SET) {
        op->seen = rf->seen_count;
        rf->seen_count += act->count;
    }
    if (op->model == MODEL_COUNTER && !history_integer(rf->history, op->value, &op->number))
        op->source = SOURCE_NOBODY;
}

static uint32_t add_operations(struct reads_from *rf, uint32_t at, uint32_t txn, uint32_t act_index)
{
    const struct history_act *act = &rf->history->acts[act_index];
    struct operation op = {.txn = txn,
                           .act = act_index,
                           .key = act->key,
                           .source = SOURCE_MANY,
                           .model = rf->history->keys[act->key].model};
    if (is_read(rf->history, act)) {
        add_read(rf, &op, act);
        rf->ops[at++] = op;
    }
    if (is_write(act) && is_effective(act)) {
        op.writes = true;
        op.value = written(act);
        if (op.model == MODEL_COUNTER && !history_integer(rf->history, op.value, &op.number))
            op.number = 0;
        note_write(rf, op.key, op.value, at);
        rf->ops[at++] = op;
    }
    return at;
}

/* Counts each session's transactions; session_first is for now where they begin. Returns how many
 * there are in all. */
static uint32_t lay_out(struct reads_from *rf)
{
    const struct history *history = rf->history;
    uint32_t *first = rf->session_first;
    for (uint32_t i = 0; i < history->txn_count; i++)
        if (history->txns[i].outcome != OUTCOME_FAILED)
            first[history->txns[i].session + 1]++;
    for (uint32_t s = 0; s < rf->sessions; s++)
        first[s + 1] += first[s];
    return first[rf->sessions];
}

static void note_undone(struct reads_from *rf, const struct history_txn *txn)
{
    for (uint32_t i = 0; i < txn->count; i++) {
        const struct history_act *act = history_act(rf->history, txn, i);
        if (is_plain(rf->history, act) && is_write(act))
            note_write(rf, act->key, written(act), SOURCE_UNDONE);
    }
}

/* The transactions in the order of their sessions (F1), then their acts. */
static void add_all(struct reads_from *rf)
{
    const struct history *history = rf->history;
    uint32_t kept = lay_out(rf);
    uint32_t *order = arena_alloc(&rf->arena, (kept + 1) * sizeof *order);
    uint32_t *next = arena_alloc(&rf->arena, (rf->sessions + 1) * sizeof *next);
    memcpy(next, rf->session_first, (rf->sessions + 1) * sizeof *next);
    for (uint32_t i = 0; i < history->txn_count; i++) {
        if (history->txns[i].outcome != OUTCOME_FAILED)
            order[next[history->txns[i].session]++] = i;
        else
            note_undone(rf, &history->txns[i]);
    }
    uint32_t at = 0, session = 0;
    for (uint32_t i = 0; i < kept; i++) {
        const struct history_txn *txn = &history->txns[order[i]];
        while (session <= txn->session)
            rf->session_first[session++] = at;
        for (uint32_t j = 0; j < txn->count; j++)
            if (is_plain(history, history_act(history, txn, j)))
                at = add_operations(rf, at, order[i], txn->first + j);
    }
    while (session <= rf->sessions)
        rf->session_first[session++] = at;
    rf->count = at;
}

static void find_seen(struct reads_from *rf, struct operation *op)
{
    const struct history_act *act = &rf->history->acts[op->act];
    uint32_t *seen = rf->seen + op->seen;
    for (uint32_t i = 0; i < act->count; i++) {
        uint32_t source = reads_from_source(rf, op->key, rf->history->pool[act->list + i]);
        if (source < SOURCE_FIRST)
            seen[op->count++] = source;
    }
}

static void find_sources(struct reads_from *rf)
{
    rf->seen = arena_alloc(&rf->arena, ((size_t)rf->seen_count + 1) * sizeof *rf->seen);
    for (uint32_t i = 0; i < rf->count; i++) {
        struct operation *op = &rf->ops[i];
        if (op->writes)
            op->unique = reads_from_source(rf, op->key, op->value) == i;
        else if (op->model == MODEL_REGISTER)
            op->source = reads_from_source(rf, op->key, op->value);
        else if (op->model != MODEL_COUNTER)
            find_seen(rf, op);
    }
}

bool reads_from_init(struct reads_from *rf, struct checking *c)
{
    const struct history *history = c->history;
    uint64_t elements = 0;
    for (uint32_t i = 0; i < history->act_count; i++)
        elements += history->acts[i].count;
    /* operations and table here; the checkers' own arrays of operations are no larger */
    uint64_t bytes = 4 * elements + history->act_count * UINT64_C(400);
    if (bytes > c->limits.bytes || elements > UINT32_MAX / 2 ||
        history->act_count > UINT32_MAX / 8) {
        checking_undecided(c, "The history is larger than the limit of memory allows.");
        return false;
    }
    *rf = (struct reads_from){.history = c->history, .sessions = history->sessions};
    arena_init(&rf->arena);
    rf->table_size = 16;
    while (rf->table_size < 2 * history->act_count)
        rf->table_size *= 2;
    rf->table = ARENA_ARRAY(&rf->arena, struct source_slot, rf->table_size);
    rf->session_first = ARENA_ARRAY(&rf->arena, uint32_t, rf->sessions + 2);
    rf->ops = arena_alloc(&rf->arena, (2 * (size_t)history->act_count + 1) * sizeof *rf->ops);
    add_all(rf);
    find_sources(rf);
    return true;
}

void reads_from_free(struct reads_from *rf)
{
    arena_free(&rf->arena);
}

/* --- reads that nothing explains --- */

const char *operation_print(const struct reads_from *rf, struct checking *c, uint32_t op)
{
    char line[512];
    const struct history_act *act = &rf->history->acts[rf->ops[op].act];
    return checking_print(c, "%s", act_print(rf->history, act, line, sizeof line));
}

uint32_t operation_process(const struct reads_from *rf, uint32_t op)
{
    return rf->history->txns[rf->ops[op].txn].process;
}

static void unexplained(const struct reads_from *rf, struct checking *c, uint32_t op,
                        enum anomaly anomaly)
{
    if (!checking_broken(c, anomaly, false))
        return;
    checking_text(c, "Process %u: %s. That cannot be: %s.", operation_process(rf, op),
                  operation_print(rf, c, op), anomaly_text(anomaly));
    checking_step(c, rf->ops[op].txn, "%s", anomaly_text(anomaly));
}

static enum anomaly anomaly_of(uint32_t source)
{
    if (source == SOURCE_NOBODY)
        return ANOMALY_GARBAGE;
    return source == SOURCE_UNDONE ? ANOMALY_G1A : ANOMALY_NONE;
}

/* `shown` remembers for each operation the last read (and 1) that showed it. */
static enum anomaly anomaly_of_elements(const struct reads_from *rf, uint32_t op, uint32_t *shown)
{
    const struct history_act *act = &rf->history->acts[rf->ops[op].act];
    for (uint32_t i = 0; i < act->count; i++) {
        uint32_t source = reads_from_source(rf, rf->ops[op].key, rf->history->pool[act->list + i]);
        if (anomaly_of(source))
            return anomaly_of(source);
        if (source < SOURCE_FIRST && shown[source] == op + 1 && rf->ops[op].model == MODEL_LIST)
            return ANOMALY_DUPLICATE;
        if (source < SOURCE_FIRST)
            shown[source] = op + 1;
    }
    return ANOMALY_NONE;
}

bool reads_from_explained(const struct reads_from *rf, struct checking *c)
{
    struct arena arena;
    arena_init(&arena);
    uint32_t *shown = ARENA_ARRAY(&arena, uint32_t, (size_t)rf->count + 1);
    bool explained = true;
    for (uint32_t i = 0; i < rf->count; i++) {
        const struct operation *op = &rf->ops[i];
        if (op->writes)
            continue;
        bool elements = op->model == MODEL_LIST || op->model == MODEL_SET;
        enum anomaly anomaly =
            elements ? anomaly_of_elements(rf, i, shown) : anomaly_of(op->source);
        if (anomaly) {
            unexplained(rf, c, i, anomaly);
            explained = false;
        }
    }
    arena_free(&arena);
    return explained;
}
