/* SPDX-License-Identifier: MIT
 *
 * remote_test.c: requests to replica managers elsewhere: each is finished once, takes effect once,
 * and finds the primary.
 */
#include <string.h>

#include "managers.h"

static void count_up(void *ctx)
{
    ++*(uint32_t *)ctx;
}

static void count_renewed(void *ctx)
{
    ((struct managers *)ctx)->renewed++;
}

static uint32_t keep_even(void *ctx, uint64_t *inos, uint32_t count)
{
    uint32_t kept = 0;
    (void)ctx;
    for (uint32_t i = 0; i < count; i++)
        if (inos[i] % 2 == 0)
            inos[kept++] = inos[i];
    return kept;
}

static void answers_come_with_all_they_say(void **state)
{
    (void)state;
    struct managers *all = managers_new(1, 3);
    struct ask read = {0}, list = {0}, link = {0}, none = {0};
    uint8_t into[64];
    managers_view(all, 1, 2);
    managers_agent(all, (struct remote_options){0});
    assert_int_equal(begin(all, SECOND), OK);
    ask(all, &list, FS_READDIR, 1);
    ask(all, &link, FS_READLINK, 7);
    ask(all, &none, FS_GETATTR, 404);
    ask_wait(all, &list);
    ask_wait(all, &link);
    ask_wait(all, &none);
    assert_int_equal(list.request.err, OK);
    assert_int_equal(list.request.result.entry_count, 2);
    assert_memory_equal(list.request.result.entries[1].name.data, "two", 3);
    assert_int_equal(list.request.result.entries[1].attr.ino, 12);
    assert_int_equal(link.request.result.value.len, 6);
    assert_memory_equal(link.request.result.value.data, "target", 6);
    assert_int_equal(none.request.err, ERR_NOENT);
    ask_end(&list);
    ask_end(&link);
    ask_end(&none);
    const struct fs_op op = {.code = FS_READ, .ino = 5, .length = 14};
    read.request.into = into;
    ask_op(all, &read, &op);
    ask_wait(all, &read);
    assert_int_equal(read.request.result.length, 14);
    assert_string_equal((const char *)into, "what was read");
    ask_end(&read);
    struct executor *executor = remote_executor(all->remote);
    assert_true(executor->reclaims && executor->ops->new_ino(executor) == 0);
    managers_free(all);
}

static void follows_the_primary(void **state)
{
    (void)state;
    struct managers *all = managers_new(2, 3);
    struct ask one = {0};
    struct remote_status status;
    managers_view(all, 1, 1);
    managers_agent(all, (struct remote_options){0});
    assert_int_equal(begin(all, SECOND), OK);
    for (uint32_t i = 1; i <= 9; i++) {
        managers_view(all, 1 + i, 1 + i % 3);
        uint64_t before = sim_now(all->sim);
        ask(all, &one, FS_SETATTR, i);
        ask_wait(all, &one);
        assert_int_equal(one.request.err, OK);
        assert_int_equal(all->effects[i], 1);
        assert_true(sim_now(all->sim) - before < 5 * MS); /* MOVED says where, and is followed */
        ask_end(&one);
    }
    remote_status(all->remote, &status);
    assert_int_equal(status.view.number, 10);
    assert_int_equal(status.sessions_begun, 1);
    assert_int_equal(status.requests, 9);
    managers_free(all);
}

static void is_not_led_back(void **state)
{
    (void)state;
    struct managers *all = managers_new(3, 3);
    struct remote_status status;
    struct ask one = {0};
    managers_view(all, 7, 1);
    managers_agent(all, (struct remote_options){0});
    assert_int_equal(begin(all, SECOND), OK);
    /* Two nodes are asleep in an old view, where 3 was the primary, and 1 says nothing. */
    for (uint32_t i = 2; i <= 3; i++) {
        all->nodes[i].view.number = 6;
        all->nodes[i].view.primary = 3;
    }
    all->nodes[1].mute = true;
    ask(all, &one, FS_SETATTR, 5);
    sim_advance(all->sim, 5 * SECOND);
    assert_true(managers_heard(all, MESSAGE_WHERE) > 8);
    assert_int_equal(all->nodes[3].heard[MESSAGE_REQUEST], 0);
    remote_status(all->remote, &status);
    assert_int_equal(status.view.number, 7);
    assert_true(status.silent_ns >= 5 * SECOND);
    all->nodes[1].mute = false;
    ask_wait(all, &one);
    assert_int_equal(all->effects[5], 1);
    ask_end(&one);
    managers_free(all);
}

