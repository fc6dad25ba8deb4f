/* SPDX-License-Identifier: MIT
 *
 * json.h: the messages of etcd's v3 JSON gateway: what we ask, and what it answers.
 *
 * Keys and values are base64, 64-bit numbers are strings, fields that are zero are left out. Keys
 * here are the registry's; the prefix is added to what is asked and taken from what is answered.
 */
#ifndef PACTFS_IO_ETCD_JSON_H
#define PACTFS_IO_ETCD_JSON_H

#include "core/base/arena.h"
#include "core/base/text.h"
#include "core/registry/registry.h"
#include "io/etcd/etcd.h"

/* Between the prefix and nothing that a user can name: the base (law E2 of etcd.h). */
#define ETCD_BASE_KEY " base"

/* --- asking: adds the text --- */

/* One key, or all keys that begin so; "" with prefix: all of the registry's (not the base). */
void etcd_ask_range(struct text *out, const char *prefix, const char *key, bool all);
/* Nothing, but from the leader: whether the endpoint is in touch. */
void etcd_ask_probe(struct text *out, const char *prefix);
/* A change, its revisions already etcd's own; lease 0: none of the writes may be leased. */
void etcd_ask_txn(struct text *out, const char *prefix, const struct registry_change *change,
                  uint64_t lease);
/* Removes all and sets the base. */
void etcd_ask_base(struct text *out, const char *prefix, uint64_t base);
void etcd_ask_watch(struct text *out, const char *prefix, uint64_t from_revision);
void etcd_ask_grant(struct text *out, uint64_t seconds);
void etcd_ask_lease(struct text *out, uint64_t lease); /* keep alive, or revoke */
void etcd_ask_member_add(struct text *out, const char *peer_url);
void etcd_ask_member(struct text *out, uint64_t id); /* promote, or remove */

/* --- what was answered --- */

/* All kinds of answers in one; what an answer has not is zero. Memory is the arena's. */
struct etcd_answer {
    uint64_t revision;           /* of the registry; etcd's */
    bool succeeded;              /* a change's conditions held */
    struct registry_item *items; /* of a range, or the events of a watch; etcd's revisions */
    size_t count;
    uint64_t base; /* when the base's entry was among the items, which it is taken out of */
    uint64_t lease, ttl;
    bool created, canceled; /* a watch */
    uint64_t compact_revision;
    struct etcd_member members[ETCD_MEMBERS_MAX];
    size_t member_count;
    uint64_t member;   /* that was added */
    const char *error; /* NULL: none */
    int code;          /* gRPC's */
};

/* DECODE: not an answer that makes sense. Items that are not the registry's (another prefix, an
 * unsound key) are left out. */
enum err etcd_answer_read(const char *text, size_t len, const char *prefix, struct arena *arena,
                          struct etcd_answer *out);

/* --- base64 (RFC 4648, with padding) --- */

void base64_add(struct text *out, const void *data, size_t len);
/* False: not base64. Bytes in arena memory, with a NUL behind them. */
bool base64_read(const char *text, size_t len, struct arena *arena, struct bytes *out);

#endif
