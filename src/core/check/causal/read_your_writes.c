/* SPDX-License-Identifier: MIT
 *
 * read_your_writes.c: a session's reads see its earlier writes (Terry et al. 1994, 3.1; Viotti and
 * Vukolic 2016, 3.3).
 *
 * Law, with G1, G2 and G7 of session_guarantees.c
 *   Y1  The session's earlier writes are visible to each of its reads. Nothing else is asked: each
 *       read has an arbitration of its own, and does not bear on the next.
 *   Y2  So a register's read is not explained just when it returned nothing, or an own write,
 *       though a later own one came before the read. What others wrote may be arbitrated last.
 *   Y3  A list or set must show all own earlier elements.
 *   Y4  A counter's number holds all own earlier increments and any of the others: bounds, sound
 *       only (exact if all increments are 1).
 */
#include "core/base/assert.h"
#include "core/check/causal/reads_from.h"

#define LARGEST (INT64_C(1) << 32) /* counters with larger numbers are not judged */

/* Of one object. */
struct own {
    uint32_t last, written;            /* 1 + the session's last write; how many are unique */
    int64_t added, negative, positive; /* by the session before; all other increments */
    bool large;
};

struct looking {
    struct checking *c;
    const struct reads_from *rf;
    struct own *own;
    uint32_t *shown; /* of operations: 1 + the last read that showed it */
};

static void sum_up(struct looking *l)
{
    for (uint32_t op = 0; op < l->rf->count; op++) {
        const struct operation *o = &l->rf->ops[op];
        struct own *own = &l->own[o->key];
        if (!o->writes || o->model != MODEL_COUNTER)
            continue;
        own->large = own->large || o->number > LARGEST || o->number < -LARGEST;
        if (own->large)
            continue;
        own->negative += o->number < 0 ? o->number : 0;
        own->positive += o->number > 0 ? o->number : 0;
    }
}

/* An increment changes from others' to own, or back. */
static void take(struct own *own, const struct operation *o, int sign)
{
    if (o->model != MODEL_COUNTER || own->large)
        return;
    own->added += sign * o->number;
    own->negative -= o->number < 0 ? sign * o->number : 0;
    own->positive -= o->number > 0 ? sign * o->number : 0;
}

static void note_write(struct looking *l, uint32_t op)
{
    const struct operation *o = &l->rf->ops[op];
    struct own *own = &l->own[o->key];
    own->last = op + 1;
    own->written += o->unique;
    take(own, o, 1);
}

/* What the session wrote becomes another's for the next one. */
static void give_back(struct looking *l, uint32_t first, uint32_t end)
{
    for (uint32_t op = first; op < end; op++) {
        struct own *own = &l->own[l->rf->ops[op].key];
        if (l->rf->ops[op].writes)
            take(own, &l->rf->ops[op], -1);
        own->last = own->written = 0;
    }
}

/* `write` was missed by `read`, which showed `instead` (or nothing: UINT32_MAX). */
static void missed(struct looking *l, uint32_t write, uint32_t read, uint32_t instead)
{
    const struct operation *ops = l->rf->ops;
    if (!checking_broken(l->c, ANOMALY_OWN_WRITE_MISSED, false))
        return;
    checking_text(l->c, "Process %u did %s, and then: %s. It did not see its own write.",
                  operation_process(l->rf, read), operation_print(l->rf, l->c, write),
                  operation_print(l->rf, l->c, read));
    if (instead != UINT32_MAX && ops[instead].txn != ops[write].txn)
        checking_step(l->c, ops[instead].txn, "what it saw instead");
    uint32_t from = checking_step(l->c, ops[write].txn, "what it should have seen"), to = from;
    if (ops[read].txn != ops[write].txn)
        to = checking_step(l->c, ops[read].txn, "what it saw");
    if (to == from)
        return;
    checking_edge(l->c, &(struct witness_edge){.from = from, .to = to, .kind = EDGE_PROCESS});
    checking_edge(l->c, &(struct witness_edge){.from = to,
                                               .to = from,
                                               .kind = EDGE_RW,
                                               .key = ops[write].key,
                                               .value = ops[write].value});
}

static void look_at_register(struct looking *l, uint32_t first, uint32_t read)
{
    const struct operation *o = &l->rf->ops[read];
    uint32_t last = l->own[o->key].last;
    if (!last || o->source == last - 1)
        return;
    if (o->source == SOURCE_NONE)
        missed(l, last - 1, read, UINT32_MAX);
    else if (o->source < SOURCE_FIRST && o->source >= first && o->source < read)
        missed(l, last - 1, read, o->source);
}

static void look_at_elements(struct looking *l, uint32_t first, uint32_t read)
{
    const struct reads_from *rf = l->rf;
    const struct operation *o = &rf->ops[read];
    uint32_t found = 0;
    for (uint32_t i = 0; i < o->count; i++) {
        uint32_t op = rf->seen[o->seen + i];
        found += op >= first && op < read && l->shown[op] != read + 1;
        l->shown[op] = read + 1;
    }
    if (found == l->own[o->key].written)
        return;
    for (uint32_t op = first; op < read; op++)
        if (rf->ops[op].key == o->key && rf->ops[op].unique && l->shown[op] != read + 1) {
            missed(l, op, read, UINT32_MAX);
            return;
        }
}

static void look_at_counter(struct looking *l, uint32_t read)
{
    const struct operation *o = &l->rf->ops[read];
    const struct own *own = &l->own[o->key];
    int64_t least = own->added + own->negative, most = own->added + own->positive;
    if (own->large || (o->number >= least && o->number <= most))
        return;
    if (!checking_broken(l->c, ANOMALY_OWN_WRITE_MISSED, false))
        return;
    checking_text(l->c,
                  "Process %u: %s. With all that it added itself before, and any of what others "
                  "added, the number is between %lld and %lld.",
                  operation_process(l->rf, read), operation_print(l->rf, l->c, read),
                  (long long)least, (long long)most);
    if (own->last && l->rf->ops[own->last - 1].txn != o->txn)
        checking_step(l->c, l->rf->ops[own->last - 1].txn, "the last that it added");
    checking_step(l->c, o->txn, "impossible number");
}

static void look_at_session(struct looking *l, uint32_t first, uint32_t end)
{
    for (uint32_t op = first; op < end; op++) {
        const struct operation *o = &l->rf->ops[op];
        if (o->writes)
            note_write(l, op);
        else if (o->model == MODEL_REGISTER)
            look_at_register(l, first, op);
        else if (o->model == MODEL_COUNTER)
            look_at_counter(l, op);
        else
            look_at_elements(l, first, op);
    }
    give_back(l, first, end);
}

void check_read_your_writes(struct checking *c)
{
    struct reads_from rf;
    struct arena arena;
    if (!reads_from_init(&rf, c))
        return;
    arena_init(&arena);
    if (reads_from_explained(&rf, c)) {
        struct looking l = {.c = c, .rf = &rf};
        l.own = ARENA_ARRAY(&arena, struct own, rf.history->key_count + (size_t)1);
        l.shown = ARENA_ARRAY(&arena, uint32_t, rf.count + (size_t)1);
        sum_up(&l);
        for (uint32_t session = 0; session < rf.sessions; session++)
            look_at_session(&l, rf.session_first[session], rf.session_first[session + 1]);
    }
    arena_free(&arena);
    reads_from_free(&rf);
}
