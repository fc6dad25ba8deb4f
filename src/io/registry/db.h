/* SPDX-License-Identifier: MIT
 *
 * db.h: the embedded registry's keys and values in LMDB.
 *
 * Law
 *   D1  An entry is a key with its NUL, and: revision, flags, a checksum over these, the key and
 *       the value, and the value. What does not fit its checksum is not given out.
 *   D2  The state (last revision given, whether sealed) is the entry of a key that no user can
 *       name, written by every transaction that changes something.
 *   D3  Every commit writes the guard (io/lmdb/header.h), and the file reaches behind its last
 *       page, so that a file that was cut or is older than its head is noticed before LMDB maps it.
 */
#ifndef PACTFS_IO_REGISTRY_DB_H
#define PACTFS_IO_REGISTRY_DB_H

#include "core/registry/registry.h"
#include "core/store/store.h"

struct registry_db;

/* One change on its way through a transaction. */
struct db_change {
    struct registry_change *change; /* a copy; err and revision are set in it. Keys of deletions of
                                       what was not there are set to NULL: nothing to tell. */
    struct db_change *next;
};

/* As registry_embedded_open. Leased entries of an earlier process are removed. */
enum err registry_db_open(const char *dir, struct registry_db **out, struct store_error *error);
void registry_db_close(struct registry_db *db);

/* Blocking, for one worker at a time. All changes in one transaction, durable; each gets its own
 * outcome. */
void registry_db_apply(struct registry_db *db, struct db_change *first);
enum err registry_db_drop_leased(struct registry_db *db);
enum err registry_db_seal(struct registry_db *db);

/* For the loop, beside a worker: what was committed last. Memory is valid until registry_db_done,
 * which must follow also after an error. REGISTRY: damaged or unreadable; LIMIT. */
struct db_items {
    struct registry_item *items;
    bool *leased;
    size_t count;
    uint64_t revision;
};
enum err registry_db_read(struct registry_db *db, const char *key, bool prefix,
                          struct db_items *out);
void registry_db_done(struct registry_db *db, struct db_items *items);

#endif
