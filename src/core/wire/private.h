/* SPDX-License-Identifier: MIT
 *
 * private.h: what the parts of the codec share. Each wire_pack_X fills a protobuf message that
 * points into what it was given and into the arena; each wire_unpack_X takes one that protobuf-c
 * has unpacked, checks every limit, and answers false when one is broken.
 */
#ifndef PACTFS_WIRE_PRIVATE_H
#define PACTFS_WIRE_PRIVATE_H

#include <wire.pb-c.h>

#include "core/base/assert.h"
#include "core/wire/message.h"

#define WIRE_MAGIC UINT32_C(0x57534650) /* "PFSW" */

/* Names of an operation may be too long for the file service: it is the one to say so. */
#define WIRE_NAME_MAX 4096u

/* What protobuf-c may take from the arena for one head, beyond the head's own length: some more
 * than the largest listing needs. */
#define WIRE_MEMORY (4u << 20)

/* What only some kinds have. */
enum wire_part {
    WIRE_OP = 1,
    WIRE_RESULT = 2,
    WIRE_INOS = 4,
    WIRE_LEAVES = 8,
    WIRE_NAMES = 16,
    WIRE_HEAD = 32,
    WIRE_TEXT = 64,
    WIRE_PAYLOAD = 128,
};

struct wire_kind {
    const char *name;
    uint32_t parts; /* enum wire_part */
};
/* NULL: not known. */
const struct wire_kind *wire_kind_of(uint32_t kind);

static inline ProtobufCBinaryData wire_binary(struct bytes bytes)
{
    return (ProtobufCBinaryData){bytes.len, (uint8_t *)(uintptr_t)bytes.data};
}

/* Never a null pointer: what is behind may compare and search it. */
static inline struct bytes wire_bytes(ProtobufCBinaryData binary)
{
    return (struct bytes){binary.len ? binary.data : (const uint8_t *)"", binary.len};
}

/* By name; the empty name is OK, one that is not known IO. */
enum err wire_err(const char *name);
const char *wire_err_name(enum err err);

void wire_pack_attr(const struct fs_attr *attr, Pactfs__Wire__Attr *out);
void wire_unpack_attr(const Pactfs__Wire__Attr *attr, struct fs_attr *out); /* NULL: zeros */
bool wire_attr_is_zero(const struct fs_attr *attr);

void wire_pack_op(const struct fs_op *op, struct arena *arena, Pactfs__Wire__Op *out);
bool wire_unpack_op(const Pactfs__Wire__Op *op, struct bytes payload, struct fs_op *out);

void wire_pack_result(const struct fs_result *result, struct arena *arena,
                      Pactfs__Wire__Result *out);
bool wire_unpack_result(const Pactfs__Wire__Result *result, struct arena *arena,
                        struct fs_result *out);

/* leaves and names */
void wire_pack_lists(const struct message *message, struct arena *arena,
                     Pactfs__Wire__Message *out);
bool wire_unpack_leaves(const Pactfs__Wire__Message *head, struct arena *arena,
                        struct message *out);
bool wire_unpack_names(const Pactfs__Wire__Message *head, struct arena *arena, struct message *out);

/* An allocator over the arena that gives at most `left` bytes, then none: a head cannot make its
 * reader take more memory than it is long, by much. */
struct wire_budget {
    struct arena *arena;
    size_t left;
};
ProtobufCAllocator wire_allocator(struct wire_budget *budget);

#endif
