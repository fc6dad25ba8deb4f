/* SPDX-License-Identifier: MIT
 *
 * intern.h: equal things get equal numbers. A thing is two 64-bit words; the first is number 0.
 *
 * Zero a table to begin; intern_free to end. Running out of memory ends the process: the searches
 * that fill these tables watch intern_bytes.
 */
#ifndef PACTFS_CHECK_INTERN_H
#define PACTFS_CHECK_INTERN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define INTERN_NONE UINT32_MAX

struct intern_thing {
    uint64_t a, b;
};

struct intern {
    struct intern_thing *things; /* by number */
    uint32_t count, room;
    uint32_t *places; /* number + 1, or 0: an open hash table of `mask` + 1 places */
    uint32_t mask;
};

/* The number of (a, b); `fresh`, when not NULL, says whether it is new. */
uint32_t intern(struct intern *table, uint64_t a, uint64_t b, bool *fresh);
/* The number, or INTERN_NONE. */
uint32_t intern_find(const struct intern *table, uint64_t a, uint64_t b);
void intern_clear(struct intern *table); /* keeps the memory */
void intern_free(struct intern *table);
size_t intern_bytes(const struct intern *table);

/* A bijection of 64-bit words whose results look like chance (the last step of splitmix64). */
static inline uint64_t intern_mix(uint64_t z)
{
    z += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

#endif
