/* SPDX-License-Identifier: MIT
 *
 * control.c: what a mount's process is asked: {"request": "status"} and {"request": "umount"}.
 */
#include <stdlib.h>
#include <string.h>

#include "node/client/client_private.h"

static void finish(struct control_peer *peer, json_t *answer)
{
    char *line = answer ? json_dumps(answer, JSON_COMPACT) : NULL;
    control_finish(peer, line ? line : "{\"ok\":false,\"error\":\"out of memory\"}");
    free(line);
    json_decref(answer);
}

static json_t *number(uint64_t value)
{
    return json_integer((json_int_t)value);
}

static json_t *view_json(const struct view *view)
{
    json_t *members = json_array();
    for (uint32_t i = 0; i < view->count; i++)
        json_array_append_new(members, number(view->members[i]));
    return json_pack("{s:o, s:o, s:o}", "number", number(view->number), "primary",
                     number(view->primary), "members", members);
}

static void status(struct mounting *mounting, struct control_peer *peer)
{
    struct remote_status remote = {0};
    struct agent_status agent = {0};
    struct mount_status mount = {0};
    if (mounting->remote)
        remote_status(mounting->remote, &remote);
    if (mounting->agent)
        agent_status(mounting->agent, &agent);
    if (mounting->mount)
        mount_status(mounting->mount, &mount);
    uint64_t now = mounting->env->ops->mono_ns(mounting->env);
    json_t *json = json_pack(
        "{s:b, s:s, s:s, s:o, s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "ok", 1,
        "volume", mounting->volume, "dir", mounting->options->dir, "view", view_json(&remote.view),
        "serves", remote.serves, "requests", number(remote.requests), "repeated",
        number(remote.repeated), "view_changes", number(remote.view_changes), "sessions_begun",
        number(remote.sessions_begun), "in_flight", number(remote.in_flight), "silent_ms",
        number(remote.silent_ns / 1000000), "longest_ms", number(remote.longest_ns / 1000000),
        "inodes", number(agent.inodes), "bytes_read", number(mount.bytes_read), "bytes_written",
        number(mount.bytes_written), "up_ms", number((now - mounting->started_ns) / 1000000));
    finish(peer, json);
}

static void unmount(struct mounting *mounting, struct control_peer *peer)
{
    if (mounting->waiter_count == CLIENT_WAITERS) {
        finish(peer, json_pack("{s:b, s:s}", "ok", 0, "error", "It is being unmounted."));
        return;
    }
    mounting->waiters[mounting->waiter_count++] = peer;
    client_stop(mounting);
}

void client_request(void *ctx, struct control_peer *peer, char *line, size_t len)
{
    struct mounting *mounting = ctx;
    json_t *json = json_loadb(line, len, 0, NULL);
    const char *request = json_string_value(json_object_get(json, "request"));
    if (request && strcmp(request, "status") == 0 && !mounting->ended)
        status(mounting, peer);
    else if (request && strcmp(request, "umount") == 0 && !mounting->ended)
        unmount(mounting, peer);
    else
        finish(peer, json_pack("{s:b, s:s}", "ok", 0, "error",
                               "A mount understands the requests status and umount."));
    json_decref(json);
}
