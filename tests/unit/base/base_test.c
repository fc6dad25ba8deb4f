/* SPDX-License-Identifier: MIT
 *
 * base_test.c: arena, cursor, the table of errors, stamps.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/arena.h"
#include "core/base/bytes.h"
#include "core/base/err.h"
#include "core/base/stamp.h"

static void arena_gives_separate_aligned_memory(void **state)
{
    struct arena a;
    uint8_t *got[500];
    size_t size[500];
    (void)state;
    arena_init(&a);
    arena_reset(&a); /* of nothing */
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < 500; i++) {
            size[i] = i == 250 ? 1u << 20 : i % 97; /* one larger than a block; some empty */
            got[i] = arena_alloc(&a, size[i]);
            assert_non_null(got[i]);
            assert_int_equal((uintptr_t)got[i] % 16, 0);
            memset(got[i], (int)i, size[i]);
        }
        for (size_t i = 0; i < 500; i++)
            for (size_t k = 0; k < size[i]; k++)
                assert_int_equal(got[i][k], (uint8_t)i);
        uint8_t *zero = arena_zalloc(&a, 300);
        for (int k = 0; k < 300; k++)
            assert_int_equal(zero[k], 0);
        assert_string_equal(arena_copy(&a, "abc", 3), "abc");
        assert_string_equal(arena_copy(&a, NULL, 0), "");
        arena_reset(&a);
        assert_ptr_equal(arena_alloc(&a, 1), got[0]); /* the first block again */
        arena_reset(&a);
    }
    arena_free(&a);
    arena_free(&a);
}

static void cursor_round_trip(void **state)
{
    uint8_t buf[41] = {0};
    struct cursor c = cursor_over(buf, sizeof buf);
    (void)state;
    put_u8(&c, 0x12);
    put_u16(&c, 0x1234);
    put_u32(&c, 0x12345678);
    put_u64(&c, UINT64_C(0x123456789abcdef0));
    put_u32_be(&c, 0x12345678);
    put_u64_be(&c, UINT64_C(0x123456789abcdef0));
    put_bytes(&c, "0123456789abcd", 14);
    put_bytes(&c, NULL, 0);
    assert_false(c.bad);
    assert_int_equal(cursor_left(&c), 0);
    assert_memory_equal(buf, "\x12\x34\x12\x78\x56\x34\x12", 7);
    assert_memory_equal(buf + 15, "\x12\x34\x56\x78\x12\x34", 6);
    c = cursor_over(buf, sizeof buf);
    assert_int_equal(get_u8(&c), 0x12);
    assert_int_equal(get_u16(&c), 0x1234);
    assert_int_equal(get_u32(&c), 0x12345678);
    assert_true(get_u64(&c) == UINT64_C(0x123456789abcdef0));
    assert_int_equal(get_u32_be(&c), 0x12345678);
    assert_true(get_u64_be(&c) == UINT64_C(0x123456789abcdef0));
    assert_memory_equal(get_bytes(&c, 14), "0123456789abcd", 14);
    assert_false(c.bad);
}

static void cursor_stops_at_the_end_for_good(void **state)
{
    uint8_t buf[8] = {1, 2, 3, 4, 5, 6, 7, 8}, same[8];
    (void)state;
    memcpy(same, buf, 8);
    for (size_t len = 0; len < 8; len++) {
        struct cursor c = cursor_over(buf, len);
        assert_true(get_u64(&c) == 0);
        assert_true(c.bad);
        assert_int_equal(get_u8(&c), 0); /* sticky, though a byte is left */
        assert_null(get_bytes(&c, 0));
        assert_int_equal(cursor_left(&c), len);
        c = cursor_over(buf, len);
        put_u64(&c, 0);
        put_u8(&c, 0);
        put_bytes(&c, "xxxxxxxx", 8);
        assert_true(c.bad);
        assert_memory_equal(buf, same, 8);
    }
    struct cursor c = cursor_over(buf, 8);
    assert_null(get_bytes(&c, SIZE_MAX));
    assert_true(c.bad);
}

