/* SPDX-License-Identifier: MIT
 *
 * edit.h: one change of the registry that rests on what this node knows: made, and made again from
 * newer knowledge while somebody else's change came first.
 */
#ifndef PACTFS_NODE_CELL_EDIT_H
#define PACTFS_NODE_CELL_EDIT_H

#include "core/base/arena.h"
#include "core/registry/registry.h"

#define EDIT_KEYS 16u /* conditions, and writes */

struct cell;

struct edit {
    /* in */
    struct cell *cell;
    /* Fills in the change by edit_expect, edit_put and edit_delete; memory from edit->arena. Runs
     * again after a conflict. Anything but OK ends the edit with that. */
    enum err (*make)(struct edit *edit);
    /* Once, later. OK; CONFLICT: others kept coming first; TIMEOUT: not known whether it happened;
     * REGISTRY: it did not; or what make answered. The edit may be freed. */
    void (*done)(struct edit *edit, enum err err);
    /* out, and private */
    struct arena arena;
    uint64_t revision;
    struct registry_change change;
    struct env_timer timer;
    uint64_t until_ns;
    uint32_t condition_count, write_count;
    struct registry_condition conditions[EDIT_KEYS];
    struct registry_write writes[EDIT_KEYS];
    enum err outcome;
};

void edit_begin(struct edit *edit);
void edit_expect(struct edit *edit, const char *key, uint64_t revision);
void edit_put(struct edit *edit, const char *key, struct bytes value);
void edit_lease(struct edit *edit, const char *key, struct bytes value);
void edit_delete(struct edit *edit, const char *key);

#endif
