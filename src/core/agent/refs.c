/* SPDX-License-Identifier: MIT
 *
 * refs.c: linear probing with removal by moving back (Knuth, vol. 3, 6.4, algorithm R): no
 * tombstones, so a table that sees a million lookups and forgets stays as fast as it was.
 *
 * Law
 *   T1  From an entry's home place to where it is there is no empty place.
 *   T2  used <= 3/4 size; the table halves when used < size / 8.
 */
#include "core/agent/refs.h"

#include <stdlib.h>

#include "core/base/assert.h"

#define SIZE_FIRST 1024u

STATIC_ASSERT(sizeof(struct ref) == 24, "a million inodes take 24 MiB at most twice over");

static uint32_t home_of(const struct refs *refs, uint64_t ino)
{
    return (uint32_t)((ino * UINT64_C(0x9e3779b97f4a7c15)) >> 32) & (refs->size - 1);
}

struct ref *refs_find(const struct refs *refs, uint64_t ino)
{
    if (!refs->size)
        return NULL;
    for (uint32_t at = home_of(refs, ino); refs->table[at].ino; at = (at + 1) & (refs->size - 1))
        if (refs->table[at].ino == ino)
            return &refs->table[at];
    return NULL;
}

static struct ref *place(struct refs *refs, uint64_t ino)
{
    uint32_t at = home_of(refs, ino);
    while (refs->table[at].ino)
        at = (at + 1) & (refs->size - 1);
    return &refs->table[at];
}

static void resize(struct refs *refs, uint32_t size)
{
    struct refs old = *refs;
    INVARIANT(size > old.used && (size & (size - 1)) == 0);
    refs->table = calloc(size, sizeof *refs->table);
    INVARIANT(refs->table != NULL);
    refs->size = size;
    for (uint32_t i = 0; i < old.size; i++)
        if (old.table[i].ino)
            *place(refs, old.table[i].ino) = old.table[i];
    free(old.table);
}

struct ref *refs_add(struct refs *refs, uint64_t ino)
{
    INVARIANT(ino != 0);
    struct ref *ref = refs_find(refs, ino);
    if (ref)
        return ref;
    if (!refs->size)
        resize(refs, SIZE_FIRST);
    else if (refs->used + 1 > refs->size / 4 * 3)
        resize(refs, refs->size * 2);
    ref = place(refs, ino);
    *ref = (struct ref){.ino = ino};
    refs->used++;
    return ref;
}

void refs_remove(struct refs *refs, struct ref *ref)
{
    INVARIANT(refs->used > 0 && ref->ino != 0);
    uint32_t mask = refs->size - 1, hole = (uint32_t)(ref - refs->table);
    for (uint32_t at = (hole + 1) & mask; refs->table[at].ino; at = (at + 1) & mask) {
        uint32_t home = home_of(refs, refs->table[at].ino);
        /* It may move into the hole unless its home lies behind the hole, up to where it is. */
        if (((at - home) & mask) >= ((at - hole) & mask)) {
            refs->table[hole] = refs->table[at];
            hole = at;
        }
    }
    refs->table[hole] = (struct ref){0};
    refs->used--;
    if (refs->size > SIZE_FIRST && refs->used < refs->size / 8)
        resize(refs, refs->size / 2);
}

void refs_free(struct refs *refs)
{
    free(refs->table);
    *refs = (struct refs){0};
}

void refs_check(const struct refs *refs)
{
    uint32_t used = 0;
    for (uint32_t i = 0; i < refs->size; i++) {
        if (!refs->table[i].ino)
            continue;
        used++;
        INVARIANT(refs_find(refs, refs->table[i].ino) == &refs->table[i]);
    }
    INVARIANT(used == refs->used);
    INVARIANT(refs->size == 0 || used <= refs->size / 4 * 3);
}
