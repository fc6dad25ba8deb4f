/* SPDX-License-Identifier: MIT
 *
 * pace.c: repair gives way to clients.
 */
#include "core/replica/primary/private.h"

#define REST_TIMES 2u                  /* as long as the piece took */
#define CALLS_NS   UINT64_C(100000000) /* for so long after a call another is expected */
#define REST_MOST  UINT64_C(50000000)  /* a piece that took long may have stood for the disk */

void pace_begin(struct primary *p)
{
    p->pace.began = now_ns(p);
}

static bool has_calls(struct primary *p, uint64_t now)
{
    struct pace *pace = &p->pace;
    if (p->call_count > 0 || p->status.requests != pace->requests)
        pace->called = now;
    pace->requests = p->status.requests;
    return pace->called && now - pace->called < CALLS_NS;
}

void pace_end(struct primary *p, void (*next)(struct env_timer *timer))
{
    struct pace *pace = &p->pace;
    uint64_t now = now_ns(p), rest = 0;
    if (has_calls(p, now)) {
        MARK(repair_gave_way);
        rest = REST_TIMES * (now - pace->began);
    }
    pace->resting = true;
    pace->timer.fire = next;
    p->env->ops->timer_start(p->env, &pace->timer, rest < REST_MOST ? rest : REST_MOST);
}

struct primary *pace_rested(struct env_timer *timer)
{
    struct pace *pace = (struct pace *)(void *)timer; /* its first member */
    pace->resting = false;
    return (struct primary *)(void *)((uint8_t *)pace - offsetof(struct primary, pace));
}

void pace_stop(struct primary *p)
{
    p->env->ops->timer_stop(p->env, &p->pace.timer);
    p->pace.resting = false;
}