static void a_dead_primary_costs_little_more_than_its_successor(void **state)
{
    (void)state;
    struct managers *all = managers_new(4, 3);
    struct ask many[40] = {0};
    managers_view(all, 1, 1);
    managers_agent(all, (struct remote_options){0});
    assert_int_equal(begin(all, SECOND), OK);
    all->nodes[1].mute = true;
    for (uint32_t i = 0; i < 40; i++)
        ask(all, &many[i], FS_SETATTR, 100 + i);
    sim_advance(all->sim, 1300 * MS);
    managers_view(all, 2, 3);
    sim_advance(all->sim, 130 * MS);
    for (uint32_t i = 0; i < 40; i++) {
        assert_int_equal(many[i].done, 1);
        assert_int_equal(many[i].request.err, OK);
        assert_int_equal(all->effects[100 + i], 1);
        ask_end(&many[i]);
    }
    managers_free(all);
}

static void a_broken_connection_is_asked_about_at_once(void **state)
{
    (void)state;
    struct managers *all = managers_new(5, 3);
    struct ask one = {0};
    managers_view(all, 1, 1);
    managers_agent(all, (struct remote_options){0});
    assert_int_equal(begin(all, SECOND), OK);
    all->nodes[1].mute = true;
    ask(all, &one, FS_SETATTR, 1);
    sim_advance(all->sim, 2 * MS);
    managers_view(all, 2, 2);
    remote_lost(all->remote, 1);
    sim_advance(all->sim, 5 * MS);
    assert_int_equal(one.done, 1);
    ask_end(&one);
    /* It broke, and nobody else took over: asked again. */
    all->nodes[2].swallows = true;
    sim_advance(all->sim, 100 * MS);
    ask(all, &one, FS_SETATTR, 2);
    sim_advance(all->sim, 2 * MS);
    all->nodes[2].swallows = false;
    remote_lost(all->remote, 2);
    sim_advance(all->sim, 5 * MS);
    assert_int_equal(one.done, 1);
    assert_int_equal(all->effects[2], 1);
    ask_end(&one);
    managers_free(all);
}

static void bulk_waits_while_nobody_serves(void **state)
{
    (void)state;
    static uint8_t data[100000];
    struct managers *all = managers_new(6, 3);
    struct ask many[20] = {0};
    managers_view(all, 1, 1);
    managers_agent(all, (struct remote_options){0});
    assert_int_equal(begin(all, SECOND), OK);
    all->nodes[1].serves = false;
    for (uint32_t i = 0; i < 20; i++) {
        const struct fs_op op = {.code = FS_WRITE, .ino = i, .value = {data, sizeof data}};
        ask_op(all, &many[i], &op);
    }
    sim_advance(all->sim, 10 * SECOND);
    assert_true(all->nodes[1].bytes <= 2 * 20 * (sizeof data + 1000));
    assert_true(managers_heard(all, MESSAGE_RENEW) > 50);
    assert_true(managers_heard(all, MESSAGE_RENEW) < 200);
    assert_true(managers_heard(all, MESSAGE_WHERE) < 3 * 100);
    all->nodes[1].serves = true;
    sim_advance(all->sim, SECOND);
    for (uint32_t i = 0; i < 20; i++) {
        assert_int_equal(many[i].done, 1);
        assert_int_equal(all->effects[i], 1);
        ask_end(&many[i]);
    }
    managers_free(all);
}

