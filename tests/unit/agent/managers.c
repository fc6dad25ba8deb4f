/* SPDX-License-Identifier: MIT */
#include "managers.h"

#include <stdlib.h>
#include <string.h>

/* --- answers --- */

static struct message answer_to(const struct manager *node, const struct message *to,
                                enum message_kind kind)
{
    struct message message = {.kind = kind,
                              .number = node->view.number,
                              .session = to->session,
                              .slot = to->slot,
                              .serial = to->serial};
    return message;
}

static void say(struct manager *node, const struct message *message, const struct env_iov *payload)
{
    struct arena arena;
    arena_init(&arena);
    enum err err = wire_send(node->net, AGENT, message, payload, payload ? 1 : 0, &arena);
    assert_int_equal(err, OK);
    arena_free(&arena);
}

static void moved(struct manager *node, const struct message *to)
{
    struct message message = answer_to(node, to, MESSAGE_MOVED);
    message.view = node->view;
    say(node, &message, NULL);
}

static bool is_primary(const struct manager *node)
{
    return node->serves && node->view.primary == node->number;
}

/* --- what each kind does --- */

static void opened(struct manager *node, const struct message *message)
{
    struct message answer = answer_to(node, message, MESSAGE_OPENED);
    if (!is_primary(node)) {
        moved(node, message);
        return;
    }
    answer.err = node->opens;
    if (answer.err == OK)
        answer.session = 100 + ++node->all->sessions;
    say(node, &answer, NULL);
}

static void renewed(struct manager *node, const struct message *message)
{
    struct message answer = answer_to(node, message, MESSAGE_RENEWED);
    if (!is_primary(node)) {
        moved(node, message);
        return;
    }
    answer.err = message->session <= node->all->ended ? ERR_SESSION : OK;
    say(node, &answer, NULL);
}

static struct kept *find(struct managers *all, const struct message *message)
{
    for (uint32_t i = 0; i < all->kept_count; i++)
        if (all->kept[i].session == message->session && all->kept[i].slot == message->slot)
            return &all->kept[i];
    assert_true(all->kept_count < sizeof all->kept / sizeof *all->kept);
    struct kept *kept = &all->kept[all->kept_count++];
    *kept = (struct kept){.session = message->session, .slot = message->slot};
    return kept;
}

/* R2. False: an old one that was on its way for long. */
static bool identity(struct managers *all, const struct message *message, uint64_t sum,
                     struct kept **out)
{
    struct kept *kept = *out = find(all, message);
    if (message->serial < kept->serial)
        return false;
    if (message->serial == kept->serial) {
        assert_true(sum == kept->sum);
        return true;
    }
    if (!all->gaps)
        assert_int_equal(message->serial, kept->serial + 1);
    kept->serial = message->serial;
    kept->sum = sum;
    kept->done = false;
    return true;
}

static void fill_answer(struct managers *all, const struct message *message, struct message *answer)
{
    static const struct fs_entry entries[2] = {
        {.name = {(const uint8_t *)"one", 3}, .cookie = 1, .attr = {.ino = 11}},
        {.name = {(const uint8_t *)"two", 3}, .cookie = 2, .attr = {.ino = 12}}};
    answer->result.attr.ino = message->op.ino;
    answer->last = (struct stamp){all->clock, 1};
    if (message->op.code == FS_READDIR) {
        answer->result.entries = entries;
        answer->result.entry_count = 2;
    }
    if (message->op.code == FS_READLINK)
        answer->result.value = (struct bytes){(const uint8_t *)"target", 6};
    if (message->op.code == FS_READ)
        answer->result.length = message->op.length;
}

