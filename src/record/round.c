/* SPDX-License-Identifier: MIT
 *
 * round.c: plans go to idle clients, answers come back.
 *
 * Law
 *   Z1  A client has at most one part of one transaction under way.
 *   Z2  An answer that does not come within ANSWER_S leaves its outcome open, and ends the client.
 *       So do UNKNOWN_MAX open outcomes one after another: what it works in is gone.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/assert.h"
#include "record/recorder.h"

#define ANSWER_S    30
#define ANSWER_MAX  (256u << 20)
#define UNKNOWN_MAX 3u
#define TOLD_MAX    20u
#define SECOND      UINT64_C(1000000000)

static bool in_rounds(const struct recorder *r)
{
    return r->options->kind == WORKLOAD_SET || r->options->kind == WORKLOAD_LIST;
}

static bool at_end(const struct recorder *r)
{
    const struct record_options *o = r->options;
    return (o->stop && *o->stop) || (o->operations && r->planned >= o->operations) ||
           (o->seconds && record_now() - r->start_ns >= o->seconds * SECOND);
}

static struct history_txn *txn_of(struct recorder *r, const struct worker *worker)
{
    return &r->plan->txns[worker->txn];
}

/* --- orders --- */

static void copy_word(char out[WORD_MAX], const char *text)
{
    INVARIANT(strlen(text) < WORD_MAX);
    memcpy(out, text, strlen(text) + 1);
}

static void fill_order(struct recorder *r, const struct worker *worker, struct order *order)
{
    const struct history_txn *txn = txn_of(r, worker);
    order->count = worker->to - worker->from;
    order->begins = worker->from == 0;
    order->ends = worker->to == txn->count;
    for (uint32_t i = 0; i < order->count; i++) {
        const struct history_act *act = history_act(r->plan, txn, worker->from + i);
        struct order_act *out = &order->acts[i];
        out->code = act->code;
        copy_word(out->key, history_key_text(r->plan, act->key));
        for (unsigned a = 0; a < ACT_ARGS_MAX; a++) {
            out->given[a] = act->args[a] != VALUE_NONE;
            copy_word(out->args[a], out->given[a] ? history_text(r->plan, act->args[a]) : "");
        }
    }
}

/* The acts from `from` on up to the first write whose value is not known yet. */
static void next_part(struct recorder *r, struct worker *worker, uint32_t from)
{
    const struct history_txn *txn = txn_of(r, worker);
    worker->from = worker->to = from;
    while (worker->to < txn->count) {
        const struct history_act *act = history_act(r->plan, txn, worker->to);
        if (act->code == ACT_WRITE && act->args[0] == VALUE_NONE)
            break;
        worker->to++;
    }
}

static void finish(struct recorder *r, struct worker *worker, uint64_t ended_ns,
                   enum outcome outcome)
{
    round_moment(r, worker->began_ns, MOMENT_BEGIN, worker->txn);
    round_moment(r, ended_ns, MOMENT_END, worker->txn);
    history_end(r->plan, worker->txn, ended_ns, outcome);
    workload_ended(r->workload, worker->txn);
    worker->busy = false;
    worker->unknown = outcome == OUTCOME_UNKNOWN ? worker->unknown + 1 : 0;
    if (worker->unknown == UNKNOWN_MAX)
        worker_lost(worker);
}

static void lose(struct recorder *r, struct worker *worker)
{
    worker_lost(worker);
    if (!worker->began_ns)
        worker->began_ns = worker->sent_ns;
    finish(r, worker, record_now(), OUTCOME_UNKNOWN);
}

static void send_part(struct recorder *r, struct worker *worker, bool ends)
{
    static struct order order;
    fill_order(r, worker, &order);
    order.ends |= ends;
    worker->sent_ns = record_now();
    if (!give_all(worker->socket, &order, sizeof order))
        lose(r, worker);
}

