/* SPDX-License-Identifier: MIT
 *
 * history_file_test.c: what is written is read as the same; what is wrong is refused with its
 * place; what is cut off is read as far as it goes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "io/history/history_file.h"
#include "random_history.h"

#define HEAD "{\"pactfs-history\":1}\n"

static enum err decode(const char *text, struct history_file *file, struct history_fault *fault)
{
    return history_file_decode((struct bytes){(const uint8_t *)text, strlen(text)}, file, fault);
}

static struct history_file good(const char *text)
{
    struct history_file file;
    struct history_fault fault;
    if (decode(text, &file, &fault) != OK)
        fail_msg("%llu:%llu: %s", (unsigned long long)fault.line, (unsigned long long)fault.column,
                 fault.text);
    return file;
}

/* --- write, then read --- */

static char *written(const struct history_file *file, size_t *len)
{
    char *text = NULL;
    FILE *out = open_memstream(&text, len);
    assert_non_null(out);
    assert_int_equal(history_file_write(file, out), OK);
    fclose(out);
    return text;
}

static void same_value(const struct history *a, uint32_t x, const struct history *b, uint32_t y)
{
    assert_int_equal(x == VALUE_NONE, y == VALUE_NONE);
    assert_string_equal(history_text(a, x), history_text(b, y));
}

static void same_act(const struct history *a, const struct history_act *x, const struct history *b,
                     const struct history_act *y)
{
    assert_int_equal(x->code, y->code);
    assert_int_equal(x->known, y->known);
    assert_int_equal(x->fault, y->fault);
    assert_int_equal(x->count, y->count);
    same_value(a, x->value, b, y->value);
    for (unsigned i = 0; i < ACT_ARGS_MAX; i++)
        same_value(a, x->args[i], b, y->args[i]);
    for (uint32_t i = 0; i < x->count; i++)
        same_value(a, a->pool[x->list + i], b, b->pool[y->list + i]);
    if (x->code == ACT_SYNC)
        return;
    const struct history_key *k = &a->keys[x->key], *l = &b->keys[y->key];
    assert_int_equal(k->model, l->model);
    same_value(a, k->name, b, l->name);
    same_value(a, k->volume, b, l->volume);
}

static void same_history(const struct history *a, const struct history *b)
{
    same_value(a, a->volume, b, b->volume);
    assert_int_equal(a->txn_count, b->txn_count);
    assert_int_equal(a->event_count, b->event_count);
    assert_int_equal(a->processes, b->processes);
    assert_int_equal(a->next_rank, b->next_rank);
    assert_false(b->cut_off);
    for (uint32_t i = 0; i < a->txn_count; i++) {
        const struct history_txn *x = &a->txns[i], *y = &b->txns[i];
        assert_int_equal(x->process, y->process);
        assert_int_equal(x->outcome, y->outcome);
        assert_int_equal(x->durable, y->durable);
        assert_int_equal(x->began, y->began);
        assert_int_equal(x->ended, y->ended);
        assert_int_equal(x->began_ns, y->began_ns);
        if (x->outcome != OUTCOME_UNKNOWN)
            assert_int_equal(x->ended_ns, y->ended_ns);
        assert_int_equal(x->count, y->count);
        for (uint32_t j = 0; j < x->count; j++)
            same_act(a, history_act(a, x, j), b, history_act(b, y, j));
    }
    for (uint32_t i = 0; i < a->event_count; i++) {
        assert_int_equal(a->events[i].kind, b->events[i].kind);
        assert_int_equal(a->events[i].rank, b->events[i].rank);
        assert_int_equal(a->events[i].at_ns, b->events[i].at_ns);
        same_value(a, a->events[i].text, b, b->events[i].text);
    }
}

static void test_round(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 1500; seed++) {
        struct history_file before = {.history = random_history(seed, 1 + (unsigned)seed % 60)};
        struct history_file after;
        struct history_fault fault;
        size_t len;
        before.promises = seed % 3 == 0;
        before.promised[seed % PROMISE_COUNT] = before.promises;
        char *text = written(&before, &len);
        if (history_file_decode((struct bytes){(uint8_t *)text, len}, &after, &fault) != OK)
            fail_msg("seed %llu: %llu:%llu: %s\n%s", (unsigned long long)seed,
                     (unsigned long long)fault.line, (unsigned long long)fault.column, fault.text,
                     text);
        same_history(before.history, after.history);
        assert_memory_equal(before.promised, after.promised, sizeof before.promised);
        free(text);
        history_file_free(&after);
        history_free(before.history);
    }
}

