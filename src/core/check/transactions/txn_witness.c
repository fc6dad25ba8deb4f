/* SPDX-License-Identifier: MIT
 *
 * txn_witness.c: what is wrong with transactions, in words.
 *
 * In the sentences T1, T2, ... are the steps of the witness, by their places.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/assert.h"
#include "core/check/transactions/transactional.h"

#define LIST_SHOWN 6u /* of a longer list only its last values */

static const struct history_act *act_at(const struct txn_check *t, uint32_t act)
{
    return &t->history->acts[act];
}

const char *act_words(struct txn_check *t, uint32_t act)
{
    const struct history *history = t->history;
    const struct history_act *a = act_at(t, act);
    char buf[512];
    if (a->code != ACT_READ || a->count <= LIST_SHOWN)
        return checking_print(t->c, "%s", act_print(history, a, buf, sizeof buf));
    size_t len = 0;
    for (uint32_t i = a->count - LIST_SHOWN; i < a->count && len < sizeof buf; i++)
        len += (size_t)snprintf(buf + len, sizeof buf - len, " %s",
                                history_text(history, history->pool[a->list + i]));
    return checking_print(t->c, "read %s -> [...%s], %u values", history_key_text(history, a->key),
                          buf, a->count);
}

/* --- single reads --- */

static const char *print_in(struct txn_check *t, const char *format, va_list arguments)
{
    char buf[1024];
    vsnprintf(buf, sizeof buf, format, arguments);
    return checking_print(t->c, "%s", buf);
}

static uint32_t process_of(const struct txn_check *t, uint32_t act)
{
    return t->history->txns[t->act_txn[act]].process;
}

void report_act(struct txn_check *t, enum anomaly anomaly, uint32_t act, const char *format, ...)
{
    va_list arguments;
    if (!txn_found(t, anomaly))
        return;
    va_start(arguments, format);
    const char *reason = print_in(t, format, arguments);
    va_end(arguments);
    checking_text(t->c, "Process %u: %s. %s.", process_of(t, act), act_words(t, act), reason);
    checking_step(t->c, t->act_txn[act], "%s: %s", act_words(t, act), reason);
}

void report_acts(struct txn_check *t, enum anomaly anomaly, const uint32_t acts[2],
                 const char *format, ...)
{
    va_list arguments;
    if (!txn_found(t, anomaly))
        return;
    va_start(arguments, format);
    const char *reason = print_in(t, format, arguments);
    va_end(arguments);
    bool swap = acts[0] > acts[1];
    uint32_t first = acts[swap], second = acts[!swap];
    const char *words[2] = {act_words(t, first), act_words(t, second)};
    checking_text(t->c, "Process %u: %s. Process %u: %s. %s.", process_of(t, first), words[0],
                  process_of(t, second), words[1], reason);
    if (t->act_txn[first] == t->act_txn[second]) {
        checking_step(t->c, t->act_txn[first], "%s, then %s: %s", words[0], words[1], reason);
        return;
    }
    checking_step(t->c, t->act_txn[first], "%s", words[0]);
    checking_step(t->c, t->act_txn[second], "%s: %s", words[1], reason);
}

void report_read(struct txn_check *t, enum anomaly anomaly, uint32_t read, uint32_t write)
{
    uint32_t value = VALUE_NONE;
    if (!txn_found(t, anomaly))
        return;
    const char *reason = anomaly == ANOMALY_G1A
                             ? "in a transaction that failed"
                             : "in a transaction that wrote there again before it ended";
    const char *words[2] = {act_words(t, write), act_words(t, read)};
    act_writes(act_at(t, write), &value);
    checking_text(t->c, "Process %u: %s. It saw %s, from process %u: %s, %s.", process_of(t, read),
                  words[1], history_text(t->history, value), process_of(t, write), words[0],
                  reason);
    uint32_t from = checking_step(t->c, t->act_txn[write], "%s, %s", words[0], reason);
    uint32_t to = checking_step(t->c, t->act_txn[read], "%s", words[1]);
    checking_edge(
        t->c,
        &(struct witness_edge){
            .from = from, .to = to, .kind = EDGE_WR, .key = act_at(t, read)->key, .value = value});
}