/* What grows: a name for a set, a line for a list. */
static void count_growth(struct recorder *r, const struct history_txn *txn)
{
    uint32_t most = r->options->kind == WORKLOAD_SET ? GROWN_MAX : GROWN_MAX * 8;
    for (uint32_t i = 0; in_rounds(r) && i < txn->count; i++) {
        const struct history_act *act = history_act(r->plan, txn, i);
        INVARIANT(act->key < RECORD_KEYS_MAX);
        if (act->code != ACT_READ && ++r->grown[act->key] == most)
            r->full = true;
    }
}

static void start(struct recorder *r, struct worker *worker, uint32_t txn)
{
    worker->txn = txn;
    worker->busy = true;
    worker->began_ns = 0;
    count_growth(r, txn_of(r, worker));
    next_part(r, worker, 0);
    send_part(r, worker, false);
}

/* --- answers --- */

struct parse {
    const char *at, *end;
};

static const char *take_string(struct parse *p)
{
    const char *text = p->at;
    const char *nul = memchr(p->at, 0, (size_t)(p->end - p->at));
    INVARIANT(nul != NULL);
    p->at = nul + 1;
    return text;
}

static uint32_t take_value(struct recorder *r, struct parse *p)
{
    const char *text = take_string(p);
    return history_value(r->plan, text, strlen(text));
}

static void take_list(struct recorder *r, struct parse *p, struct worker *worker, uint32_t index,
                      uint32_t count)
{
    uint32_t *values = malloc((count + 1) * sizeof *values);
    INVARIANT(values != NULL);
    for (uint32_t i = 0; i < count; i++)
        values[i] = take_value(r, p);
    history_answer_list(r->plan, worker->txn, index, values, count);
    free(values);
}

/* People want to know which error left an outcome open. */
static void say_open(struct recorder *r, const struct worker *worker, const struct history_act *act,
                     int number)
{
    if (r->told++ < TOLD_MAX)
        fprintf(stderr, "pactfs: client %u: %s %s: %s\n", (unsigned)(worker - r->workers),
                act_word(act->code), history_key_text(r->plan, act->key), strerror(number));
}

/* The answer of one act; what it says of the whole. */
static enum outcome take_answer(struct recorder *r, struct parse *p, struct worker *worker,
                                uint32_t index)
{
    struct answer_head head;
    struct history_act *act = &r->plan->acts[txn_of(r, worker)->first + index];
    INVARIANT((size_t)(p->end - p->at) >= sizeof head);
    memcpy(&head, p->at, sizeof head);
    p->at += sizeof head;
    switch ((enum answer_kind)head.kind) {
    case ANSWER_NOTHING:
    case ANSWER_NIL:
        return OUTCOME_DONE;
    case ANSWER_VALUE:
        if (act->code == ACT_MKDIR || act->code == ACT_CREATE)
            act->args[2] = take_value(r, p);
        else
            act->value = take_value(r, p);
        return OUTCOME_DONE;
    case ANSWER_LIST:
        take_list(r, p, worker, index, head.count);
        return OUTCOME_DONE;
    case ANSWER_FAULT:
        act->fault = (uint8_t)head.fault;
        return OUTCOME_DONE;
    case ANSWER_FAILED:
        return OUTCOME_FAILED;
    case ANSWER_UNKNOWN:
        say_open(r, worker, act, (int)head.fault);
        break;
    }
    return OUTCOME_UNKNOWN;
}

static void go_on(struct recorder *r, struct worker *worker, uint64_t ended_ns)
{
    uint32_t at = worker->to;
    if (at == txn_of(r, worker)->count) {
        finish(r, worker, ended_ns, OUTCOME_DONE);
        return;
    }
    if (worker->from == worker->to && at > 0) { /* the lock was given back */
        finish(r, worker, ended_ns, OUTCOME_DONE);
        return;
    }
    workload_continue(r->workload, worker->txn);
    next_part(r, worker, at);
    send_part(r, worker, worker->to == at);
}

