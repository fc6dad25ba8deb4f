/* SPDX-License-Identifier: MIT
 *
 * awake.h: keeping idle processors awake while requests come thick and fast.
 *
 * A program on a mount and the process that serves it wake each other several times for each file.
 * On a virtual machine (and on many a laptop) waking a processor that has gone to sleep takes
 * longer than the request itself. Linux has an interface for those who cannot wait: as long as
 * /dev/cpu_dma_latency is held at 0, idle processors poll instead of sleeping
 * (Documentation/power/pm_qos_interface.rst).
 *
 * Law
 *   A1  It is held only while at least AWAKE_RATE requests came in the last window of AWAKE_MS, of
 *       AWAKE_BYTES or less on average: bulk data waits for disks, not for processors, and on a
 *       virtual machine polling takes time from the host that moves it. An idle mount costs
 *       nothing.
 *   A2  Where it may not be opened (it takes root), everything works the same, only slower.
 */
#ifndef PACTFS_IO_FUSE_AWAKE_H
#define PACTFS_IO_FUSE_AWAKE_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#define AWAKE_MS    10u
#define AWAKE_RATE  24u
#define AWAKE_BYTES 16384u

struct awake {
    uv_timer_t timer;  /* runs while requests come */
    uint32_t requests; /* in this window */
    uint64_t bytes;    /* of file data, either way, since the beginning */
    int fd;            /* -1: not to be had */
    bool held, running;
    uint64_t bytes_before; /* at the start of the window */
};

/* Never fails (A2). */
void awake_open(struct awake *awake, uv_loop_t *loop);
/* So many requests were taken; `bytes` of file data have gone either way since the beginning. */
void awake_note(struct awake *awake, uint32_t requests, uint64_t bytes);
/* Lets go. closed(handle) runs later, once; the memory must live until then; handle->data is the
 * caller's. */
void awake_close(struct awake *awake, uv_close_cb closed);

#endif
