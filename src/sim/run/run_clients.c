/* SPDX-License-Identifier: MIT
 *
 * run_clients.c: the clients of a run: each does one thing after another, and thinks in between.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/base/assert.h"
#include "sim/run/run_private.h"

#define THINK_LEAST_NS UINT64_C(1000)
#define MS             UINT64_C(1000000)

static struct running *running_of(struct run *run)
{
    return run->impl;
}

static void think(struct run_client *c, uint64_t ns)
{
    c->r->env->ops->timer_start(c->r->env, &c->timer, THINK_LEAST_NS + ns);
}

/* --- the transcript --- */

static void say_end(struct running *r, const struct run_client *c)
{
    const struct history_txn *t = &r->run.history->txns[c->txn];
    char line[1024], who[32];
    if (!r->run.watch)
        return;
    txn_print(r->run.history, c->txn, line, sizeof line);
    const char *text = strstr(line, ": "); /* behind "process N" */
    uint64_t us = (sim_now(r->run.sim) - t->began_ns) / 1000;
    snprintf(who, sizeof who, "client %u", c->number);
    run_say(&r->run, who, "%s%s (%" PRIu64 ".%03" PRIu64 " ms)", text ? text + 2 : line,
            t->durable ? " durable" : "", us / 1000, us % 1000);
}

/* --- one transaction --- */

static void client_submit(struct run_client *c)
{
    struct running *r = c->r;
    c->busy = true;
    c->durable = chance_below(&c->chance, 100) < r->run.scenario->durable_percent;
    r->ops->submit(r->system, c->number, c->txn, c->durable);
}

static void client_next(struct env_timer *timer)
{
    struct run_client *c = (struct run_client *)(void *)timer;
    struct running *r = c->r;
    uint64_t now = sim_now(r->run.sim);
    uint32_t most = r->run.scenario->operations;
    INVARIANT(!c->busy);
    switch (r->phase) {
    case RUN_SAFETY:
        if (most && r->begun >= most)
            return;
        r->begun++;
        c->txn = workload_next(r->workload, c->number, now);
        break;
    case RUN_PROGRESS:
        c->txn = workload_next(r->workload, c->number, now);
        break;
    case RUN_REST:
        return;
    case RUN_FINAL:
        if (!workload_final(r->workload, c->number, now, &c->txn)) {
            c->finished = true;
            return;
        }
        break;
    }
    client_submit(c);
}

void run_continue(struct run *run, uint32_t txn)
{
    workload_continue(running_of(run)->workload, txn);
}

static void count(struct run_result *result, enum outcome outcome)
{
    result->transactions++;
    result->done += outcome == OUTCOME_DONE;
    result->failed += outcome == OUTCOME_FAILED;
    result->unknown += outcome == OUTCOME_UNKNOWN;
}

void run_ended(struct run *run, uint32_t txn, enum outcome outcome)
{
    struct running *r = running_of(run);
    struct history_txn *t = &run->history->txns[txn];
    INVARIANT(t->process < run->scenario->clients);
    struct run_client *c = &r->clients[t->process];
    INVARIANT(c->busy && c->txn == txn);
    history_end(run->history, txn, sim_now(run->sim), outcome);
    t->durable = c->durable && outcome == OUTCOME_DONE;
    c->busy = false;
    count(run->result, outcome);
    if (outcome == OUTCOME_DONE && r->phase == RUN_PROGRESS && t->began_ns >= r->phase_began)
        c->progress++;
    workload_ended(r->workload, txn);
    say_end(r, c);
    if (r->phase == RUN_FINAL)
        think(c, 0);
    else if (r->phase != RUN_REST)
        think(c, chance_exponential(&c->chance, run->scenario->think_ns));
}

void run_crashed(struct run *run, const char *text)
{
    struct running *r = running_of(run);
    history_event(run->history, EVENT_CRASH, sim_now(run->sim), text);
    workload_crashed(r->workload);
}

/* --- all of them --- */

static uint64_t new_inode(void *ctx, uint32_t client)
{
    struct running *r = ctx;
    (void)client;
    return r->ops->new_inode(r->system);
}

void clients_begin(struct running *r, uint64_t seed)
{
    const struct scenario *s = r->run.scenario;
    struct workload_options options = {
        .kind = s->workload,
        .seed = run_seed(seed, PURPOSE_WORKLOAD),
        .clients = s->clients,
        .keys = s->keys,
        .acts = s->acts,
        .read_percent = s->read_percent,
        .sync_percent = s->sync_percent,
        .new_inode = r->ops->new_inode ? new_inode : NULL,
        .ctx = r,
    };
    r->workload = workload_new(&options, r->run.history);
    for (uint32_t i = 0; i < s->clients; i++) {
        struct run_client *c = &r->clients[i];
        c->r = r;
        c->number = i;
        c->timer.fire = client_next;
        chance_seed(&c->chance, run_seed(seed, PURPOSE_CLIENTS + i));
        think(c, chance_exponential(&c->chance, s->think_ns));
    }
}

void clients_wake(struct running *r)
{
    for (uint32_t i = 0; i < r->run.scenario->clients; i++)
        if (!r->clients[i].busy)
            think(&r->clients[i], i * THINK_LEAST_NS);
}

const struct run_client *clients_busy(const struct running *r)
{
    for (uint32_t i = 0; i < r->run.scenario->clients; i++)
        if (r->clients[i].busy)
            return &r->clients[i];
    return NULL;
}

bool clients_idle(const struct running *r)
{
    return clients_busy(r) == NULL;
}
