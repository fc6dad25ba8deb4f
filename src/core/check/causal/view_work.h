/* SPDX-License-Identifier: MIT
 *
 * view_work.h: what the parts of a view's check share. Private to view*.c.
 */
#ifndef PACTFS_CHECK_VIEW_WORK_H
#define PACTFS_CHECK_VIEW_WORK_H

#include "core/check/causal/view.h"

#define LABEL_NEVER UINT32_MAX

/* Sights of one register, one after another, with the same source. */
struct run {
    uint32_t last; /* the position of the last */
    uint32_t source, sight;
};

/* What the view has of one object. */
struct key_view {
    uint32_t first, count; /* sights: by_key[first ...] */
    uint32_t runs;         /* of a register: run[first ...], of known sources */
    uint32_t nothing;      /* the last sight of a register that returned nothing, or NO_NODE */
};

/* An edge that the view adds. */
struct view_edge {
    uint32_t from, next; /* next: the next edge into the same node */
    uint32_t sight;
};

struct view_work {
    struct arena arena;
    uint32_t *label;                    /* of nodes */
    uint32_t *labelled, labelled_count; /* nodes with a label, in the order of getting it */
    uint32_t *stack, stack_count;
    uint32_t *seen_last, *miss_last; /* of operations: see view.c, L6 */
    struct key_view *keys;
    uint32_t *used_keys, used_count;
    uint32_t *by_key;
    struct run *run;
    uint32_t sight_room;
    struct view_edge *edges;
    uint32_t *edge_head; /* of nodes: the first edge into it, or NO_NODE */
    uint32_t edge_count, edge_room;
    uint32_t *degree; /* of nodes: successors not yet taken away; NO_NODE: no member */
    uint32_t *members, member_count;
    /* for counters, once needed: see view_number.c */
    uint32_t *forward, *topological;       /* of nodes */
    uint32_t *increment_first, *increment; /* by key */
};

/* The first position at which the node is visible. A session's own node is visible after its own
 * position. */
static inline uint32_t visible_from(const struct view *view, uint32_t node)
{
    uint32_t label = view->work->label[node];
    return node - view->own_first < view->own_count && node - view->own_first == label ? label + 1
                                                                                       : label;
}

void view_add_edge(struct view *view, uint32_t from, uint32_t to, uint32_t sight);

/* view_cycle.c: whether the members' graph has no cycle; else sets view->cycle. */
bool view_acyclic(struct view *view);
/* The shortest path by `pred` from the node to the source of a sight that is not after `at`, as
 * view->cycle; the last link has the sight. There is one, since the node is visible there. */
void view_path(struct view *view, uint32_t node, uint32_t at);
/* view_number.c: whether what the counters answered is possible; else sets the fault. */
bool view_numbers(struct view *view);

#endif
