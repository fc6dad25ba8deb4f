/* SPDX-License-Identifier: MIT
 *
 * offline.c: a loop with nothing on it but one scrub, and then the check of the tree.
 */
#include "node/offline.h"

#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

#include "core/base/assert.h"
#include "core/fs/check.h"
#include "io/uv/env_uv.h"
#include "node/home.h"

struct run {
    struct store_scrub scrub;
    struct offline_scrub *caller;
    struct store *store;
    const char *path;
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

static void on_disorder(void *ctx, const char *sentence)
{
    struct run *run = ctx;
    run->scrub.problems++;
    run->caller->problem(run->caller->ctx, run->path, 0, sentence);
}

static void look_at(void *ctx, const struct object_key *key, const struct object_version *version)
{
    fs_check_object(ctx, key, version);
}

/* Does the tree hang together? Nobody else has the store open, so it stands still. */
static enum err check_tree(struct run *run)
{
    struct fs_volume volume = {.salt = store_identity(run->store)->salt};
    struct fs_check check;
    if (store_last_ino(run->store) == 0)
        return OK; /* stopped before it had a root */
    fs_check_begin(&check, &volume, on_disorder, run);
    enum err err = store_each(run->store, look_at, &check);
    if (err) {
        free(check.nodes);
        arena_free(&check.arena);
        return err;
    }
    fs_check_end(&check);
    return OK;
}

static void on_done(struct store_scrub *s, enum err err)
{
    struct run *run = (struct run *)s;
    run->err = err ? err : check_tree(run);
    store_close(run->store, on_closed, run);
}

static enum err scrub_volume(struct env *env, uv_loop_t *loop, const struct home *home,
                             struct offline_scrub *caller, struct store_error *error)
{
    struct store_options options = {
        .path = home->volume, .node = 1, .limits = store_limits_default(), .read_only = true};
    struct run run = {.caller = caller,
                      .path = home->volume,
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
