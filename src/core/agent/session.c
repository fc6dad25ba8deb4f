/* SPDX-License-Identifier: MIT
 *
 * session.c: the agent's session at the primary, and the inodes that it holds.
 */
#include <stdlib.h>
#include <string.h>

#include "core/agent/remote_private.h"
#include "core/base/assert.h"

/* Whoever executes takes a number. */
uint64_t session_new_ino(struct executor *executor)
{
    (void)executor;
    return 0;
}

/* --- beginning --- */

static void tell_begun(struct remote *remote, enum err err)
{
    void (*begun)(void *ctx, enum err err) = remote->begun;
    remote->begun = NULL;
    if (begun)
        begun(remote->begun_ctx, err);
}

void remote_begin(struct remote *remote, uint64_t within_ns, void (*done)(void *ctx, enum err err),
                  void *ctx)
{
    INVARIANT(!remote->begun);
    uint64_t now = remote_now(remote);
    remote->begun = done;
    remote->begun_ctx = ctx;
    remote->begin_until = now + within_ns;
    if (remote->session)
        tell_begun(remote, OK);
    else
        remote_wake(remote, now);
}

static void ask_session(struct remote *remote, uint64_t now)
{
    struct message open = remote_message(remote, MESSAGE_OPEN);
    while (!remote->opening)
        remote->opening = remote->env->ops->random(remote->env);
    open.serial = remote->opening;
    /* Making one is work for all replicas: not as often as a mere question. */
    remote->probe_ns = now + remote->timing.retry;
    remote_say(remote, remote->view.primary, &open);
}

void session_probe(struct remote *remote, uint64_t now)
{
    if (remote->view.number == 0 || now < remote->probe_ns)
        return;
    if (!remote->session) {
        ask_session(remote, now);
        return;
    }
    struct message renew = remote_message(remote, MESSAGE_RENEW);
    renew.session = remote->session;
    remote->probe_ns = now + remote_quick(remote);
    remote->renewed_ns = now;
    remote_say(remote, remote->view.primary, &renew);
}

/* Errors that pass; the others are final. */
static bool passes(enum err err)
{
    return err == ERR_AGAIN || err == ERR_MOVED || err == ERR_NO_VIEW || err == ERR_BUSY ||
           err == ERR_REGISTRY || err == ERR_SESSION || err == ERR_TIMEOUT;
}

/* One more than was wanted: a question that came twice may have made two. */
static void give_back(struct remote *remote, uint64_t session)
{
    struct message close = remote_message(remote, MESSAGE_CLOSE);
    close.session = session;
    remote_say(remote, remote->view.primary, &close);
}

void session_opened(struct remote *remote, const struct message *message)
{
    if (!remote->opening || message->serial != remote->opening || remote->view.number == 0)
        return;
    locate_learn(remote, &message->view);
    if (message->err != OK || message->session == 0) {
        if (!remote->session && message->err != OK && !passes(message->err))
            tell_begun(remote, message->err);
        return;
    }
    if (remote->session) {
        if (message->session != remote->session)
            give_back(remote, message->session);
        return;
    }
    remote->session = message->session;
    remote->renewed_ns = remote_now(remote);
    remote->probe_ns = 0;
    remote->status.sessions_begun++;
    if (remote->status.sessions_begun > 1 && remote->options.renewed)
        remote->options.renewed(remote->options.ctx);
    locate_serves(remote);
    tell_begun(remote, OK);
}

/* --- going on --- */

void session_renewed(struct remote *remote, uint32_t from, const struct message *message)
{
    if (!remote->session || message->session != remote->session || from != remote->view.primary)
        return;
    locate_learn(remote, &message->view);
    if (message->err == ERR_SESSION)
        session_lost(remote);
    else if (message->err == OK && !remote->serves)
        locate_serves(remote);
}

void session_lost(struct remote *remote)
{
    remote->session = remote->opening = 0;
    remote->probe_ns = 0;
    remote->cautious = false;
    free(remote->holds.inos);
    remote->holds = (struct holds){0};
    locate_doubt(remote);
    session_probe(remote, remote_now(remote));
    slots_new_session(remote);
}

void session_close(struct remote *remote)
{
    struct message close = remote_message(remote, MESSAGE_CLOSE);
    close.session = remote->session;
    if (remote->session && remote->view.number != 0)
        remote_say(remote, remote->view.primary, &close);
}

void session_tick(struct remote *remote, uint64_t now)
{
    if (!remote->session && remote->begun && now >= remote->begin_until)
        tell_begun(remote, ERR_TIMEOUT);
    if (remote->session && now >= remote->renewed_ns + remote->timing.failover)
        session_probe(remote, now);
}

/* --- what the kernel knows --- */

static void answer_holds(struct remote *remote)
{
    struct holds holds = remote->holds;
    struct message held = remote_message(remote, MESSAGE_HELD);
    uint32_t kept = 0;
    remote->holds = (struct holds){0};
    if (remote->options.holds)
        kept = remote->options.holds(remote->options.ctx, holds.inos, holds.count);
    INVARIANT(kept <= holds.count);
    held.session = remote->session;
    held.serial = holds.serial;
    held.inos = holds.inos;
    held.ino_count = kept;
    remote_say(remote, holds.from, &held);
    free(holds.inos);
}

void session_settle(struct remote *remote)
{
    if (remote->holds.inos && remote->holds.waiting > 0 && --remote->holds.waiting == 0)
        answer_holds(remote);
}

void session_holds(struct remote *remote, uint32_t from, const struct message *message)
{
    struct holds *holds = &remote->holds;
    if (!remote->session || message->session != remote->session || message->ino_count == 0 ||
        message->ino_count > WIRE_ENTRIES_MAX)
        return;
    if (holds->inos && holds->serial == message->serial && holds->from == from)
        return; /* the same again; the answer is due */
    uint64_t *inos = malloc(sizeof *inos * message->ino_count);
    if (!inos)
        return;
    memcpy(inos, message->inos, sizeof *inos * message->ino_count);
    free(holds->inos);
    *holds = (struct holds){.inos = inos,
                            .count = message->ino_count,
                            .from = from,
                            .serial = message->serial,
                            .waiting = slots_mark_asked(remote)};
    if (holds->waiting == 0)
        answer_holds(remote);
}