static void take_reply(struct recorder *r, struct worker *worker)
{
    struct reply reply;
    if (!take_all(worker->socket, &reply, sizeof reply) || reply.bytes > ANSWER_MAX) {
        lose(r, worker);
        return;
    }
    char *bytes = malloc((size_t)reply.bytes + 1);
    INVARIANT(bytes != NULL);
    if (!take_all(worker->socket, bytes, reply.bytes)) {
        free(bytes);
        lose(r, worker);
        return;
    }
    struct parse p = {bytes, bytes + reply.bytes};
    enum outcome outcome = OUTCOME_DONE;
    if (!worker->began_ns)
        worker->began_ns = reply.began_ns;
    for (uint32_t i = 0; i < reply.acts && outcome == OUTCOME_DONE; i++)
        outcome = take_answer(r, &p, worker, worker->from + i);
    free(bytes);
    if (outcome != OUTCOME_DONE)
        finish(r, worker, reply.ended_ns, outcome);
    else
        go_on(r, worker, reply.ended_ns);
}

/* --- the loop --- */

/* Waits for answers of those that are busy; false: nobody is. */
static bool wait_for_some(struct recorder *r)
{
    struct pollfd polled[RECORD_CLIENTS_MAX];
    struct worker *of[RECORD_CLIENTS_MAX];
    nfds_t count = 0;
    for (uint32_t i = 0; i < r->options->clients; i++)
        if (r->workers[i].busy) {
            of[count] = &r->workers[i];
            polled[count++] = (struct pollfd){.fd = r->workers[i].socket, .events = POLLIN};
        }
    if (count == 0)
        return false;
    int ready = poll(polled, count, 1000);
    for (nfds_t i = 0; i < count; i++) {
        if (ready > 0 && polled[i].revents)
            take_reply(r, of[i]);
        else if (record_now() - of[i]->sent_ns > ANSWER_S * SECOND)
            lose(r, of[i]);
    }
    return true;
}

static void work(struct recorder *r)
{
    do {
        for (uint32_t i = 0; i < r->options->clients; i++) {
            struct worker *worker = &r->workers[i];
            if (worker->busy || worker->socket < 0 || r->full || at_end(r))
                continue;
            r->planned++;
            start(r, worker, workload_next(r->workload, i, record_now()));
        }
    } while (wait_for_some(r));
}

/* Everybody reads everything, at rest. */
static void read_finally(struct recorder *r)
{
    bool more;
    uint32_t txn;
    round_moment(r, record_now(), MOMENT_CONVERGED, 0);
    do {
        more = false;
        for (uint32_t i = 0; i < r->options->clients; i++) {
            struct worker *worker = &r->workers[i];
            if (worker->busy || worker->socket < 0 ||
                !workload_final(r->workload, i, record_now(), &txn))
                continue;
            more = true;
            start(r, worker, txn);
        }
    } while (wait_for_some(r) || more);
}

/* Each round has objects of its own: their names end in its number. */
static void rename_keys(struct recorder *r)
{
    char name[WORD_MAX];
    for (uint32_t key = 0; in_rounds(r) && key < r->plan->key_count; key++) {
        int len = snprintf(name, sizeof name, "%s.%u", history_key_text(r->plan, key), r->round);
        r->plan->keys[key].name = history_value(r->plan, name, (size_t)len);
    }
}

static bool somebody_lives(const struct recorder *r)
{
    for (uint32_t i = 0; i < r->options->clients; i++)
        if (r->workers[i].socket >= 0)
            return true;
    return false;
}

bool round_run(struct recorder *r)
{
    const struct record_options *o = r->options;
    r->plan = history_new();
    struct workload_options options = {
        .kind = o->kind,
        .seed = o->seed * UINT64_C(1000003) + r->round,
        .clients = o->clients,
        .keys = o->keys,
        .acts = 1,
        .read_percent = 50,
    };
    r->workload = workload_new(&options, r->plan);
    rename_keys(r);
    r->full = false;
    memset(r->grown, 0, sizeof r->grown);
    work(r);
    bool last = at_end(r) || !somebody_lives(r);
    if (last)
        read_finally(r);
    round_replay(r);
    workload_free(r->workload);
    history_free(r->plan);
    r->round++;
    return !last;
}
