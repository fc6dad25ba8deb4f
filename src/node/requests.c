/* SPDX-License-Identifier: MIT
 *
 * requests.c: what the control socket understands. A request is {"request": NAME, ...}; the last
 * line of an answer has "ok": true, or "ok": false with "error", a sentence, and "code", an error's
 * name.
 *
 *   status              what runs here, and how the volume is doing
 *   explain             the promise: topics with sentences
 *   mount {dir}         mounts; {"dir"} is absolute
 *   umount              unmounts
 *   sync, checkpoint, clean   done when done
 *   scrub               {"progress": ...} and {"problem": ...} lines, then the sum
 *   stop                answered when everything is closed and the home is free
 */
#include "node/node_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/assert.h"
#include "node/order.h"

#define PROGRESS_NS 50000000u

/* Consumes `json`. */
static void send_json(struct control_peer *peer, json_t *json, bool last)
{
    char *line = json ? json_dumps(json, JSON_COMPACT) : NULL;
    json_decref(json);
    const char *text = line ? line : "{\"ok\":false,\"error\":\"the answer is not valid UTF-8\"}";
    if (last)
        control_finish(peer, text);
    else
        control_send(peer, text);
    free(line);
}

static void fail(struct control_peer *peer, enum err code, const char *sentence)
{
    send_json(peer,
              json_pack("{s:b, s:s, s:s}", "ok", 0, "code", err_name(code), "error", sentence),
              true);
}

/* The outcome of store work that a stop may have cut short. */
static void fail_work(struct node *node, struct control_peer *peer, enum err code)
{
    fail(peer, code, node->stopping ? "PactFS stopped before that was done." : err_text(code));
}

static void succeed(struct control_peer *peer)
{
    control_finish(peer, "{\"ok\":true}");
}

static json_t *number(uint64_t n)
{
    return json_integer((json_int_t)n);
}

static uint64_t resident_bytes(void)
{
    unsigned long long size = 0, resident = 0;
    char text[128] = "";
    FILE *file = fopen("/proc/self/statm", "re");
    if (file && fgets(text, sizeof text, file)) {
        char *end;
        size = strtoull(text, &end, 10);
        resident = strtoull(end, NULL, 10);
    }
    if (file)
        fclose(file);
    (void)size;
    return (uint64_t)resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void uuid_text(const uint8_t uuid[16], char out[37])
{
    char *at = out;
    for (unsigned i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *at++ = '-';
        at += snprintf(at, 3, "%02x", uuid[i]);
    }
}

static json_t *store_json(struct store *store)
{
    struct store_status s;
    store_status(store, &s);
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:b, "
                     "s:b, s:b, s:b}",
                     "live_bytes", number(s.live_bytes), "log_bytes", number(s.log_bytes),
                     "index_bytes", number(s.index_bytes), "overlay_bytes", number(s.overlay_bytes),
                     "pending_bytes", number(s.pending_bytes), "disk_total", number(s.disk_total),
                     "disk_available", number(s.disk_available), "segments", number(s.segments),
                     "commits", number(s.commits), "syncs", number(s.syncs), "checkpoints",
                     number(s.checkpoints), "segments_cleaned", number(s.segments_cleaned),
                     "problems", number(s.problems), "replayed_records", number(s.replayed_records),
                     "full", s.full, "failed", s.failed, "cleaning", s.cleaning, "checkpointing",
                     s.checkpointing);
}

static json_t *service_json(struct node *node)
{
    struct replica_status r;
    struct agent_status a;
    replica_status(node->replica, &r);
    agent_status(node->agent, &a);
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "requests", number(r.requests),
                     "commits", number(r.commits), "conflicts", number(r.conflicts), "reruns",
                     number(r.reruns), "in_flight", number(r.in_flight), "inodes", number(a.inodes),
                     "orphans", number(a.orphans + r.orphans));
}

