/* SPDX-License-Identifier: MIT
 *
 * suite.h: what registry.h promises, asked of a backend.
 */
#ifndef PACTFS_TESTS_REGISTRY_SUITE_H
#define PACTFS_TESTS_REGISTRY_SUITE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <uv.h>

#include "core/registry/registry.h"

/* Two users of one registry; the same one for a backend that has only one. Between tests it is
 * empty. */
struct world {
    uv_loop_t loop;
    struct registry *a, *b;
    char dir[64];
    void *more; /* the backend's */
};

extern const struct CMUnitTest registry_suite[];
extern const size_t registry_suite_count;

/* --- asking and waiting --- */

/* Runs the loop until *flag; fails after `seconds`. */
void wait_for(struct world *w, const bool *flag, unsigned seconds);
/* Runs the loop for so long. */
void run_for(struct world *w, unsigned ms);

/* One change, waited for; its error. *revision may be NULL. */
enum err put(struct world *w, struct registry *registry, const char *key, const char *value,
             uint64_t *revision);
enum err put_if(struct world *w, struct registry *registry, const char *key, const char *value,
                uint64_t condition);
enum err delete_key(struct world *w, struct registry *registry, const char *key);
enum err change_all(struct world *w, struct registry *registry, struct registry_change *change);

/* The value of one key, "" when it is not there; revision 0 then. */
struct got {
    enum err err;
    char value[256];
    size_t len, count;
    uint64_t revision, all;
};
struct got get(struct world *w, struct registry *registry, const char *key);
/* How many keys begin so. */
size_t count_of(struct world *w, struct registry *registry, const char *prefix);
void delete_all(struct world *w, struct registry *registry);

/* --- watching --- */

/* A watch that writes down what it is told: "+key=value " or "-key ", "lost ", "here ". */
struct witness {
    struct registry_watch watch;
    char text[8192];
    size_t len;
    uint64_t last; /* revision; they may not fall but after `lost` */
    unsigned events, losses;
    bool here;
};
void witness_begin(struct witness *witness, struct registry *registry, const char *prefix);
/* Runs the loop until `text` was told, at the end; fails after five seconds. */
void witness_expect(struct world *w, const struct witness *witness, const char *text);

#endif
