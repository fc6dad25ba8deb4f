/* SPDX-License-Identifier: MIT */
#include "core/store/object.h"

#include <inttypes.h>
#include <stdio.h>

const char *object_key_print(const struct object_key *key, char *buf, size_t size)
{
    static const char *const names[OBJECT_KIND_COUNT] = {"none",           "inode",   "entry",
                                                         "attribute",      "block",   "orphan",
                                                         "attribute data", "session", "note"};
    const char *name = key->kind < OBJECT_KIND_COUNT ? names[key->kind] : "unknown";
    if (key->kind == OBJECT_INODE)
        snprintf(buf, size, "%s %" PRIu64, name, key->ino);
    else if (key->kind == OBJECT_ORPHAN)
        snprintf(buf, size, "%s %" PRIu64, name, key->sub);
    else if (key->kind == OBJECT_BLOCK)
        snprintf(buf, size, "%s %" PRIu64 "/%" PRIu64, name, key->ino, key->sub);
    else
        snprintf(buf, size, "%s %" PRIu64 "/%" PRIx64, name, key->ino, key->sub);
    return buf;
}
