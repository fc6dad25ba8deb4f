/* SPDX-License-Identifier: MIT
 *
 * answer.c: a reply becomes a result.
 */
#include <string.h>

#include "core/agent/remote_private.h"

bool answer_is_read(const struct fs_op *op)
{
    switch (op->code) {
    case FS_LOOKUP:
    case FS_GETATTR:
    case FS_ACCESS:
    case FS_SEEK:
    case FS_GETXATTR:
    case FS_LISTXATTR:
        return true;
    case FS_OPEN:
        return !(op->flags & FS_OPEN_TRUNCATE);
    case FS_READLINK:
    case FS_READ:
        return !(op->flags & FS_READ_ATIME);
    case FS_READDIR:
        return !(op->flags & FS_READDIR_ATIME);
    default:
        return false;
    }
}

static struct bytes copy(struct arena *arena, struct bytes from)
{
    return (struct bytes){arena_copy(arena, from.data, from.len), from.len};
}

static const struct fs_entry *copy_entries(struct arena *arena, const struct fs_result *result)
{
    if (result->entry_count == 0)
        return NULL;
    struct fs_entry *entries = arena_alloc(arena, sizeof *entries * result->entry_count);
    for (uint32_t i = 0; i < result->entry_count; i++) {
        entries[i] = result->entries[i];
        entries[i].name = copy(arena, result->entries[i].name);
    }
    return entries;
}

/* False: it is not what was asked for. */
static bool take_data(struct request *request, struct bytes payload)
{
    if (request->op.code != FS_READ)
        return true;
    if (payload.len > request->op.length || (payload.len > 0 && !request->into))
        return false;
    if (payload.len > 0)
        memcpy(request->into, payload.data, payload.len);
    request->result.length = payload.len;
    return true;
}

void answer_take(struct request *request, const struct message *message)
{
    struct arena *arena = &request->ws.arena;
    request->err = message->err;
    request->stamp = message->stamp;
    request->seen =
        stamp_compare(message->stamp, message->last) > 0 ? message->stamp : message->last;
    if (message->err != OK)
        return;
    request->result = message->result;
    request->result.pieces = NULL;
    request->result.piece_count = 0;
    request->result.value = copy(arena, message->result.value);
    request->result.entries = copy_entries(arena, &message->result);
    if (!take_data(request, message->payload))
        request->err = ERR_IO;
}
