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
#include "core/contract/duration.h"
#include "core/contract/explain.h"
#include "core/contract/nearest.h"
#include "core/group/view.h"

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
        "preset = local\nreplicas = 1",
        "preset = strong",
        "preset = strong\nreplicas = 16\nleast = 16\nread = one\naccess = remote",
        "preset = strong\nfailover = 500ms\nreplace = 500ms",
        "preset = strong\nfailover = 300s\nreplace = never",
        "preset = strong\nleast = 5\nreplicas = 5",
    };
    struct contract_fault fault;
    for (size_t i = 0; i < sizeof legal / sizeof *legal; i++)
        if (parse(legal[i], &fault) != OK)
            fail_msg("'%s' says: %s", legal[i], fault.text);
}

static void refuses(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint32_t line;
        const char *says;
    } illegal[] = {
        {"preset = stron", 1, "'preset = strong'"},
        {"preset = elephant", 1, "'preset = local'"},
        {"\n\npreset = mirror", 3, "known and not built yet"},
        {"preset = mirror", 1, "'preset = strong'"},
        {"replicate = quorum", 1, "'replicate = primary'"},
        {"preset = strong\nreplicate = gossip", 2, "known and not built yet"},
        {"replicas = 3", 1, "preset strong keeps several"},
        {"preset = strong\nreplicas = 1", 2, "preset = local"},
        {"preset = strong\nreplicas = 0", 2, "'replicas = 2'"},
        {"preset = strong\nreplicas = 17", 2, "'replicas = 16'"},
        {"preset = strong\nreplicas = two", 2, "whole number"},
        {"preset = strong\nreplicas = -3", 2, "whole number"},
        {"preset = strong\nreplicas = 4294967299", 2, "whole number"},
        {"preset = strong\nleast = 4", 2, "'least = 3'"},
        {"preset = strong\nleast = 3\n\nreplicas = 2", 2, "'least = 2'"},
        {"preset = strong\nleast = 0", 2, "'least = 1'"},
        {"preset = strong\nread = on", 2, "'read = one'"},
        {"preset = strong\nread = quorum", 2, "'read = primary'"},
        {"preset = strong\nwrite = all", 2, "known and not built yet"},
        {"preset = strong\naccess = cache", 2, "'access = remote'"},
        {"preset = strong\ncache = write-back", 2, "leave it out"},
        {"preset = strong\nfailover = 499ms", 2, "'failover = 500ms'"},
        {"preset = strong\nfailover = 301s", 2, "'failover = 5m'"},
        {"preset = strong\nfailover = 2", 2, "duration"},
        {"preset = strong\nfailover = 2 s", 2, "duration"},
        {"preset = strong\nfailover = never", 2, "duration"},
        {"preset = strong\nreplace = soon", 2, "never"},
        {"preset = strong\nreplace = 0s", 2, "'replace = 10m'"},
        {"preset = strong\nreplace = 9000h", 2, "duration"},
        {"preset = strong\nfailover = 10s\nreplace = 5s", 3, "'replace = 10s'"},
        {"preset = strong\nreplace = 1s", 2, "'replace = 2s'"},
        {"preset = strong\nvotes = 3", 2, "leave it out"},
        {"least = 1", 1, "leave it out"},
        {"prest = local", 1, "did you mean 'preset'"},
        {"colour = blue", 1, "the keys are"},
        {"preset = local\nfailover = 2s", 2, "leave it out"},
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

static void same(const struct contract *a, const struct contract *b)
{
    assert_int_equal(a->preset, b->preset);
    assert_int_equal(a->read, b->read);
    assert_int_equal(a->replicas, b->replicas);
    assert_int_equal(a->least, b->least);
    assert_int_equal(a->failover_ns, b->failover_ns);
    assert_int_equal(a->replace_ns, b->replace_ns);
}

static void comes_back(const struct contract *a)
{
    char text[CONTRACT_PRINT_MAX];
    struct contract b;
    struct contract_fault fault;
    size_t len = contract_print(a, text, sizeof text);
    assert_int_equal(len, strlen(text));
    assert_int_equal(contract_parse((struct bytes){(uint8_t *)text, len}, &b, &fault), OK);
    same(a, &b);
}

static void round_trip(void **state)
{
    (void)state;
    struct contract c = contract_default();
    comes_back(&c);
    c = contract_of(PRESET_STRONG);
    comes_back(&c);
    c.replicas = 7;
    c.least = 1;
    c.read = READ_ONE;
    c.failover_ns = 2500 * DURATION_MS;
    c.replace_ns = 0;
    comes_back(&c);
    c.replace_ns = DURATION_MAX;
    comes_back(&c);
}

static void presets(void **state)
{
    (void)state;
    struct contract c = contract_of(PRESET_STRONG);
    enum contract_preset preset;
    assert_int_equal(c.replicas, 3);
    assert_int_equal(c.least, 2);
    assert_int_equal(c.failover_ns, UINT64_C(2000000000));
    assert_int_equal(c.replace_ns, UINT64_C(600000000000));
    assert_int_equal(c.read, READ_PRIMARY);
    for (unsigned i = 1; i <= GROUP_MAX; i++)
        assert_int_equal(contract_default_least(i), i - i / 2);
    assert_true(contract_preset_find("strong", &preset) && preset == PRESET_STRONG);
    assert_false(contract_preset_find("mirror", &preset));
}

static enum err compose(const char *text, const char *const *words, struct contract *c,
                        struct contract_fault *fault)
{
    memset(fault, 0, sizeof *fault);
    return contract_compose((struct bytes){(const uint8_t *)text, strlen(text)}, words, c, fault);
}

/* Words of the command line take the place of the file's lines. */
static void composes(void **state)
{
    (void)state;
    struct contract c;
    struct contract_fault fault;
    static const char *const two[] = {"replicas=2", "failover = 1s", NULL};
    assert_int_equal(compose("preset = strong\nreplicas = 5\n", two, &c, &fault), OK);
    assert_int_equal(c.replicas, 2);
    assert_int_equal(c.least, 1);
    assert_int_equal(c.failover_ns, DURATION_S);
    static const char *const preset[] = {"preset=strong", "least=1", NULL};
    assert_int_equal(compose("", preset, &c, &fault), OK);
    assert_int_equal(c.preset, PRESET_STRONG);
    assert_int_equal(c.least, 1);
    /* What the text says counts with the words: least stays. */
    assert_int_equal(compose("preset = strong\nleast = 3", two, &c, &fault), ERR_CONTRACT);
    assert_non_null(strstr(fault.text, "'least = 2'"));
    assert_int_equal(fault.line, 2);
}

static void refuses_words(void **state)
{
    (void)state;
    static const struct {
        const char *text, *words[3], *says;
    } illegal[] = {
        {"preset = strong", {"preset=strong"}, "first key"},
        {"", {"replicas=2", "preset=strong"}, "several"},
        {"preset = strong", {"replicas=2", "replicas=3"}, "twice"},
        {"preset = strong", {"replicas"}, "KEY=VALUE"},
        {"preset = strong", {"=2"}, "letters"},
        {"preset = strong", {""}, "KEY=VALUE"},
        {"preset = strong", {"replica=2"}, "did you mean 'replicas'"},
        {"preset = strong", {"replicas=2\nread=one"}, "printable"},
    };
    struct contract_fault fault;
    struct contract c;
    for (size_t i = 0; i < sizeof illegal / sizeof *illegal; i++) {
        assert_int_equal(compose(illegal[i].text, illegal[i].words, &c, &fault), ERR_CONTRACT);
        assert_int_equal(fault.line, 0);
        if (!strstr(fault.text, illegal[i].says))
            fail_msg("case %zu says: %s", i, fault.text);
    }
    const char *many[CONTRACT_WORDS_MAX + 2];
    for (size_t i = 0; i <= CONTRACT_WORDS_MAX; i++)
        many[i] = "read=one";
    many[CONTRACT_WORDS_MAX + 1] = NULL;
    assert_int_equal(compose("preset = strong", many, &c, &fault), ERR_CONTRACT);
}

static void changes(void **state)
{
    (void)state;
    struct contract_fault fault;
    struct contract before = contract_of(PRESET_STRONG), after = before;
    after.replicas = 5;
    after.least = 1;
    after.read = READ_ONE;
    after.replace_ns = 0;
    assert_int_equal(contract_change_legal(&before, &after, &fault), OK);
    after.failover_ns *= 2;
    assert_int_equal(contract_change_legal(&before, &after, &fault), ERR_CONTRACT);
    assert_non_null(strstr(fault.text, "'failover'"));
    after = contract_default();
    assert_int_equal(contract_change_legal(&before, &after, &fault), ERR_CONTRACT);
    assert_non_null(strstr(fault.text, "'preset'"));
}

static void durations(void **state)
{
    (void)state;
    static const struct {
        const char *text, *prints;
        uint64_t ms;
    } good[] = {{"500ms", "500ms", 500},   {"2s", "2s", 2000},       {"1000ms", "1s", 1000},
                {"90s", "90s", 90000},     {"60s", "1m", 60000},     {"0s", "0ms", 0},
                {"1h", "1h", 3600000},     {"24h", "24h", 86400000}, {"007s", "7s", 7000},
                {"1500ms", "1500ms", 1500}};
    static const char *const bad[] = {"",    "s",  "5",   "5 s",  "-1s",   "1.5s",        "1d",
                                      "1S",  "s1", "1ss", "1ms ", "0x1s",  "+1s",         "8785h",
                                      "1hm", "m",  "1 h", "1\n",  "1e3ms", "9999999999ms"};
    char buf[DURATION_TEXT_MAX];
    uint64_t ns;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_true(duration_parse(good[i].text, &ns));
        assert_int_equal(ns, good[i].ms * DURATION_MS);
        assert_string_equal(duration_print(ns, buf), good[i].prints);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (duration_parse(bad[i], &ns))
            fail_msg("'%s' passes", bad[i]);
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

static const char *tell(const struct contract *c, const struct explain_state *s, struct heard *h)
{
    memset(h, 0, sizeof *h);
    explain(c, s, hear, h);
    assert_int_equal(h->topics, (1u << EXPLAIN_TOPICS) - 1);
    assert_true(strlen(h->all) + 600 < sizeof h->all);
    return h->all;
}

static void says(const char *all, const char *const *must, const char *const *never)
{
    for (; *must; must++)
        if (!strstr(all, *must))
            fail_msg("never says '%s' in:\n%s", *must, all);
    for (; *never; never++)
        if (strstr(all, *never))
            fail_msg("says '%s' in:\n%s", *never, all);
}

static void explains_strong(void **state)
{
    (void)state;
    static struct heard h;
    struct contract c = contract_of(PRESET_STRONG);
    struct explain_state s = {.running = false, .patience_ms = 600000};
    says(tell(&c, &s, &h),
         (const char *[]){"linearisable", "any 2 of them", "least = 2", "within 2s", "800ms", "1s",
                          "on 2 disks at least", "Up to 1 replica may", "10m",
                          "wait for 10m at most", "mmap", "Nothing is known", NULL},
         (const char *[]){"sequentially", "least = 1", NULL});
    c.read = READ_ONE;
    c.replicas = 2;
    c.least = 1;
    c.replace_ns = 0;
    c.failover_ns = 500 * DURATION_MS;
    says(tell(&c, &s, &h),
         (const char *[]){"sequentially consistent, not linearisable", "either may be lost",
                          "one copy alone takes changes", "500ms", "not replaced by itself",
                          "a copy that is behind", NULL},
         (const char *[]){"latest write", "operations are linearisable", "spare node, if", NULL});
    c.replicas = c.least = 5;
    says(tell(&c, &s, &h),
         (const char *[]){"any 4 of them", "on 5 disks", "wait while any replica is away", NULL},
         (const char *[]){"may fail or stop", "replicas may fail", NULL});
}

static void explains_strong_now(void **state)
{
    (void)state;
    static struct heard h;
    struct contract c = contract_of(PRESET_STRONG);
    struct explain_replica replicas[] = {
        {.node = "alpha", .part = "primary"},
        {.node = "beta", .part = "joining", .lag_bytes = 7 << 20, .repair_left_ms = 90000},
        {.node = "gamma", .part = "away", .away_ms = 7200000}};
    struct explain_state s = {.running = true,
                              .view = 9,
                              .serves = true,
                              .replicas = replicas,
                              .replica_count = 3,
                              .problems = 4};
    says(tell(&c, &s, &h),
         (const char *[]){"changes wait, because the view has 1 member and least = 2",
                          "alpha is the primary",
                          "beta is being brought up to date: 7 MiB, about "
                          "90 s",
                          "gamma has been away for 2 h", "registry is out of reach",
                          "no spare node", "4 damaged", NULL},
         (const char *[]){"It answers", NULL});
    replicas[1].part = "backup";
    replicas[1].lag_ms = 3000;
    s.writes = s.registry = true;
    s.spares = 2;
    says(tell(&c, &s, &h),
         (const char *[]){"It answers. View 9 has 2 of 3", "beta is a backup, 3 s behind",
                          "2 spare nodes", NULL},
         (const char *[]){"changes wait, because", "out of reach", NULL});
    s.serves = false;
    says(tell(&c, &s, &h), (const char *[]){"no primary answers", NULL},
         (const char *[]){"It answers", NULL});
}

static void explains_briefly(void **state)
{
    (void)state;
    static struct heard h;
    struct contract c = contract_of(PRESET_STRONG);
    struct explain_state s = {.unsynced_ms = 1000};
    memset(&h, 0, sizeof h);
    explain_brief(&c, &s, hear, &h);
    assert_non_null(strstr(h.all, "latest write"));
    assert_non_null(strstr(h.all, "at least 2 of 3"));
    assert_non_null(strstr(h.all, "at most 2s"));
    c.least = 3;
    memset(&h, 0, sizeof h);
    explain_brief(&c, &s, hear, &h);
    assert_null(strstr(h.all, "at most 2s"));
    assert_non_null(strstr(h.all, "until it is back"));
    memset(&h, 0, sizeof h);
    c = contract_default();
    explain_brief(&c, &s, hear, &h);
    assert_non_null(strstr(h.all, "One copy"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accepts),          cmocka_unit_test(refuses),
        cmocka_unit_test(refuses_hostile),  cmocka_unit_test(round_trip),
        cmocka_unit_test(presets),          cmocka_unit_test(composes),
        cmocka_unit_test(refuses_words),    cmocka_unit_test(changes),
        cmocka_unit_test(durations),        cmocka_unit_test(nearest),
        cmocka_unit_test(explains_state),   cmocka_unit_test(explains_only_what_holds),
        cmocka_unit_test(explains_strong),  cmocka_unit_test(explains_strong_now),
        cmocka_unit_test(explains_briefly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