static void bulk_is_not_thrown_at_who_refuses_it(void **state)
{
    (void)state;
    static uint8_t data[100000];
    struct managers *all = managers_new(16, 3);
    struct ask many[20] = {0};
    managers_view(all, 1, 1);
    managers_agent(all, (struct remote_options){0});
    assert_int_equal(begin(all, SECOND), OK);
    all->nodes[1].refuses = true;
    for (uint32_t i = 0; i < 20; i++) {
        const struct fs_op op = {.code = FS_WRITE, .ino = i, .value = {data, sizeof data}};
        ask_op(all, &many[i], &op);
    }
    sim_advance(all->sim, 10 * SECOND);
    assert_true(all->nodes[1].bytes <= (20 + 10 * 16 + 10) * (sizeof data + 1000));
    all->nodes[1].refuses = false;
    for (uint32_t i = 0; i < 20; i++) {
        ask_wait(all, &many[i]);
        assert_int_equal(all->effects[i], 1);
        ask_end(&many[i]);
    }
    managers_free(all);
}

static void reads_go_on_while_changes_wait(void **state)
{
    (void)state;
    struct managers *all = managers_new(19, 3);
    struct ask changes[3] = {0}, read = {0};
    managers_view(all, 1, 1);
    managers_agent(all, (struct remote_options){0});
    assert_int_equal(begin(all, SECOND), OK);
    all->nodes[1].few = true;
    for (uint32_t i = 0; i < 3; i++)
        ask(all, &changes[i], FS_SETATTR, i);
    for (uint32_t i = 0; i < 100; i++) {
        sim_advance(all->sim, 33 * MS);
        ask(all, &read, FS_GETATTR, 1);
        sim_advance(all->sim, 3 * MS);
        assert_int_equal(read.done, 1);
        ask_end(&read);
    }
    all->nodes[1].few = false;
    sim_advance(all->sim, 80 * MS);
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(changes[i].done, 1);
        ask_end(&changes[i]);
    }
    managers_free(all);
}

static void a_new_view_of_the_same_primary_is_asked_soon(void **state)
{
    (void)state;
    struct managers *all = managers_new(17, 3);
    struct ask one = {0};
    managers_view(all, 1, 1);
    managers_agent(all, (struct remote_options){0});
    assert_int_equal(begin(all, SECOND), OK);
    all->nodes[1].swallows = true;
    ask(all, &one, FS_SETATTR, 1);
    sim_advance(all->sim, 2 * MS);
    managers_view(all, 3, 1); /* 2 may have been another's, and it has forgotten */
    all->nodes[1].swallows = false;
    struct message moved = {.kind = MESSAGE_MOVED, .view = all->nodes[1].view};
    remote_deliver(all->remote, 1, &moved);
    sim_advance(all->sim, 150 * MS);
    assert_int_equal(one.done, 1);
    assert_int_equal(all->effects[1], 1);
    ask_end(&one);
    managers_free(all);
}

static void only_the_primary_ends_a_session(void **state)
{
    (void)state;
    struct managers *all = managers_new(18, 3);
    struct ask one = {0};
    managers_view(all, 1, 1);
    managers_agent(all, (struct remote_options){0});
    assert_int_equal(begin(all, SECOND), OK);
    all->nodes[1].swallows = true;
    ask(all, &one, FS_SETATTR, 1);
    struct message gone = {
        .kind = MESSAGE_REPLY, .session = 101, .slot = 0, .serial = 1, .err = ERR_SESSION};
    remote_deliver(all->remote, 2, &gone);
    gone.kind = MESSAGE_RENEWED;
    remote_deliver(all->remote, 2, &gone);
    assert_int_equal(one.done, 0);
    all->nodes[1].swallows = false;
    ask_wait(all, &one);
    assert_int_equal(one.request.err, OK);
    assert_int_equal(all->sessions, 1);
    ask_end(&one);
    managers_free(all);
}

