/* SPDX-License-Identifier: MIT */
#include "io/fuse/awake.h"

#include <fcntl.h>
#include <stddef.h>
#include <unistd.h>

#include "core/base/assert.h"

#define NO_WISH INT32_C(2000000000) /* microseconds; what the kernel takes for "any" */

void awake_open(struct awake *awake, uv_loop_t *loop)
{
    INVARIANT(uv_timer_init(loop, &awake->timer) == 0);
    awake->requests = 0;
    awake->bytes = awake->bytes_before = 0;
    awake->held = awake->running = false;
    awake->fd = open("/dev/cpu_dma_latency", O_WRONLY | O_CLOEXEC);
    int32_t latency = NO_WISH; /* opening alone asks for 0 */
    if (awake->fd >= 0 && write(awake->fd, &latency, sizeof latency) != (ssize_t)sizeof latency) {
        close(awake->fd);
        awake->fd = -1;
    }
}

static void hold(struct awake *awake, bool wanted)
{
    int32_t latency = wanted ? 0 : NO_WISH;
    if (awake->held == wanted)
        return;
    awake->held = wanted;
    if (write(awake->fd, &latency, sizeof latency) == (ssize_t)sizeof latency)
        return;
    close(awake->fd); /* which takes the wish back */
    awake->fd = -1;
    awake->held = false;
}

/* The end of a window (A1). The timer is found by its place: its data is the caller's. */
static void window_over(uv_timer_t *timer)
{
    struct awake *awake = (struct awake *)((char *)timer - offsetof(struct awake, timer));
    if (awake->fd >= 0)
        hold(awake, awake->requests >= AWAKE_RATE && awake->bytes - awake->bytes_before <=
                                                         (uint64_t)awake->requests * AWAKE_BYTES);
    if (awake->requests == 0 || awake->fd < 0) {
        uv_timer_stop(timer);
        awake->running = false;
    }
    awake->requests = 0;
    awake->bytes_before = awake->bytes;
}

void awake_note(struct awake *awake, uint32_t requests, uint64_t bytes)
{
    awake->bytes = bytes;
    awake->requests += requests;
    if (awake->running || awake->fd < 0 || !requests)
        return;
    awake->running = uv_timer_start(&awake->timer, window_over, AWAKE_MS, AWAKE_MS) == 0;
}

void awake_close(struct awake *awake, uv_close_cb closed)
{
    if (awake->fd >= 0)
        close(awake->fd);
    awake->fd = -1;
    awake->held = false;
    uv_close((uv_handle_t *)&awake->timer, closed);
}