static void request_status(struct node *node, struct control_peer *peer, const struct order *order)
{
    char uuid[37];
    (void)order;
    uuid_text(store_identity(node->store)->uuid, uuid);
    uint64_t up_ns = node->env->ops->mono_ns(node->env) - node->started_ns;
    send_json(peer,
              json_pack("{s:b, s:b, s:s, s:I, s:o, s:s, s:s, s:s?, s:s, s:o, s:o, s:o, s:o}", "ok",
                        1, "running", 1, "version", PACTFS_VERSION, "pid", (json_int_t)getpid(),
                        "up_seconds", number(up_ns / 1000000000u), "home", node->home.path, "uuid",
                        uuid, "mount", node->mount ? mount_dir(node->mount) : NULL, "preset",
                        "local", "resident_bytes", number(resident_bytes()), "cache_bytes",
                        number(node->cache), "store", store_json(node->store), "service",
                        service_json(node)),
              true);
}

static void add_sentence(void *ctx, enum explain_topic topic, const char *sentence)
{
    json_t *topics = ctx;
    json_t *last = json_array_get(topics, json_array_size(topics) - 1);
    const char *name = explain_topic_name(topic);
    if (!last || strcmp(json_string_value(json_object_get(last, "topic")), name) != 0) {
        last = json_pack("{s:s, s:s, s:[]}", "topic", name, "heading", explain_topic_heading(topic),
                         "sentences");
        json_array_append_new(topics, last);
    }
    json_array_append_new(json_object_get(last, "sentences"), json_string(sentence));
}

static void request_explain(struct node *node, struct control_peer *peer, const struct order *order)
{
    struct store_status s;
    struct explain_state state = home_explain_state();
    json_t *topics = json_array();
    bool brief = order->brief;
    store_status(node->store, &s);
    state.running = true;
    state.mount = node->mount ? mount_dir(node->mount) : NULL;
    state.live_bytes = s.live_bytes;
    state.log_bytes = s.log_bytes;
    state.disk_available = s.disk_available;
    state.problems = s.problems;
    state.full = s.full;
    state.failed = s.failed;
    (brief ? explain_brief : explain)(&node->contract, &state, add_sentence, topics);
    send_json(peer, json_pack("{s:b, s:o}", "ok", 1, "topics", topics), true);
}

static void request_mount(struct node *node, struct control_peer *peer, const struct order *order)
{
    struct store_error error = {""};
    enum err err = node_mount(node, order->dir, &error);
    if (err != OK) {
        fail(peer, err, error.text[0] ? error.text : err_text(err));
        return;
    }
    journal("mounted at %s", order->dir);
    node_save_state(node);
    succeed(peer);
}

static void request_umount(struct node *node, struct control_peer *peer, const struct order *order)
{
    (void)order;
    if (!node->mount || node->unmounting) {
        fail(peer, ERR_USAGE, "the volume is not mounted.");
        return;
    }
    node_unmount(node, peer);
}

/* --- work of the store --- */

struct work {
    struct store_sync sync;
    struct node *node;
    struct control_peer *peer;
};

static void work_done(struct store_sync *sync, enum err err)
{
    struct work *work = (struct work *)sync;
    if (err == OK)
        succeed(work->peer);
    else
        fail_work(work->node, work->peer, err);
    struct node *node = work->node;
    free(work);
    node_task_end(node);
}

static void begin_work(struct node *node, struct control_peer *peer,
                       void (*begin)(struct store *store, struct store_sync *sync))
{
    struct work *work = calloc(1, sizeof *work);
    INVARIANT(work != NULL);
    work->sync.done = work_done;
    work->node = node;
    work->peer = peer;
    node_task_begin(node);
    begin(node->store, &work->sync);
}

static void request_sync(struct node *node, struct control_peer *peer, const struct order *order)
{
    (void)order;
    begin_work(node, peer, store_sync);
}

static void request_checkpoint(struct node *node, struct control_peer *peer,
                               const struct order *order)
{
    (void)order;
    begin_work(node, peer, store_checkpoint);
}

