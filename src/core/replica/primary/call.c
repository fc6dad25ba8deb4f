/* SPDX-License-Identifier: MIT
 *
 * call.c: the life of a call: from the free list, through the lists that it waits in, back.
 */
#include <stdlib.h>

#include "core/replica/primary/private.h"

struct call *call_take(struct primary *p)
{
    struct call *call = p->free_calls;
    if (call) {
        p->free_calls = call->next;
    } else {
        call = calloc(1, sizeof *call);
        INVARIANT(call != NULL);
        arena_init(&call->reply);
    }
    request_begin(&call->request);
    call->primary = p;
    call->next = p->calls;
    call->prev = NULL;
    if (p->calls)
        p->calls->prev = call;
    p->calls = call;
    p->call_count++;
    call->reign = p->reign;
    call->session = call->serial = 0;
    call->slot = call->from = 0;
    call->need = STAMP_ZERO;
    call->waiting = call->change = call->near = call->dropped = call->held = false;
    call->finished = NULL;
    call->payload = NULL;
    return call;
}

static void wait_remove(struct call *call)
{
    struct primary *p = call->primary;
    if (!call->waiting)
        return;
    if (call->wait_prev)
        call->wait_prev->wait_next = call->wait_next;
    else
        p->waiting = call->wait_next;
    if (call->wait_next)
        call->wait_next->wait_prev = call->wait_prev;
    else
        p->waiting_last = call->wait_prev;
    call->waiting = false;
}

void held_remove(struct call *call)
{
    struct primary *p = call->primary;
    struct call **at = &p->held, *before = NULL;
    if (!call->held)
        return;
    while (*at != call) {
        before = *at;
        at = &(*at)->wait_next;
    }
    *at = call->wait_next;
    if (p->held_last == call)
        p->held_last = before;
    call->held = false;
}

static void slot_leave(struct call *call)
{
    struct session *session = call->finished ? NULL : session_find(call->primary, call->session);
    if (session && call->slot < session->slot_count && session->slots[call->slot].call == call)
        session->slots[call->slot].call = NULL;
}

static void call_unlink(struct call *call)
{
    struct primary *p = call->primary;
    wait_remove(call);
    held_remove(call);
    slot_leave(call);
    if (call->prev)
        call->prev->next = call->next;
    else
        p->calls = call->next;
    if (call->next)
        call->next->prev = call->prev;
    p->call_count--;
    shared_unref(call->payload);
    call->payload = NULL;
}

void call_free(struct call *call)
{
    struct primary *p = call->primary;
    call_unlink(call);
    request_end(&call->request);
    arena_reset(&call->reply);
    if (call->into_room > FS_IO_MAX / 4) { /* large buffers are not hoarded */
        free(call->into);
        call->into = NULL;
        call->into_room = 0;
    }
    call->next = p->free_calls;
    p->free_calls = call;
}

static void call_destroy(struct call *call)
{
    arena_free(&call->reply);
    free(call->bytes);
    free(call->into);
    free(call);
}

void serve_free(struct primary *p)
{
    INVARIANT(p->call_count == 0);
    while (p->free_calls) {
        struct call *call = p->free_calls;
        p->free_calls = call->next;
        request_free(&call->request);
        call_destroy(call);
    }
}

void serve_abandon(struct primary *p)
{
    while (p->calls) {
        struct call *call = p->calls;
        call_unlink(call);
        request_abandon(&call->request);
        call_destroy(call);
    }
    serve_free(p);
}
