/* SPDX-License-Identifier: MIT
 *
 * window.h: the last records, in memory, as they are sent. The law is in window.c.
 */
#ifndef PACTFS_REPLICA_PRIMARY_WINDOW_H
#define PACTFS_REPLICA_PRIMARY_WINDOW_H

#include "core/store/replicate.h"

#define WINDOW_BYTES (32u << 20) /* of the last records, in memory */

struct primary;

struct record {
    struct record *next;
    struct stamp before, stamp;
    uint64_t at; /* when it was committed here, on the monotonic clock */
    uint32_t head_len, payload_len;
    uint8_t bytes[]; /* head, payload */
};

struct window {
    struct record *first, *last;
    uint64_t bytes;
};

void window_add(struct primary *p, const struct store_record *record);
void window_clear(struct primary *p);
/* The record behind `stamp`: true, and NULL when there is none yet; false: the window does not
 * reach back to it, or there is no record with that stamp. */
bool window_find(const struct primary *p, struct stamp stamp, struct record **out);
void record_send(struct primary *p, uint32_t to, const struct record *record);

#endif
