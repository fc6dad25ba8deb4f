/* SPDX-License-Identifier: MIT
 *
 * versions.c: what each transaction read from a register and left in it.
 */
#include "core/check/transactions/versions.h"

#include <stdlib.h>

#include "core/base/assert.h"
#include "core/base/grow.h"

static void *must(void *memory)
{
    INVARIANT(memory != NULL);
    return memory;
}

static const struct history_act *act_at(const struct versions *v, uint32_t act)
{
    return &v->t->history->acts[act];
}

/* --- what took effect --- */

/* An act that wrote, in a transaction that committed. Whether a cas of unknown outcome found what
 * it looked for is only known when its value was seen. */
static bool wrote(const struct versions *v, uint32_t act, uint32_t *value)
{
    const struct history_act *a = act_at(v, act);
    if (!act_writes(a, value))
        return false;
    if (a->code != ACT_CAS || a->known)
        return true;
    const struct writing *writing = written_find(&v->t->written, a->key, *value);
    return writing->acts == 1 && writing->seen;
}

/* An act that tells which value was there before it. */
static bool read(const struct versions *v, uint32_t act, uint32_t *value)
{
    const struct history_act *a = act_at(v, act);
    uint32_t written;
    if (a->code == ACT_READ && a->known && !a->fault) {
        *value = a->value;
        return true;
    }
    if (a->code == ACT_CAS && wrote(v, act, &written)) {
        *value = a->args[0];
        return true;
    }
    return false;
}

void register_observe(struct txn_check *t, uint32_t key)
{
    for (uint32_t i = t->key_first[key]; i < t->key_first[key + 1]; i++) {
        const struct history_act *act = &t->history->acts[t->key_acts[i]];
        if (!act->known || act->fault)
            continue;
        if (act->code == ACT_READ)
            value_seen(t, key, act->value);
        else if (act->code == ACT_CAS)
            value_seen(t, key, act->args[0]);
    }
}

/* --- gathering --- */

static uint32_t add_version(struct versions *v, uint32_t key, uint32_t txn, uint32_t act)
{
    v->all = grow(v->all, v->count, &v->room, sizeof *v->all);
    v->all[v->count] = (struct version){.key = key, .txn = txn, .act = act};
    return v->count++;
}

static void add_reading(struct versions *v, const struct reading *reading)
{
    v->readings = grow(v->readings, v->reading_count, &v->reading_room, sizeof *v->readings);
    v->readings[v->reading_count++] = *reading;
}

void versions_add_pair(struct versions *v, const struct pair *pair)
{
    if (pair->before == pair->after)
        return;
    v->pairs = grow(v->pairs, v->pair_count, &v->pair_room, sizeof *v->pairs);
    v->pairs[v->pair_count++] = *pair;
}

static void visit_writes(struct versions *v, uint32_t key, const struct visit *visit)
{
    uint32_t last = NO_ACT, value;
    for (uint32_t i = 0; i < visit->count; i++)
        if (wrote(v, visit->acts[i], &value))
            last = visit->acts[i];
    if (last != NO_ACT)
        v->of_write[last] = add_version(v, key, visit->txn, last);
}

/* The version that a read from outside shows; NO_VERSION: not known, or none, which is told. */
static uint32_t version_read(struct versions *v, uint32_t act, uint32_t value, uint32_t initial)
{
    struct txn_check *t = v->t;
    uint32_t txn = t->act_txn[act];
    const struct writing *writing = written_find(&t->written, act_at(v, act)->key, value);
    if (value == VALUE_NONE)
        return writing ? NO_VERSION : initial;
    if (!value_sound(t, act, value, writing))
        return NO_VERSION;
    uint32_t writer = writer_of(t, writing);
    if (writer == NO_TXN)
        return NO_VERSION;
    if (writer == txn) {
        report_act(t, ANOMALY_INTERNAL, act, "The transaction saw %s before it wrote it",
                   history_text(t->history, value));
        return NO_VERSION;
    }
    txn_depend(t, writer, txn, EDGE_WR, act);
    if (v->of_write[writing->act] == NO_VERSION)
        report_read(t, ANOMALY_G1B, act, writing->act);
    return v->of_write[writing->act];
}

/* What is between a transaction's reads and writes of one register. */
struct own {
    uint32_t written; /* its last write so far, or NO_ACT */
    uint32_t value;   /* of that */
    uint32_t read;    /* its first read from outside, or NO_ACT */
    uint32_t seen;    /* what that showed */
};