static void patience_ends(void **state)
{
    (void)state;
    struct managers *all = managers_new(7, 3);
    struct ask sent = {0}, read = {0}, late = {0};
    managers_view(all, 1, 1);
    managers_agent(all, (struct remote_options){.patience_ns = 3 * SECOND});
    assert_int_equal(begin(all, SECOND), OK);
    all->nodes[1].swallows = true;
    ask(all, &sent, FS_SETATTR, 1);
    ask(all, &read, FS_GETATTR, 1);
    sim_advance(all->sim, SECOND);
    for (uint32_t i = 1; i <= 3; i++)
        all->nodes[i].mute = true;
    remote_lost(all->remote, 1);
    ask(all, &late, FS_SETATTR, 2);
    sim_advance(all->sim, 2200 * MS);
    assert_int_equal(sent.done + read.done, 2);
    assert_int_equal(late.done, 0);
    assert_int_equal(sent.request.err, ERR_IO);      /* it did happen */
    assert_int_equal(read.request.err, ERR_TIMEOUT); /* nothing can have */
    sim_advance(all->sim, SECOND);
    assert_int_equal(late.done, 1);
    assert_int_equal(late.request.err, ERR_TIMEOUT); /* it was never sent */
    assert_int_equal(all->effects[1], 1);
    assert_int_equal(all->effects[2], 0);
    ask_end(&sent);
    ask_end(&read);
    ask_end(&late);
    managers_free(all);
}

static void a_lost_session_is_begun_anew(void **state)
{
    (void)state;
    struct managers *all = managers_new(8, 3);
    struct ask sent = {0}, read = {0}, fresh = {0};
    struct remote_status status;
    managers_view(all, 1, 1);
    managers_agent(all, (struct remote_options){.renewed = count_renewed, .ctx = all});
    assert_int_equal(begin(all, SECOND), OK);
    all->nodes[1].swallows = true;
    ask(all, &sent, FS_SETATTR, 1);
    ask(all, &read, FS_GETATTR, 2);
    sim_advance(all->sim, 10 * MS);
    all->nodes[1].serves = false; /* no lease; what comes now is not sent */
    remote_lost(all->remote, 1);
    sim_advance(all->sim, 10 * MS);
    ask(all, &fresh, FS_SETATTR, 3);
    all->ended = 100 + all->sessions;
    all->nodes[1].serves = true;
    all->nodes[1].swallows = false;
    ask_wait(all, &sent);
    ask_wait(all, &read);
    ask_wait(all, &fresh);
    assert_int_equal(sent.request.err, ERR_IO);
    assert_int_equal(read.request.err, OK);
    assert_int_equal(fresh.request.err, OK);
    assert_int_equal(all->effects[1], 1);
    assert_int_equal(all->effects[3], 1);
    assert_int_equal(all->renewed, 1);
    remote_status(all->remote, &status);
    assert_int_equal(status.sessions_begun, 2);
    ask_end(&sent);
    ask_end(&read);
    ask_end(&fresh);
    managers_free(all);
}

static void a_session_is_kept_while_idle(void **state)
{
    (void)state;
    struct managers *all = managers_new(9, 3);
    managers_view(all, 1, 1);
    managers_agent(all, (struct remote_options){0});
    assert_int_equal(begin(all, SECOND), OK);
    sim_advance(all->sim, 100 * SECOND);
    assert_in_range(all->nodes[1].heard[MESSAGE_RENEW], 45, 55);
    assert_int_equal(managers_heard(all, MESSAGE_WHERE), 3);
    /* An idle agent notices a new primary before it needs it. */
    all->nodes[1].mute = true;
    managers_view(all, 2, 2);
    sim_advance(all->sim, 10 * SECOND);
    struct remote_status status;
    remote_status(all->remote, &status);
    assert_int_equal(status.view.number, 2);
    assert_int_equal(status.silent_ns, 0);
    managers_free(all);
}

