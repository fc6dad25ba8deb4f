/* SPDX-License-Identifier: MIT
 *
 * refs.h: how often a kernel knows each inode, 24 bytes an inode.
 *
 * An open-addressing table from inode number to a count and a mark. Inode 0 is the empty place.
 */
#ifndef PACTFS_AGENT_REFS_H
#define PACTFS_AGENT_REFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* More than one thread, or one that is not known. */
#define REF_SEVERAL UINT32_MAX

struct ref {
    uint64_t ino;        /* 0: empty */
    uint32_t count;      /* references: lookups not yet forgotten */
    uint32_t orphan : 1; /* the inode has no name left */
    uint32_t told : 31;  /* blocks in use as last told to the kernel, their low bits */
    uint32_t asker;      /* who was told of its attributes: 0, a thread, or REF_SEVERAL */
    uint32_t loser;      /* who took one of several names away and may not know yet; likewise */
};

struct refs {
    struct ref *table;
    uint32_t size; /* a power of two, or 0 */
    uint32_t used;
};

/* The entry of `ino`, or NULL. Valid until the next refs_add or refs_remove. */
struct ref *refs_find(const struct refs *refs, uint64_t ino);
/* The same, made with count 0 when it is not there. Never NULL; a table that cannot grow ends the
 * process. */
struct ref *refs_add(struct refs *refs, uint64_t ino);
/* Takes an entry out. */
void refs_remove(struct refs *refs, struct ref *ref);
void refs_free(struct refs *refs);
/* Asserts that every entry can be found and that the counts are right; slow; for tests. */
void refs_check(const struct refs *refs);

#endif
