/* SPDX-License-Identifier: MIT
 *
 * naive_model.h: what objects are, told a second time: plain arrays, copied whole. For small
 * histories only. Shares nothing with src/core/check/search/models.c.
 */
#ifndef PACTFS_TEST_NAIVE_MODEL_H
#define PACTFS_TEST_NAIVE_MODEL_H

#include "core/check/history.h"

#define NAIVE_KEYS  3u
#define NAIVE_ITEMS 24u

struct naive_name {
    uint32_t dir, name, inode;
};

struct naive_node {
    uint32_t inode, content;
    bool dir;
};

struct naive_object {
    uint32_t value;              /* register */
    int64_t number;              /* counter */
    uint32_t items[NAIVE_ITEMS]; /* list in order; set in order of adding */
    uint32_t count;
    struct naive_name names[NAIVE_ITEMS];
    uint32_t name_count;
    struct naive_node nodes[NAIVE_ITEMS];
    uint32_t node_count;
};

struct naive_state {
    struct naive_object objects[NAIVE_KEYS];
};

void naive_init(struct history *history, struct naive_state *state);
/* Does the act. With `checked` false is returned when its answer is not right (the state is then of
 * no use); else it takes effect where it can. */
bool naive_apply(const struct history *history, const struct history_act *act, bool checked,
                 struct naive_state *state);
/* Does the act and gives it the answer of a correct system; `list` gets what it lists. */
uint32_t naive_answer(struct history *history, struct history_act *act, struct naive_state *state,
                      uint32_t *list);

#endif
