/* SPDX-License-Identifier: MIT
 *
 * crowd.c: many clients of one volume in one process, each with a connection and a session of its
 * own.
 *
 *   crowd HOME CERTIFICATE UUID COUNT SECONDS NODE=ADDRESS...
 *
 * Each looks at the root directory once a second, and makes an empty file every fourth time. One
 * line of JSON at the end: how many had a session, operations, errors, latencies in microseconds.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "core/agent/remote.h"
#include "core/base/assert.h"
#include "core/fs/fs.h"
#include "core/registry/records.h"
#include "io/tls/transport.h"
#include "io/uv/env_uv.h"

#define MS          UINT64_C(1000000)
#define THINK_MS    1000u
#define BEGIN_MS    10u /* one client after another */
#define SAMPLES_MAX (1u << 20)

struct client {
    struct transport *transport;
    struct remote *remote;
    struct executor *executor;
    struct request request;
    struct env_timer timer;
    struct arena arena;
    uint64_t began;
    unsigned number, done;
    char name[32];
};

static struct {
    uv_loop_t loop;
    struct env *env;
    uint32_t sessions, errors, count, samples;
    uint32_t *took; /* microseconds */
    struct client *clients;
    char **words;
    uint32_t begun, places;
} crowd;

static void finished(struct client *client)
{
    if (client->request.err != OK)
        crowd.errors++;
    if (crowd.samples < SAMPLES_MAX)
        crowd.took[crowd.samples++] = (uint32_t)((uv_hrtime() - client->began) / 1000);
    request_end(&client->request);
    client->done++;
    crowd.env->ops->timer_start(crowd.env, &client->timer, THINK_MS * MS);
}

static void request_done(struct request *request)
{
    finished(request->ctx);
}

static void next(struct env_timer *timer)
{
    struct client *client = (struct client *)((char *)timer - offsetof(struct client, timer));
    struct request *request = &client->request;
    request_begin(request);
    request->done = request_done;
    request->ctx = client;
    request->op = (struct fs_op){.code = FS_GETATTR, .ino = FS_ROOT_INO};
    if (client->done % 4 == 1) {
        int len =
            snprintf(client->name, sizeof client->name, "%u-%u", client->number, client->done);
        request->op.code = FS_MKNOD;
        request->op.mode = 0100644;
        request->op.name = (struct bytes){(const uint8_t *)client->name, (size_t)len};
    }
    client->began = uv_hrtime();
    if (client->executor->ops->execute(client->executor, request))
        finished(client);
}

static void begun(void *ctx, enum err err)
{
    struct client *client = ctx;
    if (err != OK) {
        crowd.errors++;
        return;
    }
    crowd.sessions++;
    client->timer.fire = next;
    crowd.env->ops->timer_start(crowd.env, &client->timer, client->number % THINK_MS * MS);
}

static void deliver(void *ctx, uint32_t from, struct bytes bytes)
{
    struct client *client = ctx;
    struct message message;
    arena_reset(&client->arena);
    if (wire_decode(bytes, &client->arena, &message) == OK)
        remote_deliver(client->remote, from, &message);
}

static void lost(void *ctx, uint32_t peer)
{
    struct client *client = ctx;
    remote_lost(client->remote, peer);
}

static void client_begin(struct client *client, char **words, char **places, uint32_t count)
{
    struct store_error error = {""};
    uint32_t nodes[GROUP_MAX], n = 0;
    char tls[4096];
    snprintf(tls, sizeof tls, "%s/tls", words[0]);
    arena_init(&client->arena);
    struct transport_options options = {
        .loop = &crowd.loop, .dir = tls, .name = words[1], .lost = lost, .ctx = client};
    INVARIANT(transport_open(&options, &client->transport, &error) == OK);
    struct net *net = transport_net(client->transport);
    net->ops->listen(net, deliver, client);
    for (; n < count && n < GROUP_MAX; n++) {
        nodes[n] = (uint32_t)strtoul(places[n], NULL, 10);
        transport_place(client->transport, nodes[n], strchr(places[n], '=') + 1);
    }
    struct remote_options remote = {.env = crowd.env,
                                    .net = net,
                                    .nodes = nodes,
                                    .node_count = n,
                                    .slots = 4,
                                    .timing = timing_of(2000 * MS)};
    INVARIANT(record_uuid(words[2], remote.volume));
    INVARIANT(remote_new(&remote, &client->remote) == OK);
    client->executor = remote_executor(client->remote);
    remote_begin(client->remote, 30000 * MS, begun, client);
}

static int compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

static uint32_t percentile(unsigned share)
{
    return crowd.samples ? crowd.took[(uint64_t)(crowd.samples - 1) * share / 100] : 0;
}

static void over(uv_timer_t *timer)
{
    (void)timer;
    qsort(crowd.took, crowd.samples, sizeof *crowd.took, compare);
    printf("{\"sessions\": %u, \"operations\": %u, \"errors\": %u, \"p50\": %u, \"p99\": %u, "
           "\"longest\": %u}\n",
           crowd.sessions, crowd.samples, crowd.errors, percentile(50), percentile(99),
           percentile(100));
    fflush(stdout);
    _Exit(crowd.sessions == crowd.count && crowd.errors == 0 ? 0 : 1);
}

static void begin_one(uv_timer_t *timer)
{
    struct client *client = &crowd.clients[crowd.begun];
    client->number = crowd.begun++;
    client_begin(client, crowd.words + 1, crowd.words + 6, crowd.places);
    if (crowd.begun == crowd.count)
        uv_timer_stop(timer);
}

int main(int count, char **words)
{
    uv_timer_t begin, end;
    if (count < 7) {
        fprintf(stderr, "crowd: not understood\n");
        return 2;
    }
    crowd.count = (uint32_t)strtoul(words[4], NULL, 10);
    crowd.took = calloc(SAMPLES_MAX, sizeof *crowd.took);
    struct client *clients = calloc(crowd.count, sizeof *clients);
    INVARIANT(crowd.took && clients && uv_loop_init(&crowd.loop) == 0);
    INVARIANT(env_uv_new(&crowd.loop, &crowd.env) == OK);
    crowd.clients = clients;
    crowd.words = words;
    crowd.places = (uint32_t)count - 6;
    uv_timer_init(&crowd.loop, &begin);
    uv_timer_start(&begin, begin_one, 0, BEGIN_MS);
    uv_timer_init(&crowd.loop, &end);
    uv_timer_start(&end, over, strtoull(words[5], NULL, 10) * 1000, 0);
    return uv_run(&crowd.loop, UV_RUN_DEFAULT);
}
