/* SPDX-License-Identifier: MIT
 *
 * systems_test.c: the two tables of systems say the same.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sim/run/system.h"

static void words_agree(void **state)
{
    const struct run_system *words = run_systems();
    size_t i = 0;
    (void)state;
    for (; systems[i]; i++) {
        assert_non_null(words[i].word);
        assert_string_equal(words[i].word, systems[i]->word);
        assert_string_equal(words[i].text, systems[i]->text);
    }
    assert_null(words[i].word);
    assert_true(i >= 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(words_agree)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