static void beginning_has_an_end(void **state)
{
    (void)state;
    struct managers *all = managers_new(10, 3);
    for (uint32_t i = 1; i <= 3; i++)
        all->nodes[i].mute = true;
    managers_agent(all, (struct remote_options){0});
    uint64_t before = sim_now(all->sim);
    assert_int_equal(begin(all, 2 * SECOND), ERR_TIMEOUT);
    assert_in_range(sim_now(all->sim) - before, 2 * SECOND, 2 * SECOND + 100 * MS);
    for (uint32_t i = 1; i <= 3; i++)
        all->nodes[i].mute = false;
    managers_view(all, 1, 1);
    all->nodes[1].opens = ERR_ACCES;
    assert_int_equal(begin(all, 2 * SECOND), ERR_ACCES);
    all->nodes[1].opens = ERR_NO_VIEW;
    assert_int_equal(begin(all, 2 * SECOND), ERR_TIMEOUT);
    all->nodes[1].opens = OK;
    assert_int_equal(begin(all, 2 * SECOND), OK);
    managers_free(all);
}

static void sync_waits_for_changes_before_it(void **state)
{
    (void)state;
    struct managers *all = managers_new(11, 3);
    struct ask change = {0}, other = {0}, read = {0}, later = {0}, sync = {0};
    managers_view(all, 1, 1);
    managers_agent(all, (struct remote_options){0});
    struct executor *executor = remote_executor(all->remote);
    assert_int_equal(begin(all, SECOND), OK);
    all->nodes[1].mute = true;
    ask(all, &read, FS_GETATTR, 1);
    assert_true(sync_of(all, &sync)); /* a read is nothing to wait for */
    ask_end(&sync);
    ask(all, &change, FS_SETATTR, 2);
    ask(all, &other, FS_SETATTR, 4);
    assert_false(sync_of(all, &sync));
    ask(all, &later, FS_SETATTR, 3);
    all->nodes[1].mute = false;
    all->nodes[1].swallows_ino = 2;
    ask_wait(all, &other);
    ask_wait(all, &later);
    sim_advance(all->sim, 10 * MS);
    assert_int_equal(sync.done, 0);
    all->nodes[1].swallows_ino = 0;
    ask_wait(all, &sync);
    ask_end(&other);
    assert_int_equal(change.done, 1);
    assert_int_equal(sync.request.err, OK);
    ask_wait(all, &later);
    ask_wait(all, &read);
    assert_true(executor->ops->has_room(executor));
    ask_end(&sync);
    ask_end(&change);
    ask_end(&later);
    ask_end(&read);
    managers_free(all);
}

static void more_than_slots_wait(void **state)
{
    (void)state;
    struct managers *all = managers_new(12, 3);
    static struct ask many[40];
    uint32_t room = 0;
    memset(many, 0, sizeof many);
    managers_view(all, 1, 1);
    managers_agent(all, (struct remote_options){.slots = 4});
    struct executor *executor = remote_executor(all->remote);
    assert_int_equal(begin(all, SECOND), OK);
    all->nodes[1].mute = true;
    for (uint32_t i = 0; i < 40; i++) {
        assert_int_equal(executor->ops->has_room(executor), i < 8);
        ask(all, &many[i], FS_SETATTR, i);
    }
    executor->ops->on_room(executor, count_up, &room);
    assert_int_equal(room, 0);
    all->nodes[1].mute = false;
    for (uint32_t i = 0; i < 40; i++) {
        ask_wait(all, &many[i]);
        assert_int_equal(all->effects[i], 1);
        ask_end(&many[i]);
    }
    assert_int_equal(room, 1);
    managers_free(all);
}

static void giving_up_ends_everything(void **state)
{
    (void)state;
    struct managers *all = managers_new(13, 3);
    struct ask sent[6] = {0}, sync = {0}, after = {0};
    managers_view(all, 1, 1);
    managers_agent(all, (struct remote_options){.slots = 4});
    assert_int_equal(begin(all, SECOND), OK);
    all->nodes[1].mute = true;
    for (uint32_t i = 0; i < 6; i++)
        ask(all, &sent[i], FS_SETATTR, i);
    assert_false(sync_of(all, &sync));
    remote_give_up(all->remote);
    remote_check(all->remote);
    for (uint32_t i = 0; i < 6; i++) {
        assert_int_equal(sent[i].done, 1);
        assert_int_equal(sent[i].request.err, i < 4 ? ERR_IO : ERR_TIMEOUT);
        ask_end(&sent[i]);
    }
    assert_int_equal(sync.done, 1);
    assert_int_equal(sync.request.err, ERR_TIMEOUT);
    ask_end(&sync);
    ask(all, &after, FS_GETATTR, 1);
    assert_int_equal(after.done, 1);
    assert_int_equal(after.request.err, ERR_TIMEOUT);
    ask_end(&after);
    managers_free(all);
}

