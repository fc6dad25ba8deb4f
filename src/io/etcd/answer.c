/* SPDX-License-Identifier: MIT
 *
 * answer.c: what etcd's JSON gateway answers. It comes from outside: whatever is not as it should
 * be is refused, and nothing is taken on trust.
 */
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "io/etcd/json.h"
#include "io/registry/copy.h"

struct reading {
    const char *prefix;
    struct arena *arena;
    struct etcd_answer *out;
};

/* Absent: 0. A number, or its digits. */
static bool read_number(const json_t *object, const char *name, uint64_t *out)
{
    const json_t *value = json_object_get(object, name);
    *out = 0;
    if (!value)
        return true;
    if (json_is_integer(value)) {
        *out = (uint64_t)json_integer_value(value);
        return json_integer_value(value) >= 0;
    }
    const char *text = json_string_value(value);
    if (!text || *text < '0' || *text > '9')
        return false;
    char *end;
    errno = 0;
    *out = strtoull(text, &end, 10);
    return errno == 0 && *end == 0;
}

static bool read_bytes(const struct reading *r, const json_t *object, const char *name,
                       struct bytes *out)
{
    const json_t *value = json_object_get(object, name);
    *out = (struct bytes){(const uint8_t *)"", 0};
    if (!value)
        return true;
    return json_is_string(value) &&
           base64_read(json_string_value(value), json_string_length(value), r->arena, out);
}

static const char *read_text(const struct reading *r, const json_t *value)
{
    const char *text = json_string_value(value);
    return arena_copy(r->arena, text ? text : "", text ? strlen(text) : 0);
}

/* --- items --- */

static bool read_base(const struct reading *r, struct bytes value)
{
    char *end;
    errno = 0;
    r->out->base = strtoull((const char *)value.data, &end, 10);
    return errno == 0 && end == (const char *)value.data + value.len && value.len > 0;
}

static bool read_item(const struct reading *r, const json_t *kv, bool deleted)
{
    struct registry_item item;
    struct bytes key;
    size_t prefix = strlen(r->prefix);
    if (!json_is_object(kv) || !read_bytes(r, kv, "key", &key) ||
        !read_bytes(r, kv, "value", &item.value) ||
        !read_number(kv, "mod_revision", &item.revision) || item.revision == 0)
        return false;
    if (key.len < prefix || memcmp(key.data, r->prefix, prefix) != 0)
        return true;
    item.key = (const char *)key.data + prefix;
    if (strcmp(item.key, ETCD_BASE_KEY) == 0)
        return read_base(r, item.value);
    if (memchr(key.data, 0, key.len) || !registry_key_sound(item.key))
        return true;
    if (deleted)
        item.value = (struct bytes){NULL, 0};
    r->out->items[r->out->count++] = item;
    return true;
}

static bool make_room(const struct reading *r, const json_t *array)
{
    r->out->items = ARENA_ARRAY(r->arena, struct registry_item, json_array_size(array) + 1);
    return !r->out->count; /* not both a range and events */
}

static bool read_range(const struct reading *r, const json_t *kvs)
{
    if (!kvs)
        return true;
    if (!json_is_array(kvs) || !make_room(r, kvs))
        return false;
    for (size_t i = 0; i < json_array_size(kvs); i++)
        if (!read_item(r, json_array_get(kvs, i), false))
            return false;
    return true;
}

static bool read_events(const struct reading *r, const json_t *events)
{
    if (!events)
        return true;
    if (!json_is_array(events) || !make_room(r, events))
        return false;
    for (size_t i = 0; i < json_array_size(events); i++) {
        const json_t *event = json_array_get(events, i);
        const char *type = json_string_value(json_object_get(event, "type"));
        bool deleted = type && strcmp(type, "DELETE") == 0;
        if (!read_item(r, json_object_get(event, "kv"), deleted))
            return false;
    }
    return true;
}

/* --- members --- */

static bool read_word(const json_t *value, char *out, size_t room)
{
    const char *text = json_string_value(value);
    size_t len = text ? strlen(text) : 0;
    if (len >= room)
        return false;
    memcpy(out, text ? text : "", len + 1);
    return true;
}

static bool read_member(const json_t *object, struct etcd_member *out)
{
    const json_t *peer = json_array_get(json_object_get(object, "peerURLs"), 0);
    const json_t *client = json_array_get(json_object_get(object, "clientURLs"), 0);
    out->learner = json_is_true(json_object_get(object, "isLearner"));
    return json_is_object(object) && read_number(object, "ID", &out->id) &&
           read_word(json_object_get(object, "name"), out->name, sizeof out->name) &&
           read_word(peer, out->peer_url, sizeof out->peer_url) &&
           read_word(client, out->client_url, sizeof out->client_url);
}

static bool read_members(const struct reading *r, const json_t *members, const json_t *added)
{
    if (added && !read_number(added, "ID", &r->out->member))
        return false;
    if (!members)
        return true;
    if (!json_is_array(members) || json_array_size(members) > ETCD_MEMBERS_MAX)
        return false;
    for (size_t i = 0; i < json_array_size(members); i++)
        if (!read_member(json_array_get(members, i), &r->out->members[i]))
            return false;
    r->out->member_count = json_array_size(members);
    return true;
}

/* --- the whole --- */

/* {"error":"text","code":9} of a call; {"error":{"grpc_code":9,"message":"text"}} of a stream. */
static bool read_error(const struct reading *r, const json_t *object)
{
    const json_t *error = json_object_get(object, "error");
    uint64_t code;
    if (!error)
        return true;
    bool inside = json_is_object(error);
    if (!read_number(inside ? error : object, inside ? "grpc_code" : "code", &code) || code > 999)
        return false;
    r->out->code = (int)code;
    r->out->error = read_text(r, inside ? json_object_get(error, "message") : error);
    return true;
}

static bool read_object(const struct reading *r, const json_t *object)
{
    struct etcd_answer *out = r->out;
    if (!json_is_object(object))
        return false;
    out->succeeded = json_is_true(json_object_get(object, "succeeded"));
    out->created = json_is_true(json_object_get(object, "created"));
    out->canceled = json_is_true(json_object_get(object, "canceled"));
    return read_number(json_object_get(object, "header"), "revision", &out->revision) &&
           read_range(r, json_object_get(object, "kvs")) &&
           read_events(r, json_object_get(object, "events")) &&
           read_number(object, "ID", &out->lease) && read_number(object, "TTL", &out->ttl) &&
           read_number(object, "compact_revision", &out->compact_revision) &&
           read_members(r, json_object_get(object, "members"), json_object_get(object, "member"));
}

enum err etcd_answer_read(const char *text, size_t len, const char *prefix, struct arena *arena,
                          struct etcd_answer *out)
{
    const struct reading r = {prefix, arena, out};
    *out = (struct etcd_answer){0};
    json_t *root = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
    const json_t *result = json_object_get(root, "result"); /* of a stream */
    bool sound = root && read_error(&r, root);
    if (sound && !out->error)
        sound = read_object(&r, result ? result : root);
    json_decref(root);
    if (sound)
        return OK;
    *out = (struct etcd_answer){0};
    return ERR_DECODE;
}
