/* SPDX-License-Identifier: MIT
 *
 * placement.c: see placement.h for the law.
 */
#include "node/cell/placement.h"

#include <string.h>

#include "core/base/assert.h"

static const struct placement_node *node_of(const struct placement *p, uint32_t number)
{
    for (uint32_t i = 0; i < p->node_count; i++)
        if (p->nodes[i].number == number)
            return &p->nodes[i];
    return NULL;
}

static bool has_replica(const struct placement *p, uint32_t number)
{
    for (uint32_t i = 0; i < p->count; i++)
        if (p->replicas[i] == number)
            return true;
    return false;
}

/* A node that is not known any more has left. */
static bool stays(const struct placement *p, uint32_t number)
{
    const struct placement_node *node = node_of(p, number);
    return node && !node->leaving;
}

static bool better(const struct placement_node *a, const struct placement_node *b)
{
    if (!b || a->replicas != b->replicas)
        return !b || a->replicas < b->replicas;
    if (a->available != b->available)
        return a->available > b->available;
    return a->number < b->number;
}

uint32_t placement_spare(const struct placement *p)
{
    const struct placement_node *best = NULL;
    for (uint32_t i = 0; i < p->node_count; i++) {
        const struct placement_node *node = &p->nodes[i];
        if (node->alive && !node->leaving && node->available >= p->room &&
            !has_replica(p, node->number) && better(node, best))
            best = node;
    }
    return best ? best->number : 0;
}

void placement_begin(struct placement *p)
{
    uint32_t spare;
    INVARIANT(p->wanted <= GROUP_MAX);
    p->count = 0;
    while (p->count < p->wanted && (spare = placement_spare(p)) != 0)
        p->replicas[p->count++] = spare;
}

static void take_away(struct placement *p, uint32_t at)
{
    p->count--;
    memmove(&p->replicas[at], &p->replicas[at + 1], (p->count - at) * sizeof *p->replicas);
}

/* Replicas on nodes that stay; `in_view`: only those that are members. */
static uint32_t staying(const struct placement *p, bool in_view)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < p->count; i++)
        if (stays(p, p->replicas[i]) && (!in_view || view_has(&p->view, p->replicas[i])))
            count++;
    return count;
}

/* A replica that is lost gives its place to a spare. */
static bool exchange_lost(struct placement *p)
{
    uint32_t spare = placement_spare(p);
    for (uint32_t i = 0; spare && i < p->count; i++)
        if ((p->lost >> i & 1) && !view_has(&p->view, p->replicas[i])) {
            p->replicas[i] = spare;
            return true;
        }
    return false;
}

static bool add_missing(struct placement *p)
{
    uint32_t spare = staying(p, false) < p->wanted ? placement_spare(p) : 0;
    if (!spare || p->count == GROUP_MAX)
        return false;
    p->replicas[p->count++] = spare;
    return true;
}

/* Is the replica at `at` one that can be spared now (P2), but for its being the primary? */
static bool spared(const struct placement *p, uint32_t at)
{
    bool stay = stays(p, p->replicas[at]), member = view_has(&p->view, p->replicas[at]);
    if (stay && staying(p, false) <= p->wanted)
        return false;
    return staying(p, true) >= p->wanted + (stay && member ? 1 : 0);
}

/* What to take away first: who leaves, then who is out of the view, then the last of the list. */
static uint32_t rank(const struct placement *p, uint32_t at)
{
    return (stays(p, p->replicas[at]) ? 0 : 4) | (view_has(&p->view, p->replicas[at]) ? 0 : 2) |
           (p->replicas[at] == p->view.primary ? 0 : 1);
}

static bool surplus(const struct placement *p, uint32_t *at)
{
    bool found = false;
    for (uint32_t i = 0; i < p->count; i++)
        if (spared(p, i) && (!found || rank(p, i) >= rank(p, *at))) {
            *at = i;
            found = true;
        }
    return found;
}

/* A member on a node that stays, other than the primary; 0: none. */
static uint32_t heir(const struct placement *p)
{
    for (uint32_t i = 0; i < p->count; i++)
        if (p->replicas[i] != p->view.primary && stays(p, p->replicas[i]) &&
            view_has(&p->view, p->replicas[i]))
            return p->replicas[i];
    return 0;
}

enum placement_step placement_next(struct placement *p)
{
    uint32_t at = 0;
    if (p->view.number == 0)
        return PLACEMENT_STAY;
    if (exchange_lost(p) || add_missing(p))
        return PLACEMENT_CHANGE;
    if (!surplus(p, &at))
        return PLACEMENT_STAY;
    if (p->replicas[at] == p->view.primary) {
        p->to = heir(p);
        return p->to ? PLACEMENT_HAND_OVER : PLACEMENT_STAY;
    }
    take_away(p, at);
    return PLACEMENT_CHANGE;
}
