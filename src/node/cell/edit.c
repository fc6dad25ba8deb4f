/* SPDX-License-Identifier: MIT
 *
 * edit.c: see edit.h.
 */
#include "node/cell/edit.h"

#include <string.h>

#include "node/cell/cell_private.h"

#define AGAIN_NS (20 * CELL_MS) /* what came first has to arrive here by a watch */

static const char *keep(struct edit *edit, const char *key)
{
    return arena_copy(&edit->arena, key, strlen(key));
}

void edit_expect(struct edit *edit, const char *key, uint64_t revision)
{
    INVARIANT(edit->condition_count < EDIT_KEYS);
    edit->conditions[edit->condition_count++] =
        (struct registry_condition){.key = keep(edit, key), .revision = revision};
}

static void write_of(struct edit *edit, const char *key, struct bytes value, bool leased)
{
    INVARIANT(edit->write_count < EDIT_KEYS);
    edit->writes[edit->write_count++] =
        (struct registry_write){.key = keep(edit, key), .value = value, .leased = leased};
}

void edit_put(struct edit *edit, const char *key, struct bytes value)
{
    write_of(edit, key, value, false);
}

void edit_lease(struct edit *edit, const char *key, struct bytes value)
{
    write_of(edit, key, value, true);
}

void edit_delete(struct edit *edit, const char *key)
{
    write_of(edit, key, (struct bytes){NULL, 0}, false);
}

static void finish(struct edit *edit, enum err err)
{
    struct env *env = edit->cell->env;
    env->ops->timer_stop(env, &edit->timer);
    arena_free(&edit->arena);
    edit->done(edit, err);
}

static void finish_later(struct env_timer *timer)
{
    struct edit *edit = (struct edit *)((char *)timer - offsetof(struct edit, timer));
    finish(edit, edit->outcome);
}

static void end_soon(struct edit *edit, enum err err)
{
    struct env *env = edit->cell->env;
    edit->outcome = err;
    edit->timer.fire = finish_later;
    env->ops->timer_start(env, &edit->timer, 0);
}

static void changed(struct registry_change *change);

static void try(struct edit *edit)
{
    struct registry *registry = edit->cell->registry;
    arena_reset(&edit->arena);
    edit->condition_count = edit->write_count = 0;
    enum err err = registry ? edit->make(edit) : ERR_REGISTRY; /* none: the node stops */
    if (err != OK || edit->write_count == 0) {
        end_soon(edit, err);
        return;
    }
    edit->change = (struct registry_change){.conditions = edit->conditions,
                                            .condition_count = edit->condition_count,
                                            .writes = edit->writes,
                                            .write_count = edit->write_count,
                                            .done = changed,
                                            .ctx = edit};
    registry->ops->change(registry, &edit->change);
}

static void try_again(struct env_timer *timer)
{
    try((struct edit *)((char *)timer - offsetof(struct edit, timer)));
}

static void changed(struct registry_change *change)
{
    struct edit *edit = change->ctx;
    struct env *env = edit->cell->env;
    edit->revision = change->revision;
    if (change->err != ERR_CONFLICT || cell_now(edit->cell) >= edit->until_ns) {
        finish(edit, change->err);
        return;
    }
    edit->timer.fire = try_again;
    env->ops->timer_start(env, &edit->timer, AGAIN_NS);
}

void edit_begin(struct edit *edit)
{
    memset(&edit->timer, 0, sizeof edit->timer);
    arena_init(&edit->arena);
    edit->until_ns = cell_now(edit->cell) + CELL_REGISTRY_MS * CELL_MS;
    try(edit);
}
