/* SPDX-License-Identifier: MIT
 *
 * view_witness.h: why a view has no explanation, for people. Private to src/core/check.
 */
#ifndef PACTFS_CHECK_VIEW_WITNESS_H
#define PACTFS_CHECK_VIEW_WITNESS_H

#include "core/check/causal/view.h"

/* The promise is broken by the view's fault (not VIEW_LIMIT): counts the anomaly and, when it is
 * the first, or a smaller witness than the one there, gives text, steps and edges. After
 * VIEW_NOTHING and VIEW_MISSED view_explain_visible was called. */
void view_witness(struct view *view, struct checking *c, enum anomaly anomaly);

#endif
