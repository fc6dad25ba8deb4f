/* SPDX-License-Identifier: MIT
 *
 * versions_test.c: two versions understand each other: what the newer one adds, the older ignores;
 * what the older lacks, the newer does without.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "core/wire/message.h"
#include "version.h"

static void all_samples_pass(const struct codec *from, const struct codec *to)
{
    struct arena arena;
    struct bytes bytes;
    unsigned n = 0;
    arena_init(&arena);
    for (; from->encode(n, &arena, &bytes); n++) {
        struct codec_view view = to->decode(n, bytes, &arena);
        assert_int_equal(view.err, OK);
        assert_int_equal(view.version, from->version);
        assert_true(view.same);
        assert_int_equal(view.newest, from->version == 2 && to->version == 2 ? 2 : 0);
    }
    assert_true(n > 30);
    arena_free(&arena);
}

static void they_are_two(void **state)
{
    (void)state;
    struct arena arena;
    struct bytes one, two;
    arena_init(&arena);
    assert_int_equal(codec_1.version, 1);
    assert_int_equal(codec_2.version, 2);
    assert_true(codec_1.encode(0, &arena, &one) && codec_2.encode(0, &arena, &two));
    assert_true(two.len > one.len);
    arena_free(&arena);
}

static void the_older_reads_the_newer(void **state)
{
    (void)state;
    all_samples_pass(&codec_2, &codec_1);
}

static void the_newer_reads_the_older(void **state)
{
    (void)state;
    all_samples_pass(&codec_1, &codec_2);
}

static void each_reads_itself(void **state)
{
    (void)state;
    all_samples_pass(&codec_1, &codec_1);
    all_samples_pass(&codec_2, &codec_2);
}

static void the_older_counts_what_it_does_not_know(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena);
    struct bytes greeting = codec_2.greet(&arena);
    struct codec_view view = codec_1.decode(0, greeting, &arena);
    assert_int_equal(view.err, ERR_NOTSUP);
    assert_int_equal(view.version, 2);
    assert_true(view.kind > MESSAGE_ANSWER);
    view = codec_2.decode(0, greeting, &arena);
    assert_int_equal(view.err, OK);
    assert_int_equal(view.newest, 2);
    arena_free(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(they_are_two),
        cmocka_unit_test(the_older_reads_the_newer),
        cmocka_unit_test(the_newer_reads_the_older),
        cmocka_unit_test(each_reads_itself),
        cmocka_unit_test(the_older_counts_what_it_does_not_know),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
