/* SPDX-License-Identifier: MIT
 *
 * offline.h: scrub a volume that does not run. The store is opened read-only; nothing is changed.
 */
#ifndef PACTFS_NODE_OFFLINE_H
#define PACTFS_NODE_OFFLINE_H

#include <stdint.h>

#include "core/store/store.h"

struct offline_scrub {
    void (*problem)(void *ctx, const char *file, uint64_t offset, const char *what);
    void (*progress)(void *ctx, uint64_t bytes_done, uint64_t bytes_total);
    void *ctx;
    uint64_t bytes, records, problems; /* out */
};

/* Blocks until done. OK when everything was looked at, whatever was found; LOCKED when the volume
 * is in use; the errors of home_open and store_open, with a sentence in *error, when it cannot be
 * opened. */
enum err offline_scrub_run(const char *home, struct offline_scrub *scrub,
                           struct store_error *error);

#endif
