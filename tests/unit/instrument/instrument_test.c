/* SPDX-License-Identifier: MIT
 *
 * instrument_test.c: names, counts and their text form; and that a mutant changes what the core
 * does, when it is on and not before.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/store/frame.h"
#include "core/txn/workspace.h"
#include "instrument/instrument.h"

static void test_names(void **state)
{
    (void)state;
    for (unsigned i = 1; i < MUTANT_COUNT; i++) {
        enum mutant mutant = (enum mutant)i;
        assert_int_equal(mutant_find(mutant_name(mutant)), mutant);
        assert_null(strpbrk(mutant_text(mutant), "\"\\\n"));
    }
    for (unsigned i = 0; i < MARK_COUNT; i++) {
        assert_null(strpbrk(mark_text((enum mark)i), "\"\\\n"));
        assert_null(strpbrk(mark_name((enum mark)i), " \n"));
    }
    assert_int_equal(mutant_find("no_such_mutant"), MUTANT_NONE);
    assert_int_equal(mutant_find(""), MUTANT_NONE);
    assert_null(mutant_name(MUTANT_NONE));
    assert_null(mutant_name(MUTANT_COUNT));
    assert_null(mark_name(MARK_COUNT));
}

static void test_counts_are_merged(void **state)
{
    (void)state;
    char text[MARKS_TEXT_MAX];
    marks_clear();
    MARK(log_full);
    MARK(log_full);
    MARK(undone);
    size_t len = marks_save(text, sizeof text);
    assert_string_equal(text, "log_full 2\nundone 1\n");
    assert_int_equal(len, strlen(text));
    assert_true(marks_merge(text));
    assert_true(marks_merge("log_full 10\n"));
    assert_int_equal(mark_counts[MARK_log_full], 14);
    assert_int_equal(mark_counts[MARK_undone], 2);
    assert_true(marks_merge(""));
}

static void test_a_short_buffer_is_not_overrun(void **state)
{
    (void)state;
    marks_clear();
    MARK(log_full);
    MARK(undone);
    size_t len = strlen("log_full 1\nundone 1\n");
    for (size_t size = 0; size <= len; size++) {
        char *buf = malloc(size + 1);
        assert_non_null(buf);
        assert_int_equal(marks_save(size ? buf : NULL, size), len);
        if (size)
            assert_true(strlen(buf) < size);
        free(buf);
    }
}

static void test_bad_counts_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "log_full",      "log_full\n",  "log_full \n", "log_full 1", "log_full x\n",
        "log_full -1\n", "no_mark 1\n", " 1\n",        "\n",         "log_full 1 2\n",
    };
    marks_clear();
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(marks_merge(bad[i]));
    assert_int_equal(mark_counts[MARK_log_full], 0);
    assert_false(marks_merge("undone 3\nlog_full\n"));
    assert_int_equal(mark_counts[MARK_undone], 3);
}

/* frame_unchecked: a record whose head was changed. */
static void test_a_mutant_is_a_bug_only_when_on(void **state)
{
    (void)state;
    uint8_t bytes[FRAME_SIZE + 8] = {0};
    struct frame frame = {.head_len = 8, .sequence = 7};
    frame_encode(&frame, bytes + FRAME_SIZE, 5, bytes);
    assert_true(frame_verify(bytes, &frame, 5));
    bytes[FRAME_SIZE + 3] = 1;
    assert_false(frame_verify(bytes, &frame, 5));
    mutant_on = MUTANT_frame_unchecked;
    assert_true(frame_verify(bytes, &frame, 5));
    mutant_on = MUTANT_log_skip_sync;
    assert_false(frame_verify(bytes, &frame, 5));
    mutant_on = MUTANT_NONE;
}

/* undone: a write that is taken back. */
static void test_the_core_counts(void **state)
{
    (void)state;
    struct workspace ws;
    ws_init(&ws);
    marks_clear();
    uint64_t mark = ws_mark(&ws);
    ws_rollback(&ws, mark);
    assert_int_equal(mark_counts[MARK_undone], 0);
    ws_put(&ws, (struct object_key){OBJECT_INODE, 4, 0}, (struct bytes){(const uint8_t *)"x", 1});
    ws_rollback(&ws, mark);
    assert_int_equal(mark_counts[MARK_undone], 1);
    ws_free(&ws);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_counts_are_merged),
        cmocka_unit_test(test_a_short_buffer_is_not_overrun),
        cmocka_unit_test(test_bad_counts_are_refused),
        cmocka_unit_test(test_a_mutant_is_a_bug_only_when_on),
        cmocka_unit_test(test_the_core_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
