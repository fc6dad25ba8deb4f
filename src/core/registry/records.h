/* SPDX-License-Identifier: MIT
 *
 * records.h: what the registry holds, by key:
 *
 *     cell                    the cell: uuid, name, version in use
 *     node/N                  a node: name, address, role, version
 *     alive/N                 leased: the node runs
 *     next/node               the next number of a node
 *     volume/UUID             a volume: name, contract, replicas, identity of its store
 *     view/UUID               its current view
 *     name/NAME               the UUID of the volume of that name
 *     invite/HASH             an invitation: role, until when, used
 *     revoked/SERIAL          a certificate that is not accepted any more
 *     user/NAME               what a client of that name may do
 *
 * Values are the protobuf messages of proto/registry.proto. UUID is 32 hexadecimal digits.
 */
#ifndef PACTFS_REGISTRY_RECORDS_H
#define PACTFS_REGISTRY_RECORDS_H

#include "core/base/arena.h"
#include "core/base/err.h"
#include "core/group/view.h"
#include "core/store/store.h"

#define RECORD_NAME_MAX  64u    /* bytes of a name of a cell, node or volume, with its NUL */
#define RECORD_ADDR_MAX  256u   /* "host:port", with its NUL: printable ASCII without blanks */
#define RECORD_NODE_LAST 65535u /* the greatest number of a node; the least is 1 */

enum node_role { ROLE_NODE = 1, ROLE_CLIENT = 2, ROLE_ADMINISTRATOR = 3 };

struct record_cell {
    uint8_t uuid[16];
    char name[RECORD_NAME_MAX];
    uint32_t wire_version; /* that all nodes understand */
    int64_t created;       /* nanoseconds since 1970 */
};

struct record_node {
    uint32_t number;
    char name[RECORD_NAME_MAX], address[RECORD_ADDR_MAX];
    uint32_t wire_version;
    bool registry; /* runs a member of the registry */
    bool leaving;  /* gets no replicas any more */
    int64_t joined;
    uint64_t disk_total, disk_available; /* as of its last start or change */
};

struct record_volume {
    char name[RECORD_NAME_MAX];
    struct store_identity identity;              /* the same for the store of every replica */
    struct bytes contract;                       /* its text */
    uint32_t replica_count, replicas[GROUP_MAX]; /* nodes that have, or shall have, a copy */
    int64_t created;
    int64_t deleted; /* when; 0: it is not. Can be had back for a time. */
    uint32_t made_by;
};

struct record_invite {
    uint32_t role; /* enum node_role */
    int64_t expires;
    int32_t uid; /* clients: acts as this user only; -1: as any (root's machine) */
    bool used;
};

/* Keys; `key` holds REGISTRY_KEY_MAX + 1 bytes; returns it. */
const char *record_key_number(char *key, const char *kind, uint64_t number); /* "node", 3 */
const char *record_key_uuid(char *key, const char *kind, const uint8_t uuid[16]);
const char *record_key_text(char *key, const char *kind, const char *text);
/* False: not 32 hexadecimal digits. */
bool record_uuid(const char *text, uint8_t uuid[16]);
void record_uuid_print(const uint8_t uuid[16], char out[33]);
/* ASCII letters, digits, '-', '_', '.'; 1 to RECORD_NAME_MAX - 1; not beginning with '-' or '.'. */
bool record_name_sound(const char *name);

/* Encoding: bytes in arena memory; what is given must keep to the limits above. Decoding: DECODE
 * for anything that breaks one, and then *out is as it was; record_volume's contract (at most
 * CONTRACT_TEXT_MAX bytes; not read here) lies in arena memory. */
struct bytes record_encode_cell(const struct record_cell *cell, struct arena *arena);
enum err record_decode_cell(struct bytes value, struct record_cell *out);
struct bytes record_encode_node(const struct record_node *node, struct arena *arena);
enum err record_decode_node(struct bytes value, struct record_node *out);
struct bytes record_encode_volume(const struct record_volume *volume, struct arena *arena);
enum err record_decode_volume(struct bytes value, struct arena *arena, struct record_volume *out);
struct bytes record_encode_invite(const struct record_invite *invite, struct arena *arena);
enum err record_decode_invite(struct bytes value, struct record_invite *out);
struct bytes record_encode_view(const struct view *view, struct arena *arena);
enum err record_decode_view(struct bytes value, struct view *out); /* DECODE also when not sound */

#endif