static void carry_out(struct manager *node, const struct message *message, struct kept *kept)
{
    static const uint8_t data[64] = "what was read";
    struct managers *all = node->all;
    struct message answer = answer_to(node, message, MESSAGE_REPLY);
    struct env_iov payload = {(void *)(uintptr_t)data, message->op.length};
    bool read = message->op.code != FS_SETATTR && message->op.code != FS_WRITE;
    if (!read && (!kept || !kept->done)) {
        all->effects[message->op.ino]++;
        all->clock++;
    }
    if (kept)
        kept->done = true;
    fill_answer(all, message, &answer);
    if (message->op.ino == 404 && message->op.code == FS_GETATTR)
        answer.err = ERR_NOENT;
    if (!node->swallows && (message->op.ino == 0 || node->swallows_ino != message->op.ino))
        say(node, &answer, message->op.code == FS_READ ? &payload : NULL);
}

/* Of everything but the view. */
static uint64_t sum_of(const struct message *message)
{
    struct message copy = *message;
    struct arena arena;
    arena_init(&arena);
    copy.number = 0;
    struct bytes head = wire_encode(&copy, &arena);
    uint64_t sum =
        checksum64(message->payload.data, message->payload.len, checksum64(head.data, head.len, 0));
    arena_free(&arena);
    return sum;
}

static void requested(struct manager *node, const struct message *message, uint64_t sum)
{
    struct kept *kept = NULL;
    struct managers *all = node->all;
    bool reads = message->op.code == FS_GETATTR && !is_primary(node);
    if (reads && all->gaps) {
        struct message again = answer_to(node, message, MESSAGE_REPLY);
        again.err = ERR_AGAIN;
        if (node->behind && message->last.time > 0)
            say(node, &again, NULL);
        else
            carry_out(node, message, NULL);
        return;
    }
    bool change = message->op.code == FS_SETATTR || message->op.code == FS_WRITE;
    if (!is_primary(node) || node->refuses || (node->few && change) ||
        message->number < node->reign || message->number > node->view.number) {
        moved(node, message);
        return;
    }
    struct message gone = answer_to(node, message, MESSAGE_REPLY);
    gone.err = ERR_SESSION;
    if (message->session <= all->ended)
        say(node, &gone, NULL);
    else if (identity(all, message, sum, &kept))
        carry_out(node, message, kept);
}

static void took(struct manager *node, const struct message *message, struct bytes bytes)
{
    switch (message->kind) {
    case MESSAGE_WHERE:
        moved(node, message);
        break;
    case MESSAGE_OPEN:
        opened(node, message);
        break;
    case MESSAGE_RENEW:
        renewed(node, message);
        break;
    case MESSAGE_REQUEST:
        node->bytes += bytes.len;
        requested(node, message, sum_of(message));
        break;
    case MESSAGE_HELD:
        node->all->held++;
        node->all->last_count = message->ino_count;
        memcpy(node->all->last_held, message->inos, sizeof(uint64_t) * message->ino_count);
        break;
    default:
        break;
    }
}

static void deliver(void *ctx, uint32_t from, struct bytes bytes)
{
    struct manager *node = ctx;
    struct arena arena;
    struct message message;
    assert_int_equal(from, AGENT);
    if (node->mute)
        return;
    arena_init(&arena);
    assert_int_equal(wire_decode(bytes, &arena, &message), OK);
    node->heard[message.kind]++;
    took(node, &message, bytes);
    arena_free(&arena);
}

/* --- the agent's side --- */

static void deliver_agent(void *ctx, uint32_t from, struct bytes bytes)
{
    struct managers *all = ctx;
    struct arena arena;
    struct message message;
    arena_init(&arena);
    assert_int_equal(wire_decode(bytes, &arena, &message), OK);
    if (all->remote)
        remote_deliver(all->remote, from, &message);
    if (all->remote)
        remote_check(all->remote);
    arena_free(&arena);
}

