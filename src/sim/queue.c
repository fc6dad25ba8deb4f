/* SPDX-License-Identifier: MIT
 *
 * queue.c: the events that are to come, in the order of their time.
 *
 * Law
 *   Q1  The heap is ordered by (at, serial); serials are unique, so the order is total and does not
 *       depend on how the heap came about.
 *   Q2  An event is in the heap (heap[place] == event), in a list (place == EVENT_LISTED), in
 *       nobody's hands but those of the function that took it, or in the chain of free ones.
 */
#include <stdlib.h>

#include "core/base/assert.h"
#include "sim/world.h"

static bool before(const struct event *a, const struct event *b)
{
    return a->at != b->at ? a->at < b->at : a->serial < b->serial;
}

static void put_at(struct sim *sim, size_t place, struct event *event)
{
    sim->heap[place] = event;
    event->place = place;
}

static void sift_up(struct sim *sim, size_t place)
{
    struct event *event = sim->heap[place];
    while (place && before(event, sim->heap[(place - 1) / 2])) {
        put_at(sim, place, sim->heap[(place - 1) / 2]);
        place = (place - 1) / 2;
    }
    put_at(sim, place, event);
}

static void sift_down(struct sim *sim, size_t place)
{
    struct event *event = sim->heap[place];
    for (;;) {
        size_t child = 2 * place + 1;
        if (child >= sim->count)
            break;
        if (child + 1 < sim->count && before(sim->heap[child + 1], sim->heap[child]))
            child++;
        if (!before(sim->heap[child], event))
            break;
        put_at(sim, place, sim->heap[child]);
        place = child;
    }
    put_at(sim, place, event);
}

uint64_t sim_after(const struct sim *sim, uint64_t ns)
{
    return ns > UINT64_MAX - sim->now ? UINT64_MAX : sim->now + ns;
}

struct event *event_new(struct sim *sim, enum event_kind kind, uint64_t at)
{
    struct event *event = sim->free;
    if (event)
        sim->free = event->next;
    else
        event = sim_zalloc(sizeof *event);
    *event = (struct event){.at = at, .serial = sim->serial++, .place = EVENT_LISTED, .kind = kind};
    return event;
}

void event_free(struct sim *sim, struct event *event)
{
    if (event->kind == EVENT_TIMER)
        event->timer->impl = NULL;
    event->next = sim->free;
    sim->free = event;
}

void queue_insert(struct sim *sim, struct event *event)
{
    if (sim->count == sim->room) {
        sim->room = sim->room ? 2 * sim->room : 64;
        sim->heap = realloc(sim->heap, sim->room * sizeof *sim->heap);
        INVARIANT(sim->heap != NULL);
    }
    put_at(sim, sim->count++, event);
    sift_up(sim, event->place);
}

void queue_take(struct sim *sim, struct event *event)
{
    size_t place = event->place;
    INVARIANT(place < sim->count && sim->heap[place] == event);
    event->place = EVENT_LISTED;
    sim->count--;
    if (place == sim->count)
        return;
    put_at(sim, place, sim->heap[sim->count]);
    sift_up(sim, place);
    sift_down(sim, place);
}

void queue_restore(struct sim *sim)
{
    for (size_t place = sim->count / 2; place-- > 0;)
        sift_down(sim, place);
}

void queue_take_all(struct sim *sim, bool (*wanted)(const struct event *event, const void *ctx),
                    const void *ctx, struct events *out)
{
    size_t kept = 0;
    for (size_t i = 0; i < sim->count; i++) {
        struct event *event = sim->heap[i];
        if (wanted(event, ctx))
            events_push(out, event);
        else
            put_at(sim, kept++, event);
    }
    if (kept == sim->count)
        return;
    sim->count = kept;
    queue_restore(sim);
}

void queue_free(struct sim *sim)
{
    INVARIANT(sim->count == 0);
    for (struct event *event = sim->free, *next; event; event = next) {
        next = event->next;
        free(event);
    }
    free(sim->heap);
}

/* --- lists --- */

void events_push(struct events *list, struct event *event)
{
    event->place = EVENT_LISTED;
    event->next = NULL;
    event->prev = list->last;
    *(list->last ? &list->last->next : &list->first) = event;
    list->last = event;
}

void events_push_front(struct events *list, struct event *event)
{
    event->place = EVENT_LISTED;
    event->prev = NULL;
    event->next = list->first;
    *(list->first ? &list->first->prev : &list->last) = event;
    list->first = event;
}

void events_remove(struct events *list, struct event *event)
{
    INVARIANT(event->place == EVENT_LISTED);
    *(event->prev ? &event->prev->next : &list->first) = event->next;
    *(event->next ? &event->next->prev : &list->last) = event->prev;
    event->next = event->prev = NULL;
}

struct event *events_pop(struct events *list)
{
    struct event *event = list->first;
    if (event)
        events_remove(list, event);
    return event;
}