static void says_what_the_kernel_knows(void **state)
{
    (void)state;
    struct managers *all = managers_new(14, 3);
    struct ask slow = {0};
    uint64_t inos[3] = {4, 5, 6};
    managers_view(all, 1, 1);
    managers_agent(all, (struct remote_options){.holds = keep_even, .ctx = all});
    assert_int_equal(begin(all, SECOND), OK);
    all->nodes[1].swallows = true;
    ask(all, &slow, FS_LOOKUP, 1);
    struct message question = {
        .kind = MESSAGE_HOLDS, .session = 101, .serial = 77, .inos = inos, .ino_count = 3};
    remote_deliver(all->remote, 1, &question);
    sim_advance(all->sim, 10 * MS);
    assert_int_equal(all->held, 0); /* the answer to `slow` may name one of them */
    all->nodes[1].swallows = false;
    ask_wait(all, &slow);
    sim_advance(all->sim, 10 * MS);
    assert_int_equal(all->held, 1);
    assert_int_equal(all->last_count, 2);
    assert_int_equal(all->last_held[0], 4);
    assert_int_equal(all->last_held[1], 6);
    question.session = 99; /* somebody else's */
    remote_deliver(all->remote, 1, &question);
    sim_advance(all->sim, 10 * MS);
    assert_int_equal(all->held, 1);
    ask_end(&slow);
    managers_free(all);
}

static void reads_go_to_the_replica_nearby(void **state)
{
    (void)state;
    struct managers *all = managers_new(15, 3);
    struct ask one = {0};
    all->gaps = true;
    managers_view(all, 1, 1);
    managers_agent(all, (struct remote_options){.read_one = true, .near = 3});
    assert_int_equal(begin(all, SECOND), OK);
    ask(all, &one, FS_GETATTR, 1);
    ask_wait(all, &one);
    ask_end(&one);
    assert_int_equal(all->nodes[3].heard[MESSAGE_REQUEST], 1);
    ask(all, &one, FS_SETATTR, 1);
    ask_wait(all, &one);
    ask_end(&one);
    assert_int_equal(all->nodes[1].heard[MESSAGE_REQUEST], 1);
    all->nodes[3].behind = true; /* of what this agent has seen */
    ask(all, &one, FS_GETATTR, 1);
    ask_wait(all, &one);
    ask_end(&one);
    assert_int_equal(all->nodes[1].heard[MESSAGE_REQUEST], 2);
    assert_true(one.request.err == OK);
    all->nodes[3].mute = true;
    ask(all, &one, FS_GETATTR, 1);
    ask_wait(all, &one);
    ask_end(&one);
    ask(all, &one, FS_GETATTR, 1); /* the next does not wait for it again */
    sim_advance(all->sim, 5 * MS);
    assert_int_equal(one.done, 1);
    ask_end(&one);
    /* With no primary, reads still are answered. */
    all->nodes[3].mute = false;
    all->nodes[3].behind = false;
    all->nodes[1].mute = true;
    sim_advance(all->sim, 10 * SECOND);
    ask(all, &one, FS_GETATTR, 1);
    sim_advance(all->sim, 5 * MS);
    assert_int_equal(one.done, 1);
    ask_end(&one);
    managers_free(all);
}

/* --- everything at once --- */

#define CROWD 32u

