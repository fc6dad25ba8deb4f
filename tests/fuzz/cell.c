/* SPDX-License-Identifier: MIT
 *
 * cell.c: what a machine reads of its cell from others: lists of nodes and the registry's places,
 * and users with their groups. What is accepted keeps to every limit.
 */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/assert.h"
#include "fuzz.h"
#include "node/cell/cell_file.h"
#include "node/cell/users.h"

static void check_nodes(const struct cell_file *file)
{
    INVARIANT(file->node_count <= CELL_NODES_MAX);
    for (uint32_t i = 0; i < file->node_count; i++) {
        INVARIANT(file->nodes[i].number > 0 && file->nodes[i].number <= 65535);
        INVARIANT(i == 0 || file->nodes[i - 1].number < file->nodes[i].number);
        INVARIANT(record_name_sound(file->nodes[i].name));
        INVARIANT(memchr(file->nodes[i].address, '\0', RECORD_ADDR_MAX));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct cell_file file;
    struct gate_user user;
    json_t *json = json_loadb((const char *)data, size, 0, NULL);

    memset(&file, 0, sizeof file);
    if (cell_nodes_read(json_object_get(json, "nodes"), &file))
        check_nodes(&file);
    if (cell_registry_read(json_object_get(json, "registry"), &file)) {
        INVARIANT(file.url_count <= CELL_URLS_MAX && file.registry <= CELL_REGISTRY_EXTERNAL);
        for (uint32_t i = 0; i < file.url_count; i++)
            INVARIANT(memchr(file.urls[i], '\0', CELL_URL_MAX));
    }
    json_decref(json);
    if (user_read((struct bytes){data, size}, &user))
        INVARIANT(user.group_count <= GATE_GROUPS_MAX);
    return 0;
}

size_t fuzz_seed(unsigned number, uint8_t *out)
{
    static const char *const texts[] = {
        "{\"nodes\":[{\"number\":1,\"name\":\"a\",\"address\":\"10.0.0.1:4700\"},"
        "{\"number\":7,\"name\":\"b\",\"address\":\"[::1]:4700\"}]}",
        "{\"nodes\":[{\"number\":3,\"name\":\"a\",\"address\":\"x\"},{\"number\":2,\"name\":\"b\","
        "\"address\":\"\"},{\"number\":3,\"name\":\"c\",\"address\":\"y\"}]}",
        "{\"registry\":{\"kind\":\"etcd\",\"urls\":[\"https://10.0.0.1:4701\"],"
        "\"client_port\":4701,\"peer_port\":4702}}",
        "{\"registry\":{\"kind\":\"embedded\",\"urls\":[],\"client_port\":0,\"peer_port\":65536}}",
        "{\"gid\":100,\"groups\":[1,2,4294967295]}",
        "{\"gid\":-1,\"groups\":7}",
    };

    if (number >= sizeof texts / sizeof texts[0])
        return 0;
    memcpy(out, texts[number], strlen(texts[number]));
    return strlen(texts[number]);
}
