/* SPDX-License-Identifier: MIT
 *
 * identity.c: the file `format` of a store directory: which volume it is and which version of the
 * format it has.
 */
#include <pactfs.pb-c.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/store/store_private.h"

#define FORMAT_VERSION 2u /* of stores with records of frame_flags beyond FRAME_MOVED; else 1 */
#define FORMAT_MAX     4096u

enum err store_error_set(struct store_error *error, enum err err, const char *format, ...)
{
    va_list args;
    if (error) {
        va_start(args, format);
        vsnprintf(error->text, sizeof error->text, format, args);
        va_end(args);
    }
    return err;
}

static uint64_t format_checksum(Pactfs__Format *message)
{
    uint8_t packed[FORMAT_MAX];
    uint64_t was = message->checksum;
    message->checksum = 0;
    INVARIANT(pactfs__format__get_packed_size(message) <= sizeof packed);
    size_t len = pactfs__format__pack(message, packed);
    message->checksum = was;
    return checksum64(packed, len, 0);
}

static enum err decode(const uint8_t *data, size_t len, struct store_identity *out,
                       uint32_t *segment_bytes)
{
    struct arena arena;
    arena_init(&arena);
    ProtobufCAllocator allocator = arena_allocator(&arena);
    Pactfs__Format *message = pactfs__format__unpack(&allocator, len, data);
    enum err err = ERR_NOT_A_STORE;
    if (message && message->version > FORMAT_VERSION) {
        err = ERR_NEWER_FORMAT;
    } else if (message && message->uuid.len == 16 &&
               message->checksum == format_checksum(message) && message->segment_bytes >= 65536 &&
               message->segment_bytes <= UINT32_C(1) << 30) {
        memcpy(out->uuid, message->uuid.data, 16);
        out->salt = message->salt;
        out->created = message->created;
        *segment_bytes = message->segment_bytes;
        err = OK;
    }
    arena_free(&arena);
    return err;
}

enum err store_identity_read(struct env *env, const char *path, struct store_identity *out,
                             uint32_t *segment_bytes, struct store_error *error)
{
    char name[STORE_PATH_MAX];
    uint8_t data[FORMAT_MAX];
    struct env_file *file;
    size_t got = 0;
    snprintf(name, sizeof name, "%s/format", path);
    enum err err = env->ops->file_open(env, name, ENV_READ, &file);
    if (err == ERR_NOENT || err == ERR_NOTDIR)
        return store_error_set(error, ERR_NOT_A_STORE,
                               "%s is not a PactFS store: it has no file 'format'.", path);
    if (err)
        return store_error_set(error, err, "%s cannot be opened: %s.", name, err_text(err));
    err = env->ops->file_read(file, 0, data, sizeof data, &got);
    env->ops->file_close(file);
    if (err)
        return store_error_set(error, err, "%s cannot be read: %s.", name, err_text(err));
    err = decode(data, got, out, segment_bytes);
    if (err == ERR_NEWER_FORMAT)
        return store_error_set(
            error, err,
            "%s was written by a newer version of PactFS. Use that version; nothing was changed.",
            path);
    if (err)
        return store_error_set(
            error, err,
            "%s is damaged or not a PactFS store: the file 'format' cannot be understood.", path);
    return OK;
}

enum err store_identity_write(struct env *env, const char *path,
                              const struct store_identity *identity, uint32_t segment_bytes,
                              bool shared)
{
    Pactfs__Format message = PACTFS__FORMAT__INIT;
    uint8_t uuid[16], packed[FORMAT_MAX];
    char name[STORE_PATH_MAX], draft[STORE_PATH_MAX];
    struct env_file *file;
    memcpy(uuid, identity->uuid, sizeof uuid);
    message.version = shared ? FORMAT_VERSION : 1;
    message.uuid = (ProtobufCBinaryData){sizeof uuid, uuid};
    message.salt = identity->salt;
    message.created = identity->created;
    message.segment_bytes = segment_bytes;
    message.checksum = format_checksum(&message);
    struct env_iov iov = {packed, pactfs__format__pack(&message, packed)};
    snprintf(name, sizeof name, "%s/format", path);
    snprintf(draft, sizeof draft, "%s/format.new", path);
    enum err err = env->ops->file_open(env, draft, ENV_CREATE_OR_OPEN, &file);
    if (err)
        return err;
    err = env->ops->file_truncate(file, 0);
    err = err ? err : env->ops->file_write(file, 0, &iov, 1);
    err = err ? err : env->ops->file_sync(file);
    env->ops->file_close(file);
    err = err ? err : env->ops->file_rename(env, draft, name);
    return err ? err : env->ops->dir_sync(env, path);
}
