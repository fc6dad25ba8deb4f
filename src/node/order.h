/* SPDX-License-Identifier: MIT
 *
 * order.h: one line of the control socket, understood or refused, before anything is done.
 */
#ifndef PACTFS_NODE_ORDER_H
#define PACTFS_NODE_ORDER_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "core/base/err.h"

enum order_name {
    ORDER_STATUS,
    ORDER_EXPLAIN,
    ORDER_MOUNT,
    ORDER_UMOUNT,
    ORDER_SYNC,
    ORDER_CLEAN,
    ORDER_CHECKPOINT,
    ORDER_SCRUB,
    ORDER_STOP,
    ORDER_COUNT
};

struct order {
    enum order_name name;
    const char *dir; /* MOUNT: an absolute path; otherwise NULL */
    bool brief;      /* EXPLAIN */
    json_t *json;    /* what dir points into */
};

/* Reads `len` bytes. OK: *out is valid until order_free. DECODE: not a JSON object; USAGE: not
 * one that is known, or something is missing; *sentence says which, and nothing is to be freed. */
enum err order_parse(const char *line, size_t len, struct order *out, const char **sentence);
void order_free(struct order *request);

#endif
