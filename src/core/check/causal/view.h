/* SPDX-License-Identifier: MIT
 *
 * view.h: whether what one session saw fits an order of all writes. Private to src/core/check.
 *
 * Definitions
 *   order     what is known before looking at anybody's view: nodes (one or several operations that
 *             take effect together) and which must come before which
 *   sight     what one read returned, as far as others wrote it, at a position in its session
 *   view      the sights of one session. A write is visible at a position when it is the source of
 *             a sight there or before, or comes before one that is
 *   fault     why no order explains a view
 *
 * The law is at the head of view.c.
 */
#ifndef PACTFS_CHECK_VIEW_H
#define PACTFS_CHECK_VIEW_H

#include "core/check/causal/reads_from.h"

#define NO_NODE UINT32_MAX

struct order {
    const struct reads_from *rf;
    uint32_t nodes;
    uint32_t *node_op;           /* nodes + 1: the first operation of each node */
    uint32_t *op_node;           /* the node of each operation */
    uint32_t *pred_first, *pred; /* nodes + 1; what comes right before each, and makes visible */
    uint32_t *also;      /* or NULL: for each node one that comes before it, but need not be visible
                         where it is; NO_NODE for none */
    bool serialised;     /* the view is a serialisation: whatever comes before something visible is
                         visible. Else only what comes before it in `pred` */
    struct arena *arena; /* of the arrays */
};

/* Begins an order whose nodes are the operations. pred_first counts predecessors by
 * order_count(node), then order_place() lays out `pred`; order_pred adds them. */
void order_init(struct order *order, const struct reads_from *rf, struct arena *arena);
void order_count(struct order *order, uint32_t node, uint32_t preds);
void order_place(struct order *order);
void order_pred(struct order *order, uint32_t node, uint32_t pred);
void order_done(struct order *order); /* after the last order_pred */

struct sight {
    uint32_t at;                  /* position; does not decrease from sight to sight */
    uint32_t op;                  /* the read */
    uint32_t source, seen, count; /* as those of the operation, */
    int64_t number;               /* without what its own transaction wrote before */
};

enum view_fault {
    VIEW_EXPLAINED = 0,
    VIEW_NOTHING, /* `sight` returned nothing; `op` is visible there */
    VIEW_MISSED,  /* `sight` does not show `op`, which is visible there */
    VIEW_CYCLE,   /* the order contradicts itself: `cycle` */
    VIEW_NUMBER,  /* `sight` is outside [least, most] */
    VIEW_LIMIT,   /* not decided: it would take too many steps */
};

/* One edge of a cycle or path: `node` comes before the next one. */
struct view_link {
    uint32_t node;
    uint32_t sight; /* which shows it; NO_NODE: what the order itself says */
};

struct view {
    const struct order *order;
    const struct sight *sights; /* of one session; set by the user before each question */
    uint32_t count;
    uint32_t own_first; /* the session's own nodes, at positions 0 ...: part of a serialisation */
    uint32_t own_count; /* 0: not part of it */
    uint64_t steps, steps_max;

    enum view_fault fault; /* the answer, and what belongs to it */
    uint32_t sight, op;
    int64_t least, most;
    struct view_link *cycle;
    uint32_t cycle_count;

    struct view_work *work; /* private */
};

void view_init(struct view *view, const struct order *order, uint64_t steps_max);
void view_free(struct view *view);

/* Whether an order explains the view; else sets fault and what belongs to it. */
bool view_explained(struct view *view);
/* The longest beginning of the view that has an explanation, in sights; then, if that is not all,
 * the fault is the one of the beginning that is one sight longer. */
uint32_t view_longest(struct view *view);
/* Whether the order does not contradict itself before any view is looked at; else the fault. */
bool view_order_sound(struct view *view);

/* After VIEW_NOTHING or VIEW_MISSED: why `op` is visible at `sight`, as a `cycle`. Of a serialised
 * view it is one: from the session's own node at the sight to the node of `op` (that link's sight
 * is the sight), and on to the session's own node. Else it is a path from the node of `op` to the
 * source of an earlier sight, which is the sight of the last link. */
void view_explain_visible(struct view *view);

#endif
