/* SPDX-License-Identifier: MIT */
#include "fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#define NODE 7u

static struct store_options options_of(const struct fixture *f)
{
    return (struct store_options){.path = "/volume", .node = NODE, .limits = f->limits};
}

static void must(enum err err, const struct store_error *error)
{
    if (err != OK)
        fail_msg("%s: %s", err_name(err), error ? error->text : "");
}

static void open_all(struct fixture *f)
{
    struct store_options options = options_of(f);
    struct store_error error = {{0}};
    must(store_open(f->env, &options, &f->store, &error), &error);
    must(replica_new(f->env, f->store, NODE, 0, 0, &f->replica), NULL);
}

void fixture_new(struct fixture *f, const struct store_limits *limits)
{
    memset(f, 0, sizeof *f);
    f->limits = limits ? *limits : store_limits_default();
    f->disk = sim_disk_new();
    f->sim = sim_new(1, f->disk);
    f->env = sim_env(f->sim);
    assert_int_equal(f->env->ops->dir_make(f->env, "/volume"), OK);
    struct store_options options = options_of(f);
    struct store_error error = {{0}};
    must(store_format(f->env, &options, &error), &error);
    open_all(f);
}

static void end_world(struct fixture *f, bool crash)
{
    if (crash)
        sim_crash(f->env);
    else
        sim_stop(f->env);
    replica_free(f->replica);
    store_abandon(f->store);
    sim_free(f->sim);
}

void fixture_free(struct fixture *f)
{
    end_world(f, false);
    sim_disk_free(f->disk);
}

void fixture_restart(struct fixture *f, bool crash)
{
    end_world(f, crash);
    f->sim = sim_new(2, f->disk);
    f->env = sim_env(f->sim);
    open_all(f);
}

void fixture_cold(struct fixture *f)
{
    sim_again_per_mille(f->env, 1000);
}

void count_done(struct request *request)
{
    ++*(uint32_t *)request->ctx;
}

static bool is_done(void *ctx)
{
    return *(uint32_t *)ctx > 0;
}

enum err fixture_run(struct fixture *f, struct request *request, bool *waited)
{
    uint32_t done = 0;
    request->done = count_done;
    request->ctx = &done;
    bool at_once = replica_execute(f->replica, request);
    if (!at_once)
        assert_true(sim_run_until(f->sim, is_done, &done, LIMIT_NS));
    assert_int_equal(done, at_once ? 0 : 1);
    if (waited)
        *waited = !at_once;
    return request->err;
}

static bool has_room(void *ctx)
{
    const struct fixture *f = ctx;
    return replica_has_room(f->replica);
}

void fixture_sync(struct fixture *f)
{
    struct request request = {0};
    uint32_t done = 0;
    request_begin(&request);
    request.done = count_done;
    request.ctx = &done;
    if (!replica_sync(f->replica, &request))
        assert_true(sim_run_until(f->sim, is_done, &done, LIMIT_NS));
    assert_int_equal(request.err, OK);
    request_free(&request);
    assert_true(has_room(f) || sim_run_until(f->sim, has_room, f, LIMIT_NS));
}

void request_for(struct request *request, enum fs_code code, uint64_t ino)
{
    request_begin(request);
    request->op.code = code;
    request->op.ino = ino;
    request->op.cred.checked = true;
}

struct bytes text_bytes(const char *text)
{
    return (struct bytes){(const uint8_t *)text, strlen(text)};
}

uint64_t fixture_make(struct fixture *f, uint64_t dir, const char *name)
{
    struct request request = {0};
    request_for(&request, FS_MKNOD, dir);
    request.op.name = text_bytes(name);
    request.op.new_ino = replica_new_ino(f->replica);
    request.op.mode = S_IFREG | 0644;
    assert_int_equal(fixture_run(f, &request, NULL), OK);
    assert_true(stamp_compare(request.stamp, STAMP_ZERO) > 0);
    uint64_t ino = request.result.attr.ino;
    request_free(&request);
    return ino;
}

enum err fixture_write(struct fixture *f, uint64_t ino, uint64_t offset, const char *text)
{
    struct request request = {0};
    request_for(&request, FS_WRITE, ino);
    request.op.offset = offset;
    request.op.value = text_bytes(text);
    request.op.length = strlen(text);
    enum err err = fixture_run(f, &request, NULL);
    request_free(&request);
    return err;
}

const char *fixture_read(struct fixture *f, uint64_t ino, uint64_t offset, uint32_t length)
{
    static char text[4097];
    struct request request = {0};
    assert_true(length < sizeof text);
    request_for(&request, FS_READ, ino);
    request.op.offset = offset;
    request.op.length = length;
    request.into = (uint8_t *)text;
    assert_int_equal(fixture_run(f, &request, NULL), OK);
    text[request.result.length] = 0;
    request_free(&request);
    return text;
}

enum err fixture_getattr(struct fixture *f, uint64_t ino, struct fs_attr *attr)
{
    struct request request = {0};
    request_for(&request, FS_GETATTR, ino);
    enum err err = fixture_run(f, &request, NULL);
    if (attr)
        *attr = request.result.attr;
    request_free(&request);
    return err;
}

enum err fixture_unlink(struct fixture *f, uint64_t dir, const char *name)
{
    struct request request = {0};
    request_for(&request, FS_UNLINK, dir);
    request.op.name = text_bytes(name);
    enum err err = fixture_run(f, &request, NULL);
    request_free(&request);
    return err;
}
