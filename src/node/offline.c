/* SPDX-License-Identifier: MIT
 *
 * offline.c: a loop with nothing on it but one scrub.
 */
#include "node/offline.h"

#include <stdio.h>
#include <uv.h>

#include "core/base/assert.h"
#include "io/uv/env_uv.h"
#include "node/home.h"

struct run {
    struct store_scrub scrub;
    struct offline_scrub *caller;
    struct store *store;
    enum err err;
};

static void on_problem(struct store_scrub *s, const char *file, uint64_t offset, const char *what)
{
    struct run *run = (struct run *)s;
    run->caller->problem(run->caller->ctx, file, offset, what);
}

static void on_progress(struct store_scrub *s)
{
    struct run *run = (struct run *)s;
    run->caller->progress(run->caller->ctx, s->bytes_done, s->bytes_total);
}

static void on_closed(void *ctx, enum err err)
{
    struct run *run = ctx;
    (void)err; /* read-only: there was nothing to write */
    run->store = NULL;
}

static void on_done(struct store_scrub *s, enum err err)
{
    struct run *run = (struct run *)s;
    run->err = err;
    store_close(run->store, on_closed, run);
}

static enum err scrub_volume(struct env *env, uv_loop_t *loop, const struct home *home,
                             struct offline_scrub *caller, struct store_error *error)
{
    struct store_options options = {
        .path = home->volume, .node = 1, .limits = store_limits_default(), .read_only = true};
    struct run run = {.caller = caller,
                      .scrub = {.problem = on_problem, .progress = on_progress, .done = on_done}};
    enum err err = store_open(env, &options, &run.store, error);
    if (err != OK)
        return err;
    store_scrub(run.store, &run.scrub);
    uv_run(loop, UV_RUN_DEFAULT);
    INVARIANT(run.store == NULL);
    caller->bytes = run.scrub.bytes_done;
    caller->records = run.scrub.records;
    caller->problems = run.scrub.problems;
    if (run.err == OK || run.scrub.problems > 0)
        return OK;
    snprintf(error->text, sizeof error->text, "the scrub could not finish: %s.", err_text(run.err));
    return run.err;
}

enum err offline_scrub_run(const char *path, struct offline_scrub *scrub, struct store_error *error)
{
    struct home home;
    uv_loop_t loop;
    struct env *env;
    struct home_open_options options = {.path = path, .read_only = true};
    enum err err = home_open(&options, &home, error);
    if (err != OK)
        return err;
    INVARIANT(uv_loop_init(&loop) == 0);
    err = env_uv_new(&loop, &env);
    if (err == OK) {
        err = scrub_volume(env, &loop, &home, scrub, error);
        env_uv_free(env);
        uv_run(&loop, UV_RUN_DEFAULT);
    }
    home_close(&home);
    return err;
}