/* A file, in chunks, through a pipe: the same as from memory. */
static void test_descriptor(void **state)
{
    (void)state;
    struct history_file before = {.history = random_history(7, 20000)}, after;
    struct history_fault fault;
    char name[] = "history-test-XXXXXX";
    int fd = mkstemp(name);
    assert_true(fd >= 0);
    unlink(name);
    FILE *out = fdopen(dup(fd), "w");
    assert_int_equal(history_file_write(&before, out), OK);
    fclose(out);
    lseek(fd, 0, SEEK_SET);
    assert_int_equal(history_file_read(fd, NULL, &after, &fault), OK);
    close(fd);
    same_history(before.history, after.history);
    history_file_free(&after);
    history_free(before.history);
}

/* --- what a person writes --- */

static void test_by_hand(void **state)
{
    (void)state;
    struct history_file file =
        good("# a comment\n\n"
             "{\"pactfs-history\": 1, \"volume\": \"home\", \"contract\": \"local\", \"new\": {}}\n"
             "{\"event\":\"begin\", \"process\":1, \"acts\":[[\"read\",\"x\"],[\"read\",\"n\"]]}\n"
             "{\"acts\":[[\"add\",\"x\",\"5\"]], \"process\":2, \"event\":\"begin\"}\r\n"
             "{\"process\":2,\"event\":\"done\"}\n"
             "{\"process\":1,\"event\":\"done\",\"answers\":[[5],3]}\n"
             "{\"process\":1,\"event\":\"begin\",\"acts\":[[\"increment\",\"n\",1]]}");
    struct history *h = file.history;
    assert_string_equal(file.contract, "local");
    assert_int_equal(h->txn_count, 3);
    assert_int_equal(h->keys[0].model, MODEL_SET);     /* guessed to be a list, then known */
    assert_int_equal(h->keys[1].model, MODEL_COUNTER); /* guessed to be a register */
    assert_int_equal(h->pool[h->acts[0].list], h->acts[2].args[0]);
    assert_int_equal(h->txns[2].ended, RANK_NEVER);
    assert_string_equal(history_text(h, h->keys[0].volume), "home");
    history_file_free(&file);
}

#define BEGIN(process, acts) "{\"process\":" #process ",\"event\":\"begin\",\"acts\":[" acts "]}\n"
#define DONE(process, answers) \
    "{\"process\":" #process ",\"event\":\"done\",\"answers\":[" answers "]}\n"

