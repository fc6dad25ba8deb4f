/* SPDX-License-Identifier: MIT
 *
 * damage.h: the damaged places of a store (damage.c).
 */
#ifndef PACTFS_STORE_DAMAGE_H
#define PACTFS_STORE_DAMAGE_H

#include "core/store/index_entry.h"

struct store;
struct store_sync;

struct damage_range {
    uint32_t segment;
    uint64_t from, end; /* bytes of its file */
    bool unreadable;    /* records: from the beginning of one to that of the next */
    bool referred;      /* by a version that was looked at */
};

/* In the order of places. */
struct damage {
    struct damage_range *items;
    uint32_t count, room;
    uint32_t discards;          /* segments that are to be cleaned because of it */
    struct store_sync *waiting; /* for that */
};

/* Adds a range behind all others. */
void damage_add(struct damage *damage, const struct damage_range *range);
void damage_free(struct damage *damage);
/* The range in which the place lies, or NULL. */
struct damage_range *damage_at(const struct damage *damage, struct place place);
/* Does the version lie in one, or in some? Notes so in the ranges. */
bool damage_refers(const struct damage *damage, const struct version *version);

/* A scrub found this and nothing else; takes it. */
void damage_found(struct store *store, struct damage *damage);
/* Cleaning what was given up has ended: the segments are gone, or they stay. */
void discard_end(struct store *store, enum err err);

#endif
