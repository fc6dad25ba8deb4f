/* SPDX-License-Identifier: MIT
 *
 * refs_test.c: the table of references against a plain array.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/agent/refs.h"

#define INODES 5000u

static uint64_t next(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static void same_as_array(const struct refs *refs, const uint32_t *model)
{
    uint32_t known = 0;
    for (uint32_t ino = 1; ino < INODES; ino++) {
        const struct ref *ref = refs_find(refs, ino);
        assert_int_equal(ref ? ref->count : 0, model[ino]);
        known += model[ino] > 0;
    }
    assert_int_equal(refs->used, known);
    refs_check(refs);
}

static void behaves_as_an_array(void **state)
{
    (void)state;
    static uint32_t model[INODES];
    struct refs refs = {0};
    uint64_t chance = 88172645463325252u;
    for (uint32_t step = 0; step < 200000; step++) {
        /* Phases of growing and shrinking, so that the table is resized both ways. */
        uint64_t ino = 1 + next(&chance) % (INODES - 1);
        bool add = next(&chance) % 100 < ((step / 20000) % 2 ? 20u : 80u);
        if (add) {
            refs_add(&refs, ino)->count++;
            model[ino]++;
        } else if (model[ino]) {
            struct ref *ref = refs_find(&refs, ino);
            assert_non_null(ref);
            if (--ref->count == 0)
                refs_remove(&refs, ref);
            model[ino]--;
        }
        if (step % 10000 == 0)
            same_as_array(&refs, model);
    }
    same_as_array(&refs, model);
    refs_free(&refs);
    memset(model, 0, sizeof model);
}

/* Everything goes in the order it came: the table has to become small again. */
static void shrinks(void **state)
{
    (void)state;
    struct refs refs = {0};
    for (uint64_t ino = 1; ino <= 100000; ino++)
        refs_add(&refs, ino)->count = 1;
    assert_true(refs.size >= 131072);
    for (uint64_t ino = 1; ino <= 100000; ino++)
        refs_remove(&refs, refs_find(&refs, ino));
    assert_int_equal(refs.used, 0);
    assert_true(refs.size <= 1024);
    refs_check(&refs);
    refs_free(&refs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(behaves_as_an_array),
        cmocka_unit_test(shrinks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
