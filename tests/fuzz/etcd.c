/* SPDX-License-Identifier: MIT
 *
 * etcd.c: what etcd's JSON gateway answers.
 */
#include "fuzz.h"

#include <string.h>

#include "core/base/assert.h"
#include "io/etcd/json.h"
#include "io/registry/copy.h"

/* What every user of etcd_answer_read relies on. */
static void look_at(const struct etcd_answer *answer)
{
    INVARIANT(answer->member_count <= ETCD_MEMBERS_MAX);
    uint64_t sum = 0; /* every byte is there to be read */
    for (size_t i = 0; i < answer->count; i++) {
        const struct registry_item *item = &answer->items[i];
        INVARIANT(registry_key_sound(item->key) && item->revision > 0);
        INVARIANT(item->value.data || item->value.len == 0);
        sum += checksum64(item->value.data, item->value.len, sum);
    }
    INVARIANT(answer->count || sum == 0);
    for (size_t i = 0; i < answer->member_count; i++)
        INVARIANT(memchr(answer->members[i].name, 0, sizeof answer->members[i].name));
    INVARIANT(!answer->error || strlen(answer->error) < FUZZ_INPUT_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct etcd_answer answer;
    struct arena arena;
    arena_init(&arena);
    if (etcd_answer_read((const char *)data, size, "p/", &arena, &answer) == OK)
        look_at(&answer);
    arena_free(&arena);
    return 0;
}

size_t fuzz_seed(unsigned number, uint8_t *out)
{
    static const char *const seeds[] = {
        "{\"header\":{\"revision\":\"12\"},\"kvs\":[{\"key\":\"cC8gYmFzZQ==\",\"mod_revision\":"
        "\"2\",\"value\":\"NDI=\"},{\"key\":\"cC9rZXk=\",\"mod_revision\":\"9\",\"value\":\"Zm9v\"}"
        "]"
        ",\"count\":\"3\"}",
        "{\"result\":{\"header\":{\"revision\":\"12\"},\"events\":[{\"kv\":{\"key\":\"cC9h\","
        "\"mod_revision\":\"9\",\"value\":\"Zm9v\"}},{\"type\":\"DELETE\",\"kv\":{\"key\":\"cC9i\","
        "\"mod_revision\":\"10\"}}]}}",
        "{\"result\":{\"header\":{},\"canceled\":true,\"compact_revision\":\"30\"}}",
        "{\"error\":\"etcdserver: no\",\"message\":\"etcdserver: no\",\"code\":14}",
        "{\"error\":{\"grpc_code\":11,\"message\":\"gone\"}}",
        "{\"member\":{\"ID\":\"7\"},\"members\":[{\"ID\":\"5\",\"name\":\"a\",\"peerURLs\":["
        "\"http://h:1\"],\"clientURLs\":[\"http://h:2\"]},{\"ID\":\"6\",\"isLearner\":true}]}",
        "{\"result\":{\"ID\":\"12345\",\"TTL\":\"2\"}}",
    };
    if (number >= sizeof seeds / sizeof seeds[0])
        return 0;
    memcpy(out, seeds[number], strlen(seeds[number]));
    return strlen(seeds[number]);
}
