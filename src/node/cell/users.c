/* SPDX-License-Identifier: MIT
 *
 * users.c: see users.h.
 */
#include "node/cell/users.h"

#include <grp.h>
#include <jansson.h>
#include <pwd.h>

#include "core/base/assert.h"

#define ENTRY_MAX 65536u

void user_look_up(uint32_t uid, struct gate_user *out)
{
    struct passwd entry, *found = NULL;
    char *text = malloc(ENTRY_MAX);
    gid_t groups[GATE_GROUPS_MAX];
    int count = GATE_GROUPS_MAX;
    INVARIANT(text != NULL);
    *out = (struct gate_user){.uid = uid, .gid = uid};
    if (getpwuid_r(uid, &entry, text, ENTRY_MAX, &found) == 0 && found) {
        out->gid = found->pw_gid;
        getgrouplist(found->pw_name, found->pw_gid, groups, &count);
        for (int i = 0; i < count && i < (int)GATE_GROUPS_MAX; i++)
            out->groups[out->group_count++] = groups[i];
    }
    free(text);
}

char *user_text(const struct gate_user *user)
{
    json_t *groups = json_array();
    for (uint32_t i = 0; i < user->group_count; i++)
        json_array_append_new(groups, json_integer((json_int_t)user->groups[i]));
    json_t *json = json_pack("{s:I, s:o}", "gid", (json_int_t)user->gid, "groups", groups);
    char *text = json_dumps(json, JSON_COMPACT);
    json_decref(json);
    INVARIANT(text != NULL);
    return text;
}

static bool is_id(const json_t *value)
{
    return json_is_integer(value) && json_integer_value(value) >= 0 &&
           json_integer_value(value) <= UINT32_MAX;
}

bool user_read(struct bytes value, struct gate_user *user)
{
    size_t i;
    json_t *group, *json = json_loadb((const char *)value.data, value.len, 0, NULL);
    json_t *gid = json_object_get(json, "gid"), *groups = json_object_get(json, "groups");
    bool sound = is_id(gid) && json_array_size(groups) <= GATE_GROUPS_MAX;
    user->gid = (uint32_t)json_integer_value(gid);
    user->group_count = 0;
    json_array_foreach(groups, i, group)
    {
        sound = sound && is_id(group);
        if (sound)
            user->groups[user->group_count++] = (uint32_t)json_integer_value(group);
    }
    json_decref(json);
    return sound;
}
