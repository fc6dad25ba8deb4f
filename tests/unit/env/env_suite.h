/* SPDX-License-Identifier: MIT
 *
 * env_suite.h: the one set of tests that every implementation of env.h must pass.
 */
#ifndef PACTFS_TESTS_ENV_SUITE_H
#define PACTFS_TESTS_ENV_SUITE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/env/env.h"

/* What a test works in: an env, an empty directory, and a way to let events happen. */
struct world {
    struct env *env;
    const char *dir;
    /* Runs events until wanted(ctx) or nothing more can happen; says which. */
    bool (*run_until)(struct world *world, bool (*wanted)(void *ctx), void *ctx);
    void *impl;
};

/* In cmocka's state pointer; each test starts with an empty directory. */
extern const struct CMUnitTest *const env_suite;
extern const size_t env_suite_count;

/* Each implementation makes and ends a world for one test. */
int world_setup(void **state);
int world_teardown(void **state);

#endif
