/* SPDX-License-Identifier: MIT
 *
 * scrub.c: every byte of a volume's replicas is read and verified, each by its node, all at the
 * same time; objects that are damaged at one are fetched anew from the others. Then nothing lies in
 * the damaged places any more, and the store gives them up.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/grow.h"
#include "node/cell/calls.h"
#include "node/cell/host.h"
#include "node/cell/requests.h"

#define PROBLEMS_TOLD 100u /* in words; all are counted */
#define STEP_NS       (300 * CELL_MS)
#define SILENT_MOST   20u /* steps without an answer of a node */

/* --- at one node --- */

struct local_scrub {
    struct store_scrub scrub;
    struct host *host;
    bool running;
    enum err err;
    struct object_key *keys; /* of what is damaged */
    uint32_t count, room;
    uint64_t mended_before, mended;
    uint32_t from; /* the node that objects came from */
    struct store_sync discard;
    json_t *problems;
};

static void problem(struct store_scrub *s, const char *file, uint64_t offset, const char *what)
{
    struct local_scrub *local = (struct local_scrub *)s;
    journal("volume %s: scrub: %s at %llu: %s", local->host->volume->record.name, file,
            (unsigned long long)offset, what);
    if (json_array_size(local->problems) < PROBLEMS_TOLD)
        json_array_append_new(local->problems,
                              json_pack("{s:I, s:s, s:I, s:s}", "node",
                                        (json_int_t)local->host->cell->file.node, "file", file,
                                        "offset", (json_int_t)offset, "what", what));
}

static void progress(struct store_scrub *s)
{
    (void)s;
}

static void damaged(struct store_scrub *s, const struct object_key *key)
{
    struct local_scrub *local = (struct local_scrub *)s;
    local->keys = grow(local->keys, local->count, &local->room, sizeof *local->keys);
    local->keys[local->count++] = *key;
}

static void look_at_mended(struct local_scrub *local)
{
    struct primary_status status = {.mended = local->mended_before};
    if (local->host->primary)
        primary_status(local->host->primary, &status);
    local->mended = status.mended - local->mended_before;
    local->from = status.mended_from;
}

static void discarded(struct store_sync *sync, enum err err)
{
    struct local_scrub *local =
        (struct local_scrub *)(void *)((char *)sync - offsetof(struct local_scrub, discard));
    local->running = false;
    if (err != OK)
        journal("volume %s: damaged places stay in the log for now: %s",
                local->host->volume->record.name, err_text(err));
}

static void mended(void *ctx, enum err err)
{
    struct local_scrub *local = ctx;
    const char *name = local->host->volume->record.name;
    look_at_mended(local);
    if (local->count)
        journal("volume %s: of %u damaged objects %llu were fetched anew", name, local->count,
                (unsigned long long)local->mended);
    if (err != OK)
        journal("volume %s: damaged objects could not be fetched anew: %s", name, err_text(err));
    local->discard.done = discarded;
    if (local->host->state == HOST_OPEN)
        store_discard_damaged(local->host->store, &local->discard);
    else
        local->running = false;
}

static void scrubbed(struct store_scrub *s, enum err err)
{
    struct local_scrub *local = (struct local_scrub *)s;
    struct host *host = local->host;
    local->err = err;
    if (s->problems && host->state == HOST_OPEN)
        primary_mend(host->primary, local->keys, local->count, mended, local);
    else
        local->running = false;
}

void host_scrub_free(struct host *host)
{
    if (host->scrub) {
        json_decref(host->scrub->problems);
        free(host->scrub->keys);
    }
    free(host->scrub);
    host->scrub = NULL;
}

bool host_scrubs(const struct host *host)
{
    return host->scrub && host->scrub->running;
}

