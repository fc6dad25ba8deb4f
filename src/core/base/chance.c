/* SPDX-License-Identifier: MIT
 *
 * chance.c: where simulated worlds and workloads get their chance from. Integers only, so that
 * every compiler and machine draws the same.
 */
#include "core/base/chance.h"

#include "core/base/assert.h"

static uint64_t rotate(uint64_t x, unsigned by)
{
    return (x << by) | (x >> (64 - by));
}

void chance_seed(struct chance *c, uint64_t seed)
{
    for (int i = 0; i < 4; i++) {
        uint64_t z = (seed += UINT64_C(0x9e3779b97f4a7c15));
        z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
        z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
        c->s[i] = z ^ (z >> 31);
    }
}

uint64_t chance_next(struct chance *c)
{
    uint64_t *s = c->s;
    uint64_t result = rotate(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate(s[3], 45);
    return result;
}

uint32_t chance_below(struct chance *c, uint32_t n)
{
    INVARIANT(n > 0);
    return (uint32_t)(((chance_next(c) >> 32) * n) >> 32);
}

bool chance_coin(struct chance *c)
{
    return chance_next(c) >> 63;
}

/* ln(1 + i/64) in units of 2^-32, rounded: printed by round(log(1 + i / 64) * 2**32) in Python. */
static const uint32_t logarithm[65] = {
    0x00000000, 0x03f81516, 0x07e0a6c4, 0x0bba2c7b, 0x0f851860, 0x1341d796, 0x16f0d28b, 0x1a926d3a,
    0x1e27076e, 0x21aefcfa, 0x252aa5f0, 0x289a56da, 0x2bfe60e1, 0x2f571204, 0x32a4b53a, 0x35e7929d,
    0x391fef8f, 0x3c4e0edc, 0x3f7230db, 0x428c938a, 0x459d72af, 0x48a507ef, 0x4ba38aec, 0x4e993156,
    0x51862f08, 0x546ab61d, 0x5746f6fd, 0x5a1b207a, 0x5ce75fdb, 0x5fabe0ee, 0x6268ce1b, 0x651e5071,
    0x67cc8fb3, 0x6a73b26a, 0x6d13ddef, 0x6fad3677, 0x723fdf1e, 0x74cbf9f8, 0x7751a813, 0x79d10987,
    0x7c4a3d7f, 0x7ebd623e, 0x812a952d, 0x8391f2e1, 0x85f39721, 0x884f9cf1, 0x8aa61e98, 0x8cf735a3,
    0x8f42faf4, 0x918986be, 0x93caf094, 0x96074f6a, 0x983eb99a, 0x9a7144ed, 0x9c9f069b, 0x9ec81354,
    0xa0ec7f42, 0xa30c5e11, 0xa527c2ee, 0xa73ec08e, 0xa9516933, 0xab5fceae, 0xad6a0262, 0xaf701549,
    0xb17217f8,
};

/* -ln(u) for u uniform in (0, 1), in units of 2^-32. u = m / 2^k with 1 <= m < 2, so it is k ln 2 -
 * ln m: k counts the random bits up to the first one that is set, and the bits behind it are m.
 * Between two entries of the table ln is taken for a straight line: at most 0.00003 off. */
static uint64_t negative_log(uint64_t random)
{
    unsigned zeros = random ? (unsigned)__builtin_clzll(random) : 63;
    uint32_t m = (uint32_t)((random << zeros << 1) >> 32);
    uint64_t low = logarithm[m >> 26], high = logarithm[(m >> 26) + 1];
    uint64_t ln_m = low + (((high - low) * (m & 0x3ffffff)) >> 26);
    return (zeros + 1) * (uint64_t)logarithm[64] - ln_m;
}

uint64_t chance_exponential(struct chance *c, uint64_t mean)
{
    INVARIANT(mean <= CHANCE_MEAN_MAX);
    if (!mean)
        return 0;
    uint64_t times = negative_log(chance_next(c)) >> 8; /* in units of 2^-24: the product fits */
    if (times > UINT64_C(20) << 24)
        times = UINT64_C(20) << 24;
    return (mean >> 24) * times + (((mean & 0xffffff) * times) >> 24);
}
