/* SPDX-License-Identifier: MIT
 *
 * order.c: see order.h.
 */
#include "node/order.h"

#include <string.h>

static const char *const names[ORDER_COUNT] = {
    [ORDER_STATUS] = "status",         [ORDER_EXPLAIN] = "explain", [ORDER_MOUNT] = "mount",
    [ORDER_UMOUNT] = "umount",         [ORDER_SYNC] = "sync",       [ORDER_CLEAN] = "clean",
    [ORDER_CHECKPOINT] = "checkpoint", [ORDER_SCRUB] = "scrub",     [ORDER_STOP] = "stop",
};

static enum err understand(struct order *request, const char **sentence)
{
    const char *name = json_string_value(json_object_get(request->json, "request"));
    unsigned i = 0;
    while (i < ORDER_COUNT && !(name && strcmp(names[i], name) == 0))
        i++;
    *sentence = "the request is not known; there are status, explain, mount, umount, sync, clean, "
                "checkpoint, scrub and stop.";
    if (i == ORDER_COUNT)
        return ERR_USAGE;
    request->name = (enum order_name)i;
    request->brief = json_is_true(json_object_get(request->json, "brief"));
    if (request->name != ORDER_MOUNT)
        return OK;
    request->dir = json_string_value(json_object_get(request->json, "dir"));
    *sentence = "mount needs \"dir\", an absolute path.";
    return request->dir && request->dir[0] == '/' ? OK : ERR_USAGE;
}

enum err order_parse(const char *line, size_t len, struct order *out, const char **sentence)
{
    *out = (struct order){.json = json_loadb(line, len, JSON_REJECT_DUPLICATES, NULL)};
    *sentence = "the line is not a JSON object.";
    enum err err = json_is_object(out->json) ? understand(out, sentence) : ERR_DECODE;
    if (err != OK)
        order_free(out);
    return err;
}

void order_free(struct order *request)
{
    json_decref(request->json);
    request->json = NULL;
}