static const struct {
    const char *text;
    uint64_t line, column;
    const char *says;
} faults[] = {
    {"", 1, 1, "this is no history"},
    {"{}\n", 1, 1, "this is no history"},
    {"[1]\n", 1, 1, "an object { } is due"},
    {"{\"pactfs-history\":2}\n", 1, 19, "version 2"},
    {"{\"pactfs-history\":1,\"promises\":[\"fast\"]}\n", 1, 33, "no promise 'fast'"},
    {"{\"pactfs-history\":1,\"models\":{\"x\":\"queue\"}}\n", 1, 35, "no such model"},
    {HEAD "{\"event\":\"begin\"}\n", 2, 1, "\"process\" is missing"},
    {HEAD "{\"process\":1}\n", 2, 1, "\"event\" is missing"},
    {HEAD "{\"process\":1,\"event\":\"start\"}\n", 2, 22, "no such event"},
    {HEAD "{\"process\":1,\"process\":2}\n", 2, 14, "there twice"},
    {HEAD "{\"process\":-1,\"event\":\"begin\"}\n", 2, 12, "from 0 to"},
    {HEAD "{\"process\":1.5,\"event\":\"begin\"}\n", 2, 12, "not whole"},
    {HEAD "{\"process\":99999999999999999999,\"event\":\"begin\"}\n", 2, 12, "64 bits"},
    {HEAD "{\"process\":1,\"event\":\"begin\"}\n", 2, 1, "\"acts\" is missing"},
    {HEAD BEGIN(1, ""), 2, 37, "there is no act"},
    {HEAD BEGIN(1, "[\"raed\",\"x\"]"), 2, 39, "no act 'raed'"},
    {HEAD BEGIN(1, "[\"read\"]"), 2, 38, "the key is missing"},
    {HEAD BEGIN(1, "[\"read\",\"x\",1]"), 2, 50, "too many arguments"},
    {HEAD BEGIN(1, "[\"write\",\"x\"]"), 2, 50, "something is missing: write is written as"},
    {HEAD BEGIN(1, "[\"write\",\"x\",null]"), 2, 51, "not null"},
    {HEAD BEGIN(1, "[\"write\",[\"v\"],1]"), 2, 47, "[volume, key]"},
    {HEAD BEGIN(1, "[\"increment\",\"x\",\"a\"]"), 2, 38, "by a number"},
    {HEAD BEGIN(1, "[\"rename\",\"t\",1,\"a\",1,\"b\",\"over\"]"), 2, 38, "exchange"},
    {HEAD BEGIN(1, "[\"read\",\"x\"]") BEGIN(1, "[\"read\",\"x\"]"), 3, 12,
     "process 1 begins while its operation of line 2 has not ended"},
    {HEAD DONE(1, "null"), 2, 12, "nothing under way"},
    {HEAD BEGIN(1, "[\"read\",\"x\"]") DONE(1, ""), 3, 39, "0 answers to 1 acts"},
    {HEAD BEGIN(1, "[\"read\",\"x\"]") DONE(1, "1,2"), 3, 42, "more answers than acts"},
    {HEAD BEGIN(1, "[\"read\",\"x\"]") "{\"process\":1,\"event\":\"done\"}\n", 3, 1,
     "\"answers\" is missing"},
    {HEAD BEGIN(1, "[\"append\",\"x\",1],[\"write\",\"x\",1]"), 2, 64, "x is a list since line 2"},
    {HEAD BEGIN(1, "[\"append\",\"x\",1],[\"read\",\"x\"]") DONE(1, "null,1"), 3, 45,
     "answered with an array"},
    {HEAD BEGIN(1, "[\"write\",\"x\",1],[\"read\",\"x\"]") DONE(1, "null,[1]"), 3, 45,
     "answered with one value"},
    {HEAD BEGIN(1, "[\"read\",\"x\"]") DONE(1, "[1]") BEGIN(1, "[\"write\",\"x\",1]"), 4, 47,
     "x is a list since line 3"},
    {HEAD BEGIN(1, "[\"read\",\"x\"]") DONE(1, "\"a\"") BEGIN(1, "[\"increment\",\"x\",1]"), 4, 51,
     "no number"},
    {HEAD BEGIN(1, "[\"increment\",\"x\",1],[\"read\",\"x\"]") DONE(1, "null,null"), 3, 45,
     "is a counter"},
    {HEAD BEGIN(1, "[\"mkdir\",\"t\",1,\"a\",2],[\"read\",\"t\"]"), 2, 68, "tree of files"},
    {HEAD BEGIN(1, "[\"list\",\"t\",1]") DONE(1, "[\"a\"]"), 3, 40, "in turn"},
    {HEAD BEGIN(1, "[\"list\",\"t\",1]") DONE(1, "null"), 3, 40, "names and inodes"},
    {HEAD BEGIN(1, "[\"read\",\"x\"]") DONE(1, "{\"fault\":\"NOENT\"}"), 3, 40,
     "only acts of a tree"},
    {HEAD BEGIN(1, "[\"get\",\"t\",1]") DONE(1, "{\"fault\":\"ENOENT\"}"), 3, 40,
     "no fault of that"},
    {HEAD BEGIN(1, "[\"write\",\"x\",1]") DONE(1, "1"), 3, 40, "no answer but null"},
    {HEAD "{\"time\":5,\"event\":\"note\"}\n{\"time\":4,\"event\":\"note\"}\n", 3, 9, "goes back"},
    {HEAD "{\"time\":-5,\"event\":\"note\"}\n", 2, 9, "not negative"},
    {HEAD "{\"event\":\"end\"}\n{\"event\":\"note\"}\n", 3, 1, "nothing follows"},
    {HEAD "{\"event\":\"note\"} {}\n", 2, 18, "one line has one object"},
    {HEAD "{\"event\" \"note\"}\n", 2, 10, "a colon is due"},
    {HEAD "{\"event\":\"note\" \"text\":\"\"}\n", 2, 17, "comma"},
    {HEAD "{\"event\":\"no\xff\"}\n", 2, 13, "UTF-8"},
    {HEAD "{\"event\":\"\\u0000\"}\n", 2, 13, "\\u0000"},
    {HEAD "{\"event\":\"\\ud800x\"}\n", 2, 13, "surrogate"},
    {HEAD "{\"event\":\"\\q\"}\n", 2, 12, "no such escape"},
    {HEAD "{\"event\":\"a\tb\"}\n", 2, 12, "control character"},
    {HEAD "{\"event\":nul}\n", 2, 10, "no JSON value"},
    {HEAD "{\"event\":01}\n", 2, 10, "begin with 0"},
    {HEAD "{\"event\":\"note\"\n" HEAD, 2, 16, "in the middle"},
};

