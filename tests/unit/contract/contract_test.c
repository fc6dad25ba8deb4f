/* SPDX-License-Identifier: MIT
 *
 * contract_test.c: what is a contract, what is not, and that the promise names what matters.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/contract/contract.h"
#include "core/contract/explain.h"
#include "core/contract/nearest.h"

static enum err parse(const char *text, struct contract_fault *fault)
{
    struct contract c;
    memset(fault, 0, sizeof *fault);
    return contract_parse((struct bytes){(const uint8_t *)text, strlen(text)}, &c, fault);
}

static void accepts(void **state)
{
    (void)state;
    static const char *const legal[] = {
        "",
        "\n\n# nothing\n",
        "preset = local",
        "preset=local\r\n",
        "  preset\t=  local  # the one there is\nversions = none\nshare = unix\n",
        "replicate = primary\n",
    };
    struct contract_fault fault;
    for (size_t i = 0; i < sizeof legal / sizeof *legal; i++)
        assert_int_equal(parse(legal[i], &fault), OK);
}

static void refuses(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint32_t line;
        const char *says;
    } illegal[] = {
        {"preset = strong", 1, "'preset = local'"},
        {"\n\npreset = mirror", 3, "one copy"},
        {"replicate = quorum", 1, "'replicate = primary'"},
        {"prest = local", 1, "did you mean 'preset'"},
        {"colour = blue", 1, "the keys are"},
        {"preset = local\nfailover = 2s", 2, "leave the line out"},
        {"share = unix\nshare = unix", 2, "twice"},
        {"share = unix\npreset = local", 2, "first"},
        {"preset", 1, "KEY = VALUE"},
        {"= local", 1, "letters"},
        {"preset =", 1, "letters"},
        {"preset = l\001cal", 1, "printable"},
        {"preset = l\xc3\xb6kal", 1, "printable"},
    };
    struct contract_fault fault;
    for (size_t i = 0; i < sizeof illegal / sizeof *illegal; i++) {
        assert_int_equal(parse(illegal[i].text, &fault), ERR_CONTRACT);
        assert_int_equal(fault.line, illegal[i].line);
        if (!strstr(fault.text, illegal[i].says))
            fail_msg("'%s' says: %s", illegal[i].text, fault.text);
    }
}

static void refuses_hostile(void **state)
{
    (void)state;
    static char big[CONTRACT_TEXT_MAX + 1];
    struct contract_fault fault;
    memset(big, '\n', sizeof big);
    struct contract c;
    assert_int_equal(contract_parse((struct bytes){(uint8_t *)big, sizeof big}, &c, &fault),
                     ERR_CONTRACT);
    assert_int_equal(contract_parse((struct bytes){(uint8_t *)big, sizeof big - 1}, &c, &fault),
                     OK);
    memset(big, 'a', 1000);
    big[500] = '=';
    assert_int_equal(contract_parse((struct bytes){(uint8_t *)big, 1000}, &c, &fault),
                     ERR_CONTRACT);
    assert_int_equal(contract_parse((struct bytes){(const uint8_t *)"a\0b = c", 7}, &c, &fault),
                     ERR_CONTRACT);
}

static void round_trip(void **state)
{
    (void)state;
    char text[1024];
    struct contract a = contract_default(), b;
    struct contract_fault fault;
    size_t len = contract_print(&a, text, sizeof text);
    assert_int_equal(len, strlen(text));
    assert_int_equal(contract_parse((struct bytes){(uint8_t *)text, len}, &b, &fault), OK);
    assert_memory_equal(&a, &b, sizeof a);
}

static void nearest(void **state)
{
    (void)state;
    static const char *const words[] = {"up", "down", "status", "scrub", NULL};
    assert_string_equal(nearest_word("statsu", words), "status");
    assert_string_equal(nearest_word("scrb", words), "scrub");
    assert_string_equal(nearest_word("u", words), "up");
    assert_null(nearest_word("elephant", words));
    assert_null(nearest_word("", words));
}

struct heard {
    char all[8192];
    uint32_t topics;
    enum explain_topic last;
};

static void hear(void *ctx, enum explain_topic topic, const char *sentence)
{
    struct heard *h = ctx;
    assert_true(topic >= h->last);
    assert_true(sentence[strlen(sentence) - 1] == '.');
    h->last = topic;
    h->topics |= UINT32_C(1) << topic;
    strncat(h->all, sentence, sizeof h->all - strlen(h->all) - 1);
    strncat(h->all, "\n", sizeof h->all - strlen(h->all) - 1);
}

static void explains_state(void **state)
{
    (void)state;
    static struct heard h;
    struct contract c = contract_default();
    struct explain_state s = {.unsynced_ms = 1000,
                              .dirty_expire_ms = 30000,
                              .dirty_writeback_ms = 5000,
                              .writeback = true,
                              .running = true,
                              .mount = "/m",
                              .full = true,
                              .failed = true,
                              .problems = 3};
    memset(&h, 0, sizeof h);
    explain(&c, &s, hear, &h);
    assert_int_equal(h.topics, (1u << EXPLAIN_TOPICS) - 1);
    static const char *const must[] = {"fsync", "30 s", "5 s",           "at most 1 s", "syncfs",
                                       "/m",    "full", "disk reported", "3 damaged"};
    for (size_t i = 0; i < sizeof must / sizeof *must; i++)
        if (!strstr(h.all, must[i]))
            fail_msg("never says '%s' in:\n%s", must[i], h.all);
}

static void explains_only_what_holds(void **state)
{
    (void)state;
    static struct heard h;
    struct contract c = contract_default();
    struct explain_state s = {.unsynced_ms = 500, .dirty_expire_ms = 30000};
    memset(&h, 0, sizeof h);
    explain(&c, &s, hear, &h);
    assert_null(strstr(h.all, "page cache until")); /* nothing is held back without write-back */
    assert_null(strstr(h.all, "mounted at"));
    assert_non_null(strstr(h.all, "500 ms"));
    assert_non_null(strstr(h.all, "not running"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accepts),
        cmocka_unit_test(refuses),
        cmocka_unit_test(refuses_hostile),
        cmocka_unit_test(round_trip),
        cmocka_unit_test(nearest),
        cmocka_unit_test(explains_state),
        cmocka_unit_test(explains_only_what_holds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
