/* SPDX-License-Identifier: MIT
 *
 * registry.h: the seam to the cell's system service: a small map from keys to values that all nodes
 * agree on, with compare-and-swap over several keys, watches, and keys that vanish with their
 * owner.
 *
 * Backends: io/registry (embedded, of a cell with one node), io/etcd, sim/registry.
 *
 * Law
 *   Y1  Reads and changes are linearisable. Each key has the revision of its last change; revisions
 *       grow over the whole registry, never come back, and are never 0.
 *   Y2  `done` runs exactly once for each read and change, on the loop, never before the call
 *       returned, at the latest registry->deadline_ns after it.
 *   Y3  A change is all or nothing. TIMEOUT: it is not known whether it happened. REGISTRY: it did
 *       not.
 *   Y4  A watch sees every change of its prefix in the order of revisions, or is told `lost`, after
 *       which it sees each key that there is once more, as if just changed (then `caught_up`). It
 *       begins so, too.
 *   Y5  A leased key is deleted when the registry did not hear of the process that wrote it for
 *       registry->lease_ns, and at once when that process closes its registry. (Who was cut off
 *       for so long sees by a watch that its keys are gone, and writes them anew.)
 */
#ifndef PACTFS_REGISTRY_REGISTRY_H
#define PACTFS_REGISTRY_REGISTRY_H

#include "core/env/env.h"

#define REGISTRY_KEY_MAX     255u        /* printable ASCII, without blanks; at least one */
#define REGISTRY_VALUE_MAX   262144u     /* bytes */
#define REGISTRY_CHANGES_MAX 64u         /* conditions, and puts and deletes, of one change */
#define REGISTRY_CHANGE_MAX  (1u << 20)  /* bytes of all keys and values of one change */
#define REGISTRY_READ_MAX    (64u << 20) /* bytes of all keys and values of one read */

struct registry;

struct registry_item {
    const char *key;
    struct bytes value; /* data NULL: the key was deleted */
    uint64_t revision;
};

struct registry_read {
    const char *key; /* must live until done */
    bool prefix;     /* all keys that begin so */
    void (*done)(struct registry_read *read);
    void *ctx;
    /* out; memory is valid during done */
    enum err err;                      /* OK (also when there is none), TIMEOUT, REGISTRY, LIMIT */
    const struct registry_item *items; /* in the order of keys */
    size_t count;
    uint64_t revision; /* of the registry when it was read */
    void *impl;
};

/* The key has this revision; 0: it is not there. */
struct registry_condition {
    const char *key;
    uint64_t revision;
};

struct registry_write {
    const char *key;
    struct bytes value; /* data NULL: delete */
    bool leased;
};

struct registry_change {
    const struct registry_condition *conditions; /* all arrays and what they name are copied */
    size_t condition_count;
    const struct registry_write *writes; /* each key at most once, else LIMIT */
    size_t write_count;
    void (*done)(struct registry_change *change);
    void *ctx;
    /* out */
    enum err err;      /* OK, CONFLICT: a condition did not hold, TIMEOUT, REGISTRY, LIMIT */
    uint64_t revision; /* OK: of what was written */
    void *impl;
};

struct registry_watch {
    const char *prefix; /* must live until registry_unwatch */
    void (*changed)(struct registry_watch *watch, const struct registry_item *item);
    void (*lost)(struct registry_watch *watch);      /* may be NULL */
    void (*caught_up)(struct registry_watch *watch); /* may be NULL */
    void *ctx;
    void *impl;
};

struct registry_ops {
    void (*read)(struct registry *registry, struct registry_read *read);
    void (*change)(struct registry *registry, struct registry_change *change);
    void (*watch)(struct registry *registry, struct registry_watch *watch);
    void (*unwatch)(struct registry *registry,
                    struct registry_watch *watch); /* no call afterwards */
    /* Nobody is called any more for reads and changes under way with this ctx. */
    void (*forget)(struct registry *registry, const void *ctx);
};

struct registry {
    const struct registry_ops *ops; /* any of them may be called from done, changed, lost, ... */
    uint64_t deadline_ns, lease_ns;
};

#endif