static json_t *state_of(const struct local_scrub *local)
{
    json_int_t left = (json_int_t)local->count - (json_int_t)local->mended;
    return json_pack("{s:b, s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:O}", "ok", 1, "running",
                     local->running, "bytes_done", (json_int_t)local->scrub.bytes_done,
                     "bytes_total", (json_int_t)local->scrub.bytes_total, "records",
                     (json_int_t)local->scrub.records, "problems",
                     (json_int_t)local->scrub.problems, "objects", (json_int_t)local->count,
                     "mended", (json_int_t)local->mended, "left", left > 0 ? left : 0, "from",
                     (json_int_t)local->from, "list", local->problems);
}

static struct host *host_of(struct ask *ask)
{
    struct cell_volume *volume = ask_volume(ask);
    if (!volume)
        return NULL;
    if (!host_store(volume)) {
        ask_fail(ask, ERR_NO_VOLUME, "Node %s has no replica of '%s' that runs.",
                 ask->cell->file.self, volume->record.name);
        return NULL;
    }
    return volume->host;
}

void request_scrub_here(struct ask *ask)
{
    struct host *host = host_of(ask);
    struct primary_status status;
    if (!host)
        return;
    if (!host_scrubs(host)) {
        host_scrub_free(host);
        struct local_scrub *local = calloc(1, sizeof *local);
        INVARIANT(local != NULL);
        primary_status(host->primary, &status);
        local->scrub = (struct store_scrub){
            .problem = problem, .progress = progress, .damaged = damaged, .done = scrubbed};
        local->host = host;
        local->running = true;
        local->mended_before = status.mended;
        local->problems = json_array();
        host->scrub = local;
        store_scrub(host->store, &local->scrub);
    }
    ask_done(ask);
}

void request_scrub_state(struct ask *ask)
{
    struct host *host = host_of(ask);
    if (host && host->scrub)
        ask_finish(ask, state_of(host->scrub));
    else if (host)
        ask_fail(ask, ERR_NOENT, "No scrub was begun there since the node started.");
}

/* --- of the whole volume --- */

enum stage { STAGE_BEGIN, STAGE_ASKED, STAGE_RUNS, STAGE_ENDED };

struct part {
    struct scrubbing *scrubbing;
    uint32_t node, told, silent;
    enum stage stage;
    bool waits;    /* for an answer */
    json_t *state; /* its last */
};

struct scrubbing {
    struct ask *ask;
    struct env_timer timer;
    char uuid[33];
    uint32_t count;
    struct part parts[GROUP_MAX];
};

static json_int_t sum(const struct scrubbing *scrubbing, const char *name)
{
    json_int_t total = 0;
    for (uint32_t i = 0; i < scrubbing->count; i++)
        total += json_integer_value(json_object_get(scrubbing->parts[i].state, name));
    return total;
}

static void failed_part(struct part *part, const char *why)
{
    ask_progress(part->scrubbing->ask,
                 json_pack("{s:{s:I, s:s, s:I, s:s}}", "problem", "node", (json_int_t)part->node,
                           "file", "", "offset", (json_int_t)0, "what", why));
    json_decref(part->state);
    part->state = json_pack("{s:I, s:I}", "problems", (json_int_t)1, "failed", (json_int_t)1);
    part->stage = STAGE_ENDED;
}

static void tell_problems(struct part *part)
{
    const json_t *list = json_object_get(part->state, "list");
    for (; part->told < json_array_size(list); part->told++)
        ask_progress(part->scrubbing->ask,
                     json_pack("{s:O}", "problem", json_array_get(list, part->told)));
}

static void part_answered(void *ctx, enum err err, json_t *answer)
{
    struct part *part = ctx;
    const char *why = json_string_value(json_object_get(answer, "error"));
    part->waits = false;
    if (err != OK) {
        if (++part->silent > SILENT_MOST)
            failed_part(part, "the node does not answer");
        return;
    }
    part->silent = 0;
    if (!json_is_true(json_object_get(answer, "ok"))) {
        failed_part(part, why ? why : "the node refused");
        return;
    }
    if (part->stage == STAGE_ASKED) {
        part->stage = STAGE_RUNS;
        return;
    }
    json_decref(part->state);
    part->state = json_incref(answer);
    tell_problems(part);
    if (!json_is_true(json_object_get(answer, "running")))
        part->stage = STAGE_ENDED;
}

