/* SPDX-License-Identifier: MIT
 *
 * volume_rot.c: flipping bits of the log. See O4 in volume.h: everything is made durable, the ends
 * of the segment files are noted, then a commit is made durable that says so; then one of what was
 * noted rots.
 */
#include <stdio.h>
#include <string.h>

#include "core/base/assert.h"
#include "core/store/frame.h"
#include "sim/volume/volume.h"

#define SEGMENTS "volume/seg/"
#define PAGE     4096u

/* --- noting --- */

/* Behind the last byte of a file that is not zero. */
static uint64_t end_of(const struct sim_disk *disk, const char *path, uint64_t size)
{
    uint8_t page[PAGE];
    uint64_t at = (size + PAGE - 1) / PAGE * PAGE;
    while (at > 0) {
        at -= PAGE;
        size_t got = sim_disk_peek(disk, path, at, page, PAGE);
        while (got > 0 && page[got - 1] == 0)
            got--;
        if (got)
            return at + got;
    }
    return 0;
}

static bool note(void *ctx, const char *path, uint64_t size)
{
    struct volume *v = ctx;
    if (strncmp(path, SEGMENTS, strlen(SEGMENTS)) != 0 || v->rot_file_count == VOLUME_FLIPS)
        return true;
    uint64_t end = end_of(v->disk, path, size);
    if (end <= SEGMENT_HEADER) /* a spare: nothing says yet that it was used */
        return true;
    snprintf(v->rot_files[v->rot_file_count].path, sizeof v->rot_files[0].path, "%s", path);
    v->rot_files[v->rot_file_count++].end = end;
    return true;
}

/* --- flipping --- */

/* Zeros may be padding between records, which nobody reads: a byte that is not zero rots. */
static bool find_byte(struct volume *v, const char *path, uint64_t end, uint64_t *at)
{
    uint8_t byte = 0;
    uint64_t from = run_random(v->system.run) % end;
    for (uint64_t i = 0; i < end && i < PAGE; i++) {
        *at = (from + i) % end;
        if (sim_disk_peek(v->disk, path, *at, &byte, 1) != 1)
            return false; /* cleaned meanwhile */
        if (byte)
            return true;
    }
    return false;
}

/* A bit that flips twice is whole again. */
static bool flipped_before(const struct volume *v, const char *path, uint64_t byte)
{
    for (uint32_t i = 0; i < v->flip_count; i++)
        if (v->flips[i].byte == byte && strcmp(v->flips[i].path, path) == 0)
            return true;
    return false;
}

static void flip(struct volume *v)
{
    struct run *run = v->system.run;
    uint64_t at;
    uint8_t byte = 0;
    if (!v->rot_file_count || v->flip_count == VOLUME_FLIPS)
        return;
    uint32_t chosen = v->rot_strength % v->rot_file_count;
    const char *path = v->rot_files[chosen].path;
    if (!find_byte(v, path, v->rot_files[chosen].end, &at) || flipped_before(v, path, at) ||
        sim_disk_flip(v->disk, path, at, v->rot_strength >> 8 & 7) != OK)
        return;
    v->ever_rotted = true;
    sim_disk_peek(v->disk, path, at, &byte, 1);
    struct volume_flip *flip = &v->flips[v->flip_count++];
    memcpy(flip->path, path, sizeof flip->path);
    flip->byte = at;
    flip->now = byte;
    run_say(run, "fault", "a bit of byte %llu of %s flips", (unsigned long long)at, path);
}

uint32_t volume_rot_left(const struct volume *v)
{
    uint32_t left = 0;
    for (uint32_t i = 0; i < v->flip_count; i++) {
        const struct volume_flip *flip = &v->flips[i];
        uint8_t byte;
        left += sim_disk_peek(v->disk, flip->path, flip->byte, &byte, 1) == 1 && byte == flip->now;
    }
    return left;
}

/* --- the steps --- */

static void step(struct volume *v);

static void step_done(struct request *request)
{
    struct volume *v =
        (struct volume *)(void *)((uint8_t *)request - offsetof(struct volume, rot_request));
    step(v);
}

/* A commit that no client sees: the root's time of change. */
static bool prove(struct volume *v)
{
    request_begin(&v->rot_request);
    v->rot_request.done = step_done;
    v->rot_request.durable = true;
    v->rot_request.op.code = FS_SETATTR;
    v->rot_request.op.cred.checked = true;
    v->rot_request.op.ino = FS_ROOT_INO;
    v->rot_request.op.set = FS_SET_MTIME_NOW;
    return agent_execute(v->agent, &v->rot_request);
}

/* The request of the last step has ended. */
static void step(struct volume *v)
{
    enum err err = v->rot_request.err;
    enum rot_step ended = v->rot_step;
    request_end(&v->rot_request);
    v->rot_step = ROT_NONE;
    if (err)
        return; /* a full disk, say: no bit flips this time */
    if (ended == ROT_PROOF) {
        flip(v);
        return;
    }
    v->rot_file_count = 0;
    sim_disk_list(v->disk, note, v);
    v->rot_step = ROT_PROOF;
    if (prove(v))
        step(v);
}

static void begin(struct env_timer *timer)
{
    struct volume *v =
        (struct volume *)(void *)((uint8_t *)timer - offsetof(struct volume, rot_timer));
    request_begin(&v->rot_request);
    v->rot_request.done = step_done;
    if (agent_sync(v->agent, &v->rot_request))
        step(v);
}

void volume_rot(struct volume *v, uint32_t strength)
{
    if (v->rot_step != ROT_NONE)
        return;
    v->rot_step = ROT_SYNC;
    v->rot_strength = strength;
    v->rot_timer.fire = begin;
    v->env->ops->timer_start(v->env, &v->rot_timer, 1);
}

void volume_rot_abandon(struct volume *v)
{
    request_abandon(&v->rot_request);
    v->rot_step = ROT_NONE;
}
