/* SPDX-License-Identifier: MIT
 *
 * members.c: the members of the cluster (etcd's cluster API).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/assert.h"
#include "io/etcd/private.h"

static void build(struct ask *ask, struct text *body)
{
    const struct etcd_members *call = ask->ctx;
    if (call->what == ETCD_MEMBERS_LIST)
        text_add(body, "{}");
    else if (call->what == ETCD_MEMBERS_ADD)
        etcd_ask_member_add(body, call->peer_url);
    else
        etcd_ask_member(body, call->id);
}

/* etcd says these with one code, so by the words of its version 3.4 (and later ones). */
static enum err meaning(enum etcd_members_what what, enum err err, const char *error)
{
    if (what == ETCD_MEMBERS_ADD && strstr(error, "too many learner"))
        return ERR_CONFLICT;
    if (what == ETCD_MEMBERS_ADD &&
        (strstr(error, "unhealthy cluster") || strstr(error, "not enough started")))
        return ERR_AGAIN;
    if (what == ETCD_MEMBERS_PROMOTE && strstr(error, "in sync with leader"))
        return ERR_AGAIN;
    if (what == ETCD_MEMBERS_PROMOTE && strstr(error, "can only promote a learner"))
        return OK; /* it votes already */
    if (what == ETCD_MEMBERS_REMOVE && strstr(error, "member not found"))
        return OK;
    return err;
}

static void answered(struct ask *ask, enum err err, const struct etcd_answer *answer)
{
    struct etcd_members *call = ask->ctx;
    bool told = answer && answer->error;
    call->err = told ? meaning(call->what, err, answer->error) : err;
    call->count = 0;
    snprintf(call->error.text, sizeof call->error.text, "%s",
             !call->err ? ""
             : told     ? answer->error
                        : ask->client->trouble);
    if (!err) {
        memcpy(call->members, answer->members, sizeof call->members);
        call->count = answer->member_count;
        if (call->what == ETCD_MEMBERS_ADD)
            call->id = answer->member;
    }
    call->done(call);
}

static const struct ask_kind kinds[] = {
    [ETCD_MEMBERS_LIST] = {.path = "/v3/cluster/member/list", .build = build, .answered = answered},
    [ETCD_MEMBERS_ADD] = {.path = "/v3/cluster/member/add",
                          .once = true,
                          .build = build,
                          .answered = answered},
    [ETCD_MEMBERS_PROMOTE] = {.path = "/v3/cluster/member/promote",
                              .build = build,
                              .answered = answered},
    [ETCD_MEMBERS_REMOVE] = {.path = "/v3/cluster/member/remove",
                             .build = build,
                             .answered = answered},
};

void registry_etcd_members(struct registry *registry, struct etcd_members *call)
{
    struct client *client = client_of(registry);
    INVARIANT(!client->closing);
    bool sound = call->what != ETCD_MEMBERS_ADD || !strpbrk(call->peer_url, "\"\\");
    if (sound)
        ask_begin(client, &kinds[call->what], call, registry->deadline_ns);
    else
        ask_refuse(client, &kinds[call->what], call, ERR_REGISTRY);
}