static void ask_part(struct part *part)
{
    struct scrubbing *scrubbing = part->scrubbing;
    const char *request = part->stage == STAGE_RUNS ? "scrub-state" : "scrub-here";
    if (part->stage == STAGE_BEGIN)
        part->stage = STAGE_ASKED;
    part->waits = true;
    call_node(scrubbing->ask->cell, part->node,
              &(struct call_options){
                  .json = json_pack("{s:s, s:s}", "request", request, "volume", scrubbing->uuid),
                  .timeout_ms = CELL_ANSWER_MS,
                  .done = part_answered,
                  .ctx = part});
}

/* What was done where something was damaged. */
static json_t *repairs(const struct scrubbing *scrubbing)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < scrubbing->count; i++) {
        const struct part *part = &scrubbing->parts[i];
        json_t *row = json_pack("{s:I}", "node", (json_int_t)part->node);
        const char *names[] = {"problems", "objects", "mended", "left", "from"};
        for (size_t n = 0; n < sizeof names / sizeof *names; n++)
            json_object_set_new(
                row, names[n],
                json_integer(json_integer_value(json_object_get(part->state, names[n]))));
        if (json_integer_value(json_object_get(part->state, "problems")))
            json_array_append(list, row);
        json_decref(row);
    }
    return list;
}

static void finish(struct scrubbing *scrubbing)
{
    ask_finish(scrubbing->ask,
               json_pack("{s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:o}", "ok", 1, "bytes",
                         sum(scrubbing, "bytes_done"), "records", sum(scrubbing, "records"),
                         "problems", sum(scrubbing, "problems"), "objects",
                         sum(scrubbing, "objects"), "mended", sum(scrubbing, "mended"), "left",
                         sum(scrubbing, "left"), "repairs", repairs(scrubbing)));
    for (uint32_t i = 0; i < scrubbing->count; i++)
        json_decref(scrubbing->parts[i].state);
    free(scrubbing);
}

static void step(struct env_timer *timer)
{
    struct scrubbing *scrubbing =
        (struct scrubbing *)((char *)timer - offsetof(struct scrubbing, timer));
    struct env *env = scrubbing->ask->cell->env;
    bool ended = true;
    for (uint32_t i = 0; i < scrubbing->count; i++) {
        struct part *part = &scrubbing->parts[i];
        ended = ended && part->stage == STAGE_ENDED;
        if (part->stage != STAGE_ENDED && !part->waits)
            ask_part(part);
    }
    if (ended) {
        finish(scrubbing);
        return;
    }
    ask_progress(scrubbing->ask,
                 json_pack("{s:{s:I, s:I}}", "progress", "bytes_done", sum(scrubbing, "bytes_done"),
                           "bytes_total", sum(scrubbing, "bytes_total")));
    timer->fire = step;
    env->ops->timer_start(env, timer, STEP_NS);
}

void request_scrub(struct ask *ask)
{
    struct cell_volume *volume = ask_volume(ask);
    struct cell_node *only = NULL;
    if (!volume)
        return;
    if (json_object_get(ask->json, "node") && !(only = ask_node(ask, "node")))
        return;
    struct scrubbing *scrubbing = calloc(1, sizeof *scrubbing);
    INVARIANT(scrubbing != NULL);
    scrubbing->ask = ask;
    record_uuid_print(volume->record.identity.uuid, scrubbing->uuid);
    for (uint32_t i = 0; i < volume->record.replica_count; i++)
        if (!only || only->record.number == volume->record.replicas[i])
            scrubbing->parts[scrubbing->count++] =
                (struct part){.scrubbing = scrubbing, .node = volume->record.replicas[i]};
    if (scrubbing->count == 0) {
        free(scrubbing);
        ask_fail(ask, ERR_NOENT, "There is no replica of '%s' there.", volume->record.name);
        return;
    }
    step(&scrubbing->timer);
}