struct managers *managers_new(uint64_t seed, uint32_t count)
{
    struct managers *all = calloc(1, sizeof *all);
    assert_non_null(all);
    all->count = count;
    all->sim = sim_new(seed, NULL);
    all->env = sim_env(all->sim);
    all->net = sim_net(all->env, AGENT);
    all->net->ops->listen(all->net, deliver_agent, all);
    for (uint32_t i = 1; i <= count; i++) {
        struct manager *node = &all->nodes[i];
        node->all = all;
        node->number = i;
        node->env = sim_env_add(all->sim, NULL);
        node->net = sim_net(node->env, i);
        node->net->ops->listen(node->net, deliver, node);
    }
    return all;
}

void managers_free(struct managers *all)
{
    remote_free(all->remote);
    sim_free(all->sim);
    free(all);
}

void managers_agent(struct managers *all, struct remote_options options)
{
    uint32_t nodes[MANAGERS_MAX];
    for (uint32_t i = 0; i < all->count; i++)
        nodes[i] = i + 1;
    options.env = all->env;
    options.net = all->net;
    options.nodes = nodes;
    options.node_count = all->count;
    options.timing = timing_of(2 * SECOND);
    assert_int_equal(remote_new(&options, &all->remote), OK);
}

void managers_view(struct managers *all, uint64_t number, uint32_t primary)
{
    struct view view = {.number = number, .primary = primary};
    for (uint32_t i = 1; i <= all->count; i++)
        view_add(&view, i);
    for (uint32_t i = 1; i <= all->count; i++) {
        if (all->nodes[i].view.primary != primary)
            all->nodes[i].reign = number;
        all->nodes[i].view = view;
        all->nodes[i].serves = i == primary;
    }
}

uint32_t managers_heard(const struct managers *all, enum message_kind kind)
{
    uint32_t count = 0;
    for (uint32_t i = 1; i <= all->count; i++)
        count += all->nodes[i].heard[kind];
    return count;
}

/* --- asking --- */

static void count_done(struct request *request)
{
    struct ask *ask = request->ctx;
    assert_true(ask->out);
    ask->done++;
}

void ask_op(struct managers *all, struct ask *ask, const struct fs_op *op)
{
    struct executor *executor = remote_executor(all->remote);
    uint8_t *into = ask->request.into;
    ask->done = 0;
    request_begin(&ask->request);
    ask->request.op = *op;
    ask->request.into = into;
    ask->request.done = count_done;
    ask->request.ctx = ask;
    ask->out = true;
    if (executor->ops->execute(executor, &ask->request)) {
        ask->out = false;
        ask->done++;
    }
    remote_check(all->remote);
}

void ask(struct managers *all, struct ask *ask, enum fs_code code, uint64_t ino)
{
    const struct fs_op op = {.code = code, .ino = ino};
    ask_op(all, ask, &op);
}

bool sync_of(struct managers *all, struct ask *ask)
{
    struct executor *executor = remote_executor(all->remote);
    ask->done = 0;
    request_begin(&ask->request);
    ask->request.done = count_done;
    ask->request.ctx = ask;
    ask->out = true;
    return executor->ops->sync(executor, &ask->request);
}

static bool is_done(void *ctx)
{
    return ((struct ask *)ctx)->done > 0;
}

void ask_wait(struct managers *all, struct ask *ask)
{
    assert_true(sim_run_until(all->sim, is_done, ask, 60 * SECOND));
    assert_int_equal(ask->done, 1);
}

void ask_end(struct ask *ask)
{
    request_end(&ask->request);
    request_free(&ask->request);
}

struct begun {
    enum err err;
    uint32_t count;
};

static void note_begun(void *ctx, enum err err)
{
    struct begun *begun = ctx;
    begun->err = err;
    begun->count++;
}

static bool has_begun(void *ctx)
{
    return ((struct begun *)ctx)->count > 0;
}

enum err begin(struct managers *all, uint64_t within_ns)
{
    struct begun begun = {0};
    remote_begin(all->remote, within_ns, note_begun, &begun);
    if (!begun.count)
        assert_true(sim_run_until(all->sim, has_begun, &begun, 60 * SECOND));
    assert_int_equal(begun.count, 1);
    return begun.err;
}