/* --- cycles --- */

/* One way from a transaction to another, relays left out. */
struct way {
    uint32_t from, to; /* transactions */
    uint32_t number;   /* T<number> is `from` */
    uint32_t next;     /* T<next> is `to` */
    enum edge_kind kind;
    uint8_t exactly; /* the graph's kind */
    uint32_t why;    /* the act of `to`, or NO_ACT */
};

/* The act of a way's first transaction which its second one did not see, overwrote or read. */
static uint32_t act_behind(const struct txn_check *t, const struct way *way)
{
    const struct history_txn *from = &t->history->txns[way->from];
    uint32_t key = act_at(t, way->why)->key, found = NO_ACT, value;
    for (uint32_t act = from->first; act < from->first + from->count; act++) {
        const struct history_act *a = act_at(t, act);
        if (a->key != key || a->code == ACT_SYNC)
            continue;
        bool reads = (a->code == ACT_READ || a->code == ACT_CAS) && !a->fault;
        bool wanted = way->kind == EDGE_RW ? reads && found == NO_ACT : act_writes(a, &value);
        if (wanted)
            found = act;
    }
    return found;
}

/* The value that shows a way: what `to` wrote; of EDGE_WR, what it saw of `from`. */
static uint32_t value_of(const struct txn_check *t, const struct way *way)
{
    const struct history_act *why = act_at(t, way->why);
    uint32_t value = VALUE_NONE;
    if (way->kind != EDGE_WR) {
        act_writes(why, &value);
        return value;
    }
    if (why->code == ACT_CAS)
        return why->args[0];
    if (t->history->keys[why->key].model == MODEL_REGISTER)
        return why->value;
    for (uint32_t i = why->count; i-- > 0;) {
        value = t->history->pool[why->list + i];
        if (writer_of(t, written_find(&t->written, why->key, value)) == way->from)
            return value;
    }
    return VALUE_NONE;
}

/* Whether the act read a register's value that this transaction wrote. */
static bool read_from(const struct txn_check *t, const struct history_act *act, uint32_t txn)
{
    return act->code == ACT_READ && act->known &&
           t->history->keys[act->key].model == MODEL_REGISTER &&
           writer_of(t, written_find(&t->written, act->key, act->value)) == txn;
}

/* What orders two writes of a register that nobody read and then replaced. */
static const char *why_later(struct txn_check *t, const struct way *way)
{
    const struct history *history = t->history;
    uint32_t key = act_at(t, way->why)->key;
    if (way->exactly == EDGE_WW_TIMED)
        return " (whoever used the one had ended before someone began to use the other)";
    for (uint32_t i = 0; i < history->txn_count && way->exactly == EDGE_WW_FORCED; i++) {
        const struct history_txn *txn = &history->txns[i];
        uint32_t part = NO_ACT, other = NO_ACT;
        for (uint32_t act = txn->first; act < txn->first + txn->count; act++) {
            if (read_from(t, act_at(t, act), way->from))
                part = act;
            if (act_at(t, act)->key == key && read_from(t, act_at(t, act), way->to))
                other = act;
        }
        if (part != NO_ACT && other != NO_ACT)
            return checking_print(t->c, " (process %u saw both: %s; %s)", txn->process,
                                  act_words(t, part), act_words(t, other));
    }
    return "";
}

