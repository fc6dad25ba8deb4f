/* SPDX-License-Identifier: MIT
 *
 * json.c: what is asked of etcd's JSON gateway.
 */
#include "io/etcd/json.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/base/assert.h"

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* --- base64 --- */

void base64_add(struct text *out, const void *data, size_t len)
{
    const uint8_t *bytes = data;
    for (size_t i = 0; i < len; i += 3) {
        uint32_t left = (uint32_t)(len - i), v = (uint32_t)bytes[i] << 16;
        v |= left > 1 ? (uint32_t)bytes[i + 1] << 8 : 0;
        v |= left > 2 ? (uint32_t)bytes[i + 2] : 0;
        char four[4] = {digits[v >> 18], digits[v >> 12 & 63], digits[v >> 6 & 63], digits[v & 63]};
        if (left < 3)
            four[3] = '=';
        if (left < 2)
            four[2] = '=';
        text_add_bytes(out, four, 4);
    }
}

static int digit_of(char letter)
{
    const char *at = letter ? strchr(digits, letter) : NULL;
    return at ? (int)(at - digits) : -1;
}

bool base64_read(const char *text, size_t len, struct arena *arena, struct bytes *out)
{
    size_t padding = 0, used = 0;
    if (len % 4)
        return false;
    while (padding < 2 && padding < len && text[len - 1 - padding] == '=')
        padding++;
    uint8_t *bytes = arena_alloc(arena, len / 4 * 3 + 1);
    for (size_t i = 0; i < len; i += 4) {
        uint32_t v = 0;
        for (size_t k = i; k < i + 4; k++) {
            int digit = k >= len - padding ? 0 : digit_of(text[k]);
            if (digit < 0)
                return false;
            v = v << 6 | (uint32_t)digit;
        }
        bytes[used++] = (uint8_t)(v >> 16);
        bytes[used++] = (uint8_t)(v >> 8);
        bytes[used++] = (uint8_t)v;
    }
    used -= padding;
    bytes[used] = 0;
    *out = (struct bytes){bytes, used};
    return true;
}

/* --- parts --- */

static void add_bytes(struct text *out, const char *name, struct bytes bytes)
{
    text_add(out, "\"%s\":\"", name);
    base64_add(out, bytes.data, bytes.len);
    text_add(out, "\"");
}

/* The prefix and a key as one. */
static void add_key(struct text *out, const char *name, const char *prefix, const char *key)
{
    struct text whole = {0};
    text_add(&whole, "%s%s", prefix, key);
    add_bytes(out, name, (struct bytes){(const uint8_t *)text_string(&whole), whole.len});
    text_free(&whole);
}

/* The least key behind all that begin with `key`: the last byte, which is printable, and one. */
static void add_end(struct text *out, const char *prefix, const char *key)
{
    struct text whole = {0};
    text_add(&whole, "%s%s", prefix, key);
    INVARIANT(whole.len > 0);
    whole.data[whole.len - 1]++;
    add_bytes(out, "range_end", (struct bytes){(const uint8_t *)whole.data, whole.len});
    text_free(&whole);
}

/* All keys of users: printable, without blanks. */
static void add_all(struct text *out, const char *prefix)
{
    add_key(out, "key", prefix, "!");
    text_add(out, ",");
    add_end(out, prefix, "~");
}

/* --- asking --- */

void etcd_ask_range(struct text *out, const char *prefix, const char *key, bool all)
{
    text_add(out, "{");
    if (all && !*key) {
        add_all(out, prefix);
    } else {
        add_key(out, "key", prefix, key);
        if (all) {
            text_add(out, ",");
            add_end(out, prefix, key);
        }
    }
    text_add(out, "}");
}

void etcd_ask_probe(struct text *out, const char *prefix)
{
    text_add(out, "{");
    add_key(out, "key", prefix, ETCD_BASE_KEY);
    text_add(out, ",\"count_only\":true}");
}

static void add_write(struct text *out, const char *prefix, const struct registry_write *write,
                      uint64_t lease)
{
    if (!write->value.data) {
        text_add(out, "{\"request_delete_range\":{");
        add_key(out, "key", prefix, write->key);
    } else {
        text_add(out, "{\"request_put\":{");
        add_key(out, "key", prefix, write->key);
        text_add(out, ",");
        add_bytes(out, "value", write->value);
        INVARIANT(!write->leased || lease);
        if (write->leased)
            text_add(out, ",\"lease\":\"%" PRIu64 "\"", lease);
    }
    text_add(out, "}}");
}

void etcd_ask_txn(struct text *out, const char *prefix, const struct registry_change *change,
                  uint64_t lease)
{
    text_add(out, "{\"compare\":[");
    for (size_t i = 0; i < change->condition_count; i++) {
        text_add(out, "%s{\"target\":\"MOD\",\"result\":\"EQUAL\",", i ? "," : "");
        add_key(out, "key", prefix, change->conditions[i].key);
        text_add(out, ",\"mod_revision\":\"%" PRIu64 "\"}", change->conditions[i].revision);
    }
    text_add(out, "],\"success\":[");
    for (size_t i = 0; i < change->write_count; i++) {
        text_add(out, "%s", i ? "," : "");
        add_write(out, prefix, &change->writes[i], lease);
    }
    text_add(out, "]}");
}

void etcd_ask_base(struct text *out, const char *prefix, uint64_t base)
{
    char number[24];
    int len = snprintf(number, sizeof number, "%" PRIu64, base);
    text_add(out, "{\"success\":[{\"request_delete_range\":{");
    add_all(out, prefix);
    text_add(out, "}},{\"request_put\":{");
    add_key(out, "key", prefix, ETCD_BASE_KEY);
    text_add(out, ",");
    add_bytes(out, "value", (struct bytes){(const uint8_t *)number, (size_t)len});
    text_add(out, "}}]}");
}

void etcd_ask_watch(struct text *out, const char *prefix, uint64_t from_revision)
{
    text_add(out, "{\"create_request\":{");
    add_all(out, prefix);
    text_add(out, ",\"progress_notify\":true,\"start_revision\":\"%" PRIu64 "\"}}", from_revision);
}

void etcd_ask_grant(struct text *out, uint64_t seconds)
{
    text_add(out, "{\"TTL\":\"%" PRIu64 "\"}", seconds);
}

void etcd_ask_lease(struct text *out, uint64_t lease)
{
    text_add(out, "{\"ID\":\"%" PRIu64 "\"}", lease);
}

/* A URL of ours has no letter that JSON would escape: client.c has looked at it. */
void etcd_ask_member_add(struct text *out, const char *peer_url)
{
    text_add(out, "{\"peerURLs\":[\"%s\"],\"isLearner\":true}", peer_url);
}

void etcd_ask_member(struct text *out, uint64_t id)
{
    text_add(out, "{\"ID\":\"%" PRIu64 "\"}", id);
}
