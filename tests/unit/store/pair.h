/* SPDX-License-Identifier: MIT
 *
 * pair.h: two stores of one volume: what is committed to the one is shipped to the other. `to` is
 * compared with the model of `from`.
 */
#ifndef PACTFS_TEST_STORE_PAIR_H
#define PACTFS_TEST_STORE_PAIR_H

#include "core/store/replicate.h"
#include "world.h"

#define PAIR_RECORD (2u << 20)

/* What is done to `to` by a repair: keys replaced by what `from` had, or gone; the end. */
enum act { ACT_ADOPT, ACT_ABSENT, ACT_END };

struct pair {
    struct world from, to;
    void (*acted)(struct pair *p, enum act act, const struct object_key *keys, uint32_t count);
    bool hold; /* records are kept, not shipped */
    /* the last record */
    struct stamp before, stamp;
    uint8_t *head, *payload; /* PAIR_RECORD bytes each */
    size_t head_len, payload_len;
};

void pair_new(struct pair *p, uint64_t seed);
void pair_free(struct pair *p);
/* Opens both over their disks; or the one. */
void pair_open(struct pair *p);
void pair_open_from(struct pair *p);
void pair_open_to(struct pair *p);
void pair_commits(struct pair *p, uint32_t n);
/* Gives the last record to `to`. */
void pair_ship(struct pair *p);
/* Reads the log of `from` behind what `to` has, and gives it that; what the tail answered. */
enum err pair_catch_up(struct pair *p, uint32_t most_bytes);
/* Makes `to` what `from` is at its last stamp, by comparing leaves of `leaf` objects. False: the
 * power failed. */
bool pair_repair(struct pair *p, uint32_t leaf);
/* Asserts that digests of both are equal, leaf by leaf. */
void pair_digests_equal(struct pair *p);
/* Asserts that both equal the model. */
void pair_same(struct pair *p);

#endif