static void request_clean(struct node *node, struct control_peer *peer, const struct order *order)
{
    (void)order;
    begin_work(node, peer, store_clean);
}

struct scrub {
    struct store_scrub scrub;
    struct node *node;
    struct control_peer *peer;
    uint64_t told_ns;
};

static void scrub_problem(struct store_scrub *s, const char *file, uint64_t offset,
                          const char *what)
{
    struct scrub *scrub = (struct scrub *)s;
    journal("scrub: %s at %llu: %s", file, (unsigned long long)offset, what);
    send_json(scrub->peer,
              json_pack("{s:{s:s, s:o, s:s}}", "problem", "file", file, "offset", number(offset),
                        "what", what),
              false);
}

static void scrub_progress(struct store_scrub *s)
{
    struct scrub *scrub = (struct scrub *)s;
    uint64_t now = scrub->node->env->ops->mono_ns(scrub->node->env);
    if (now - scrub->told_ns < PROGRESS_NS)
        return;
    scrub->told_ns = now;
    send_json(scrub->peer,
              json_pack("{s:{s:o, s:o}}", "progress", "bytes_done", number(s->bytes_done),
                        "bytes_total", number(s->bytes_total)),
              false);
}

static void scrub_done(struct store_scrub *s, enum err err)
{
    struct scrub *scrub = (struct scrub *)s;
    struct node *node = scrub->node;
    if (err != OK && (s->problems == 0 || node->stopping))
        fail_work(node, scrub->peer, err);
    else
        send_json(scrub->peer,
                  json_pack("{s:b, s:o, s:o, s:o}", "ok", 1, "bytes", number(s->bytes_done),
                            "records", number(s->records), "problems", number(s->problems)),
                  true);
    free(scrub);
    node->scrubbing = false;
    node_task_end(node);
}

static void request_scrub(struct node *node, struct control_peer *peer, const struct order *order)
{
    (void)order;
    if (node->scrubbing) {
        fail(peer, ERR_BUSY, "a scrub is running already; wait for it to end.");
        return;
    }
    struct scrub *scrub = calloc(1, sizeof *scrub);
    INVARIANT(scrub != NULL);
    scrub->node = node;
    scrub->peer = peer;
    scrub->scrub.problem = scrub_problem;
    scrub->scrub.progress = scrub_progress;
    scrub->scrub.done = scrub_done;
    node->scrubbing = true;
    node_task_begin(node);
    store_scrub(node->store, &scrub->scrub);
}

static void request_stop(struct node *node, struct control_peer *peer, const struct order *order)
{
    (void)order;
    if (node->waiter_count == NODE_WAITERS) {
        fail(peer, ERR_BUSY, "PactFS is stopping.");
        return;
    }
    node->waiters[node->waiter_count++] = peer;
    node_stop(node);
}

typedef void (*handler)(struct node *node, struct control_peer *peer, const struct order *order);

static const handler handlers[ORDER_COUNT] = {
    [ORDER_STATUS] = request_status,
    [ORDER_EXPLAIN] = request_explain,
    [ORDER_MOUNT] = request_mount,
    [ORDER_UMOUNT] = request_umount,
    [ORDER_SYNC] = request_sync,
    [ORDER_CLEAN] = request_clean,
    [ORDER_CHECKPOINT] = request_checkpoint,
    [ORDER_SCRUB] = request_scrub,
    [ORDER_STOP] = request_stop,
};

void node_request(void *ctx, struct control_peer *peer, char *line, size_t len)
{
    struct node *node = ctx;
    struct order order;
    const char *sentence;
    enum err err = order_parse(line, len, &order, &sentence);
    if (err != OK) {
        fail(peer, err, sentence);
        return;
    }
    if (node->stopping && order.name != ORDER_STOP)
        fail(peer, ERR_BUSY, "PactFS is stopping.");
    else
        handlers[order.name](node, peer, &order);
    order_free(&order);
}