static void visit_read(struct versions *v, uint32_t act, struct own *own, uint32_t initial)
{
    uint32_t value;
    if (!read(v, act, &value))
        return;
    if (own->written != NO_ACT) {
        if (value != own->value)
            report_acts(v->t, ANOMALY_INTERNAL, (const uint32_t[]){own->written, act},
                        "A transaction does not see what it wrote itself");
        return;
    }
    uint32_t version = version_read(v, act, value, initial);
    if (own->read == NO_ACT) {
        own->read = act;
        own->seen = value;
        v->of_read[act] = version;
    } else if (own->seen != value && v->t->level > LEVEL_READ_COMMITTED) {
        report_acts(v->t, ANOMALY_INTERNAL, (const uint32_t[]){own->read, act},
                    "One transaction saw two states of the register, and wrote neither");
    }
}

static void visit_register(struct versions *v, const struct visit *visit, uint32_t initial)
{
    struct own own = {.written = NO_ACT, .read = NO_ACT};
    for (uint32_t i = 0; i < visit->count; i++) {
        uint32_t act = visit->acts[i], value;
        const struct history_act *a = act_at(v, act);
        visit_read(v, act, &own, initial);
        if (a->code == ACT_CAS && a->known && a->fault == ERR_CONFLICT && own.written != NO_ACT &&
            own.value == a->args[0])
            report_acts(v->t, ANOMALY_INTERNAL, (const uint32_t[]){own.written, act},
                        "A transaction did not find what it had written itself");
        if (wrote(v, act, &value)) {
            own.written = act;
            own.value = value;
        }
    }
    uint32_t version = own.read == NO_ACT ? NO_VERSION : v->of_read[own.read];
    uint32_t written = own.written == NO_ACT ? NO_VERSION : v->of_write[own.written];
    if (version != NO_VERSION)
        add_reading(
            v, &(struct reading){
                   .version = version, .txn = visit->txn, .act = own.read, .written = written});
}

static void gather_key(struct versions *v, uint32_t key)
{
    struct txn_check *t = v->t;
    struct visit visit;
    uint32_t initial = add_version(v, key, NO_TXN, NO_ACT), at = t->key_first[key];
    while (next_visit(t, key, &at, &visit))
        visit_writes(v, key, &visit);
    at = t->key_first[key];
    while (next_visit(t, key, &at, &visit))
        visit_register(v, &visit, initial);
}

static uint32_t *filled(uint32_t count, uint32_t with)
{
    uint32_t *array = must(malloc(((size_t)count + 1) * sizeof *array));
    for (uint32_t i = 0; i < count; i++)
        array[i] = with;
    return array;
}

void versions_gather(struct versions *v, struct txn_check *t)
{
    *v = (struct versions){.t = t};
    v->of_write = filled(t->history->act_count, NO_VERSION);
    v->of_read = filled(t->history->act_count, NO_VERSION);
    for (uint32_t key = 0; key < t->history->key_count; key++)
        if (t->history->keys[key].model == MODEL_REGISTER)
            gather_key(v, key);
}

void versions_free(struct versions *v)
{
    free(v->all);
    free(v->of_write);
    free(v->of_read);
    free(v->readings);
    free(v->reading_first);
    free(v->pairs);
    free(v->pair_first);
}

/* --- sorting --- */

static int by_version(const void *a, const void *b)
{
    const struct reading *x = a, *y = b;
    if (x->version != y->version)
        return x->version < y->version ? -1 : 1;
    return (x->txn > y->txn) - (x->txn < y->txn);
}

static int by_pair(const void *a, const void *b)
{
    const struct pair *x = a, *y = b;
    if (x->before != y->before)
        return x->before < y->before ? -1 : 1;
    if (x->after != y->after)
        return x->after < y->after ? -1 : 1;
    return x->forced - y->forced;
}

void versions_index(struct versions *v)
{
    uint32_t kept = 0, at = 0;
    if (v->reading_count)
        qsort(v->readings, v->reading_count, sizeof *v->readings, by_version);
    if (v->pair_count)
        qsort(v->pairs, v->pair_count, sizeof *v->pairs, by_pair);
    for (uint32_t i = 0; i < v->pair_count; i++)
        if (!kept || v->pairs[i].before != v->pairs[kept - 1].before ||
            v->pairs[i].after != v->pairs[kept - 1].after)
            v->pairs[kept++] = v->pairs[i];
    v->pair_count = kept;
    v->reading_first = filled(v->count + 1, 0);
    v->pair_first = filled(v->count + 1, 0);
    for (uint32_t version = 0; version <= v->count; version++) {
        while (at < v->reading_count && v->readings[at].version < version)
            at++;
        v->reading_first[version] = at;
    }
    at = 0;
    for (uint32_t version = 0; version <= v->count; version++) {
        while (at < v->pair_count && v->pairs[at].before < version)
            at++;
        v->pair_first[version] = at;
    }
}
