/* SPDX-License-Identifier: MIT
 *
 * chance.h: chance that is the same for the same seed, on every machine and compiler.
 *
 * xoshiro256** (Blackman and Vigna 2018), seeded by splitmix64. Integers only.
 */
#ifndef PACTFS_BASE_CHANCE_H
#define PACTFS_BASE_CHANCE_H

#include <stdbool.h>
#include <stdint.h>

struct chance {
    uint64_t s[4];
};

#define CHANCE_MEAN_MAX (UINT64_C(1) << 55)

void chance_seed(struct chance *c, uint64_t seed);
uint64_t chance_next(struct chance *c);
/* Uniform in [0, n); n > 0. */
uint32_t chance_below(struct chance *c, uint32_t n);
bool chance_coin(struct chance *c);
/* Exponential with this mean (at most CHANCE_MEAN_MAX), cut at 20 means. */
uint64_t chance_exponential(struct chance *c, uint64_t mean);

#endif
