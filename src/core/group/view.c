/* SPDX-License-Identifier: MIT
 *
 * view.c: views as values.
 */
#include "core/group/view.h"

#include <stdio.h>
#include <string.h>

#include "core/base/assert.h"

bool view_has(const struct view *view, uint32_t node)
{
    for (uint32_t i = 0; i < view->count; i++)
        if (view->members[i] == node)
            return true;
    return false;
}

void view_add(struct view *view, uint32_t node)
{
    uint32_t at = view->count;
    if (view_has(view, node))
        return;
    INVARIANT(view->count < GROUP_MAX);
    for (; at > 0 && view->members[at - 1] > node; at--)
        view->members[at] = view->members[at - 1];
    view->members[at] = node;
    view->count++;
}

void view_remove(struct view *view, uint32_t node)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < view->count; i++)
        if (view->members[i] != node)
            view->members[kept++] = view->members[i];
    view->count = kept;
}

bool view_equal(const struct view *a, const struct view *b)
{
    return a->number == b->number && a->primary == b->primary && a->count == b->count &&
           memcmp(a->members, b->members, sizeof *a->members * a->count) == 0;
}

bool view_sound(const struct view *view)
{
    if (view->number == 0 || view->count == 0 || view->count > GROUP_MAX)
        return false;
    for (uint32_t i = 1; i < view->count; i++)
        if (view->members[i - 1] >= view->members[i])
            return false;
    return view_has(view, view->primary);
}

const char *view_print(const struct view *view, char *buf, size_t size)
{
    int used = snprintf(buf, size, "view %llu {", (unsigned long long)view->number);
    for (uint32_t i = 0; i < view->count && used > 0 && (size_t)used < size; i++)
        used += snprintf(buf + used, size - (size_t)used, "%s%s%u", i ? " " : "",
                         view->members[i] == view->primary ? "*" : "", view->members[i]);
    if (used > 0 && (size_t)used < size)
        snprintf(buf + used, size - (size_t)used, "}");
    return buf;
}

struct timing timing_of(uint64_t failover_ns)
{
    return (struct timing){.failover = failover_ns,
                           .heartbeat = failover_ns / 10,
                           .lease = failover_ns * 40 / 100,
                           .suspect = failover_ns / 2,
                           .flush = failover_ns / 8,
                           .retry = failover_ns / 8,
                           .session = failover_ns * 1800};
}