static const char *way_words(struct txn_check *t, const struct way *way)
{
    unsigned from = way->number, to = way->next;
    if (way->kind == EDGE_PROCESS)
        return checking_print(t->c, "T%u had ended before T%u began, in one process", from, to);
    if (way->kind == EDGE_REAL_TIME)
        return checking_print(t->c, "T%u had ended before T%u began", from, to);
    uint32_t behind = act_behind(t, way);
    const char *value = history_text(t->history, value_of(t, way));
    const char *key = history_key_text(t->history, act_at(t, way->why)->key);
    bool list = t->history->keys[act_at(t, way->why)->key].model == MODEL_LIST;
    const char *did = behind == NO_ACT ? "" : act_words(t, behind);
    if (way->kind == EDGE_WR)
        return checking_print(t->c, "T%u saw %s in %s, of T%u: %s", to, value, key, from,
                              act_words(t, way->why));
    if (way->kind == EDGE_RW)
        return checking_print(t->c, "T%u did not see %s in %s, of T%u: %s%s", from, value, key, to,
                              did, way->exactly == EDGE_RW_TIMED ? " (older in real time)" : "");
    if (list)
        return checking_print(t->c, "T%u appended %s to %s behind what T%u appended: %s", to, value,
                              key, from, did);
    return checking_print(t->c, "T%u wrote %s to %s, later than T%u: %s%s", to, value, key, from,
                          did, why_later(t, way));
}

static enum edge_kind plain_kind(uint8_t kind)
{
    if (kind == EDGE_WW_FORCED || kind == EDGE_WW_TIMED)
        return EDGE_WW;
    return kind == EDGE_RW_TIMED ? EDGE_RW : (enum edge_kind)kind;
}

/* The ways of a cycle; returns how many. They begin with the transaction of the lowest number. */
static uint32_t ways_of(const struct txn_check *t, const struct cycle *cycle, struct way *ways)
{
    const struct dependencies *g = &t->graph;
    const struct history_txn *txns = t->history->txns;
    uint32_t count = 0, lowest = 0;
    for (uint32_t i = 0; i < cycle->count; i++) {
        uint64_t edge = cycle->edges[i];
        if (cycle->from[i] < g->txns)
            ways[count++] = (struct way){.from = cycle->from[i], .exactly = g->kind[edge]};
        ways[count - 1].to = g->to[edge];
        ways[count - 1].why = g->why[edge];
    }
    for (uint32_t i = 1; i < count; i++)
        if (ways[i].from < ways[lowest].from)
            lowest = i;
    for (uint32_t i = 0; i < count; i++) {
        ways[i].number = (i + count - lowest) % count + 1;
        ways[i].next = (i + 1 + count - lowest) % count + 1;
        ways[i].kind = plain_kind(ways[i].exactly);
        if (ways[i].kind == EDGE_REAL_TIME &&
            txns[ways[i].from].session == txns[ways[i].to].session)
            ways[i].kind = EDGE_PROCESS;
    }
    return count;
}

static const struct way *way_number(const struct way *ways, uint32_t count, uint32_t number)
{
    for (uint32_t i = 0; i < count; i++)
        if (ways[i].number == number)
            return &ways[i];
    return ways;
}

void cycle_witness(struct txn_check *t, enum anomaly anomaly, const struct cycle *cycle)
{
    struct way *ways = calloc(cycle->count, sizeof *ways);
    INVARIANT(ways != NULL && cycle->from[0] < t->graph.txns);
    uint32_t count = ways_of(t, cycle, ways);
    const char *text = "";
    t->c->verdict->shape = WITNESS_CYCLE;
    for (uint32_t number = 1; number <= count; number++) {
        const struct way *way = way_number(ways, count, number);
        const char *words = way_words(t, way);
        bool time = way->kind == EDGE_REAL_TIME || way->kind == EDGE_PROCESS;
        if (number <= 8)
            text = checking_print(t->c, "%s %s.", text, words);
        checking_step(t->c, way->from, "%s", words);
        checking_edge(t->c, &(struct witness_edge){
                                .from = number - 1,
                                .to = way->next - 1,
                                .kind = (uint8_t)way->kind,
                                .key = time ? 0 : act_at(t, way->why)->key,
                                .value = time ? VALUE_NONE : value_of(t, way),
                            });
    }
    checking_text(t->c, "A cycle of %u transactions (%s): each must come before the next.%s%s",
                  count, anomaly_text(anomaly), text, count > 8 ? " And so on." : "");
    free(ways);
}
