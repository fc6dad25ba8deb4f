/* SPDX-License-Identifier: MIT
 *
 * dependencies.c: edges as arrays: gathered in any order, then sorted once by counting.
 */
#include "core/check/transactions/dependencies.h"

#include <stdlib.h>

#include "core/base/assert.h"

#define EDGE_BYTES (5 * sizeof(uint32_t) + 2) /* gathered and sorted at the same time */

static void *must(void *memory)
{
    INVARIANT(memory != NULL);
    return memory;
}

void dependencies_init(struct dependencies *d, uint32_t txns, uint64_t bytes_max)
{
    *d = (struct dependencies){.txns = txns, .nodes = txns, .bytes_max = bytes_max};
}

void dependencies_free(struct dependencies *d)
{
    free(d->first);
    free(d->from);
    free(d->to);
    free(d->why);
    free(d->kind);
}

uint32_t dependencies_relay(struct dependencies *d)
{
    INVARIANT(d->nodes < UINT32_MAX / 2 - 1);
    return d->nodes++;
}

static bool room_for_one(struct dependencies *d)
{
    if (d->count < d->room)
        return true;
    uint64_t room = d->room ? d->room * 2 : 1024;
    if (d->over || d->count * EDGE_BYTES > d->bytes_max) {
        d->over = true;
        return false;
    }
    d->from = must(realloc(d->from, room * sizeof *d->from));
    d->to = must(realloc(d->to, room * sizeof *d->to));
    d->why = must(realloc(d->why, room * sizeof *d->why));
    d->kind = must(realloc(d->kind, room));
    d->room = room;
    return true;
}

void depend(struct dependencies *d, const struct dependency *edge)
{
    if (edge->from == edge->to || !room_for_one(d))
        return;
    d->from[d->count] = edge->from;
    d->to[d->count] = edge->to;
    d->why[d->count] = edge->why;
    d->kind[d->count] = edge->kind;
    d->count++;
}

void dependencies_index(struct dependencies *d)
{
    size_t room = d->count ? d->count : 1;
    uint32_t *to = must(malloc(room * sizeof *to)), *why = must(malloc(room * sizeof *why));
    uint8_t *kind = must(malloc(room));
    d->first = must(calloc((size_t)d->nodes + 2, sizeof *d->first));
    for (uint64_t i = 0; i < d->count; i++)
        d->first[d->from[i] + 2]++;
    for (uint32_t n = 0; n < d->nodes; n++)
        d->first[n + 2] += d->first[n + 1];
    for (uint64_t i = 0; i < d->count; i++) {
        uint64_t at = d->first[d->from[i] + 1]++;
        to[at] = d->to[i];
        why[at] = d->why[i];
        kind[at] = d->kind[i];
    }
    free(d->from);
    free(d->to);
    free(d->why);
    free(d->kind);
    d->from = NULL;
    d->to = to;
    d->why = why;
    d->kind = kind;
}