/* A round of faults; each lasts until the next. */
static void change_the_world(struct managers *all, uint64_t *number)
{
    uint64_t chance = sim_random(all->sim);
    uint32_t primary = 1 + (uint32_t)(chance % all->count);
    for (uint32_t i = 1; i <= all->count; i++) {
        all->nodes[i].mute = (chance >> (8 + i)) % 4 == 0;
        all->nodes[i].swallows = (chance >> (16 + i)) % 5 == 0;
        all->nodes[i].serves = false;
    }
    if ((chance >> 24) % 2)
        managers_view(all, ++*number, primary);
    else if ((chance >> 25) % 2)
        all->nodes[all->nodes[1].view.primary].serves = true;
    if ((chance >> 26) % 3 == 0)
        remote_lost(all->remote, 1 + (uint32_t)((chance >> 32) % all->count));
}

static void run_crowd(struct managers *all, struct ask *crowd, uint32_t rounds)
{
    uint64_t number = 1, next = 1;
    for (uint32_t round = 0; round < rounds; round++) {
        for (uint32_t i = 0; i < CROWD; i++) {
            if (crowd[i].out && !crowd[i].done)
                continue;
            if (crowd[i].out) {
                assert_int_equal(crowd[i].done, 1);
                assert_int_equal(crowd[i].request.err, OK);
                assert_int_equal(all->effects[crowd[i].request.op.ino], 1);
                ask_end(&crowd[i]);
            }
            ask(all, &crowd[i], FS_SETATTR, next++);
        }
        change_the_world(all, &number);
        sim_advance(all->sim, (1 + sim_random(all->sim) % 400) * MS);
    }
    for (uint32_t i = 1; i <= all->count; i++)
        all->nodes[i].mute = all->nodes[i].swallows = false;
    managers_view(all, ++number, 1);
    for (uint32_t i = 0; i < CROWD; i++) {
        ask_wait(all, &crowd[i]);
        assert_int_equal(crowd[i].request.err, OK);
        ask_end(&crowd[i]);
    }
    for (uint64_t ino = 1; ino < next; ino++)
        assert_int_equal(all->effects[ino], 1);
}

static void each_takes_effect_once_whatever_happens(void **state)
{
    (void)state;
    static struct ask crowd[CROWD];
    for (uint64_t seed = 100; seed < 220; seed++) {
        struct managers *all = managers_new(seed, 3);
        struct sim_link link = sim_link_default();
        link.lost_per_million = 80000;
        link.twice_per_million = 50000;
        link.reordered_per_million = 100000;
        link.mean_ns = (seed % 3) * 5 * MS + MS / 10;
        sim_net_all(all->sim, &link);
        memset(crowd, 0, sizeof crowd);
        managers_view(all, 1, 1);
        managers_agent(all, (struct remote_options){.slots = 20});
        assert_int_equal(begin(all, 30 * SECOND), OK);
        run_crowd(all, crowd, 60);
        managers_free(all);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_come_with_all_they_say),
        cmocka_unit_test(follows_the_primary),
        cmocka_unit_test(is_not_led_back),
        cmocka_unit_test(a_dead_primary_costs_little_more_than_its_successor),
        cmocka_unit_test(a_broken_connection_is_asked_about_at_once),
        cmocka_unit_test(bulk_waits_while_nobody_serves),
        cmocka_unit_test(bulk_is_not_thrown_at_who_refuses_it),
        cmocka_unit_test(reads_go_on_while_changes_wait),
        cmocka_unit_test(a_new_view_of_the_same_primary_is_asked_soon),
        cmocka_unit_test(only_the_primary_ends_a_session),
        cmocka_unit_test(patience_ends),
        cmocka_unit_test(a_lost_session_is_begun_anew),
        cmocka_unit_test(a_session_is_kept_while_idle),
        cmocka_unit_test(beginning_has_an_end),
        cmocka_unit_test(sync_waits_for_changes_before_it),
        cmocka_unit_test(more_than_slots_wait),
        cmocka_unit_test(giving_up_ends_everything),
        cmocka_unit_test(says_what_the_kernel_knows),
        cmocka_unit_test(reads_go_to_the_replica_nearby),
        cmocka_unit_test(each_takes_effect_once_whatever_happens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