static void every_error_has_name_text_and_number(void **state)
{
    (void)state;
    assert_int_equal(err_errno(OK), 0);
    for (enum err e = (enum err)1; e < ERR_COUNT; e++) {
        assert_true(err_errno(e) > 0);
        assert_true(strlen(err_name(e)) >= 2);
        assert_true(strlen(err_text(e)) >= 6);
        for (enum err f = (enum err)1; f < e; f++) {
            assert_string_not_equal(err_name(e), err_name(f));
            assert_string_not_equal(err_text(e), err_text(f));
        }
    }
    assert_int_equal(err_errno(ERR_COUNT), EIO);
    assert_string_equal(err_name((enum err) - 1), "UNKNOWN");
    assert_non_null(err_text((enum err)10000));
}

static void errno_comes_back(void **state)
{
    (void)state;
    assert_int_equal(err_from_errno(0), OK);
    for (enum err e = ERR_NOENT; e <= ERR_TXTBSY; e++) {
        if (err_errno(e) == ENOSPC)
            continue; /* a full disk is meant when the system says so */
        assert_int_equal(err_from_errno(err_errno(e)), e);
    }
    assert_int_equal(err_from_errno(ENOSPC), ERR_NOSPC);
    assert_int_equal(err_from_errno(EDQUOT), ERR_NOSPC);
    assert_int_equal(err_from_errno(EROFS), ERR_READ_ONLY);
    assert_int_equal(err_from_errno(EAGAIN), ERR_AGAIN);
    assert_int_equal(err_from_errno(EINTR), ERR_AGAIN);
    assert_int_equal(err_from_errno(ENOMEM), ERR_NOMEM);
    assert_int_equal(err_from_errno(EIO), ERR_IO);
    assert_int_equal(err_from_errno(EBADF), ERR_IO);
    assert_int_equal(err_from_errno(123456), ERR_IO);
    for (int n = 1; n < 134; n++) {
        enum err e = err_from_errno(n);
        assert_true(e != OK && e < ERR_COUNT);
    }
}

static void stamps_grow_whatever_the_clock_does(void **state)
{
    struct hlc clock = {.last = {0, 7}};
    struct stamp last = clock.last;
    uint64_t wall = UINT64_C(1700000000000000000), seed = 1;
    (void)state;
    for (int i = 0; i < 100000; i++) {
        seed = seed * UINT64_C(6364136223846793005) + 1;
        uint64_t now = wall + seed % 2000000 - 1000000; /* a millisecond to and fro */
        if (seed >> 61 == 0)
            hlc_observe(&clock, (struct stamp){last.time + (seed >> 40 & 0xff), 9});
        struct stamp s = hlc_next(&clock, now);
        assert_true(stamp_compare(s, last) > 0);
        assert_int_equal(s.node, 7);
        assert_true(stamp_wall_ns(s) + 1000 > now);
        last = s;
    }
    hlc_observe(&clock, STAMP_ZERO); /* an old one changes nothing */
    assert_int_equal(stamp_compare(clock.last, last), 0);
}

static void stamps_order_and_print(void **state)
{
    char buf[64];
    struct hlc clock = {.last = {0, 3}};
    (void)state;
    assert_true(stamp_compare((struct stamp){1, 2}, (struct stamp){2, 1}) < 0);
    assert_true(stamp_compare((struct stamp){2, 2}, (struct stamp){2, 1}) > 0);
    assert_true(stamp_compare(STAMP_MAX, STAMP_MAX) == 0);
    hlc_next(&clock, UINT64_C(12000345000));
    struct stamp s = hlc_next(&clock, 0);
    assert_string_equal(stamp_print(s, buf, sizeof buf), "12.000345.1@3");
    assert_true(stamp_wall_ns(s) == UINT64_C(12000345000));
    assert_true(strlen(stamp_print(STAMP_MAX, buf, sizeof buf)) < sizeof buf - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arena_gives_separate_aligned_memory),
        cmocka_unit_test(cursor_round_trip),
        cmocka_unit_test(cursor_stops_at_the_end_for_good),
        cmocka_unit_test(every_error_has_name_text_and_number),
        cmocka_unit_test(errno_comes_back),
        cmocka_unit_test(stamps_grow_whatever_the_clock_does),
        cmocka_unit_test(stamps_order_and_print),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