static void test_faults(void **state)
{
    (void)state;
    unsigned wrong = 0;
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        struct history_file file;
        struct history_fault fault;
        enum err err = decode(faults[i].text, &file, &fault);
        if (err == ERR_DECODE && fault.line == faults[i].line && fault.column == faults[i].column &&
            strstr(fault.text, faults[i].says))
            continue;
        if (err == OK)
            history_file_free(&file);
        print_error("%s\nis %s %llu:%llu: %s\nnot %llu:%llu: %s\n", faults[i].text, err_name(err),
                    (unsigned long long)fault.line, (unsigned long long)fault.column, fault.text,
                    (unsigned long long)faults[i].line, (unsigned long long)faults[i].column,
                    faults[i].says);
        wrong++;
    }
    assert_int_equal(wrong, 0);
}

/* Cut at every byte: it is read, and says that it is cut off unless a whole file is left. */
static void test_cut(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 10; seed++) {
        struct history_file before = {.history = random_history(seed, 12)}, after;
        struct history_fault fault;
        size_t len, head;
        char *text = written(&before, &len);
        head = (size_t)(strchr(text, '\n') - text);
        for (size_t cut = head; cut < len; cut++) {
            if (history_file_decode((struct bytes){(uint8_t *)text, cut}, &after, &fault) != OK)
                fail_msg("cut at %zu: %s\n%.*s", cut, fault.text, (int)cut, text);
            assert_int_equal(after.history->cut_off, cut + 1 < len);
            assert_true(after.history->txn_count <= before.history->txn_count);
            history_file_free(&after);
        }
        free(text);
        history_free(before.history);
    }
}

/* Without "ends" only the last line tells. */
static void test_cut_line(void **state)
{
    (void)state;
    struct history_file file = good(HEAD BEGIN(1, "[\"read\",\"x\"]") "{\"process\":1,\"ev");
    assert_true(file.history->cut_off);
    history_file_free(&file);
    file = good(HEAD BEGIN(1, "[\"read\",\"x\"]") "{\"process\":1,\"event\":\"unknown\"}");
    assert_false(file.history->cut_off);
    history_file_free(&file);
}

static void test_escapes(void **state)
{
    (void)state;
    struct history_file file =
        good(HEAD BEGIN(1, "[\"write\",\"x\",\"\\ud834\\udd1e\\u00e9\\n\\/\\\"\"]"));
    assert_string_equal(history_text(file.history, file.history->acts[0].args[0]),
                        "\xf0\x9d\x84\x9e\xc3\xa9\n/\"");
    history_file_free(&file);
}

static void test_deep(void **state)
{
    (void)state;
    char text[400] = HEAD "{\"x\":";
    struct history_file file;
    struct history_fault fault;
    memset(text + strlen(text), '[', 100);
    assert_int_equal(decode(text, &file, &fault), ERR_DECODE);
    assert_non_null(strstr(fault.text, "64 levels"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round),    cmocka_unit_test(test_descriptor),
        cmocka_unit_test(test_by_hand),  cmocka_unit_test(test_faults),
        cmocka_unit_test(test_cut),      cmocka_unit_test(test_deep),
        cmocka_unit_test(test_cut_line), cmocka_unit_test(test_escapes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
