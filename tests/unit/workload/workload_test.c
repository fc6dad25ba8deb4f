/* SPDX-License-Identifier: MIT
 *
 * workload_test.c: L1 and L2, unique values, banks that keep their total, trees that are learnt.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "workload/workload.h"

#define CLIENTS 3u
#define KEYS    4u

struct fixture {
    struct history *history;
    struct workload *workload;
    uint64_t now, inode;
};

static uint64_t new_inode(void *ctx, uint32_t client)
{
    (void)client;
    return ++((struct fixture *)ctx)->inode;
}

static void open_fixture(struct fixture *f, enum workload_kind kind, uint64_t seed)
{
    *f = (struct fixture){.history = history_new(), .inode = 1};
    struct workload_options options = {
        .kind = kind,
        .seed = seed,
        .clients = CLIENTS,
        .keys = KEYS,
        .acts = kind == WORKLOAD_TREE ? 1 : 3,
        .read_percent = 40,
        .sync_percent = 5,
        .new_inode = new_inode,
        .ctx = f,
    };
    f->workload = workload_new(&options, f->history);
}

static void close_fixture(struct fixture *f)
{
    workload_free(f->workload);
    history_free(f->history);
}

/* Plans the next transaction of a client, ends it without looking at it; its text. */
static const char *next(struct fixture *f, uint32_t client, char text[1024])
{
    uint32_t txn = workload_next(f->workload, client, ++f->now);
    txn_print(f->history, txn, text, 1024);
    history_end(f->history, txn, ++f->now, OUTCOME_DONE);
    workload_ended(f->workload, txn);
    return text;
}

static void same_seed_same_plans(void **state)
{
    (void)state;
    for (unsigned kind = WORKLOAD_REGISTER; kind <= WORKLOAD_TREE; kind++) {
        struct fixture a, b, c;
        char left[1024], right[1024], other[1024];
        bool differ = false;
        open_fixture(&a, (enum workload_kind)kind, 7);
        open_fixture(&b, (enum workload_kind)kind, 7);
        open_fixture(&c, (enum workload_kind)kind, 8);
        for (uint32_t i = 0; i < 300; i++) {
            assert_string_equal(next(&a, i % CLIENTS, left), next(&b, i % CLIENTS, right));
            differ |= strcmp(left, next(&c, i % CLIENTS, other)) != 0;
        }
        assert_true(differ);
        close_fixture(&a);
        close_fixture(&b);
        close_fixture(&c);
    }
}

/* A client alone in its process plans as it does among others (L2), values included. */
static void a_client_needs_no_other(void **state)
{
    static const enum workload_kind kinds[] = {WORKLOAD_REGISTER, WORKLOAD_LIST, WORKLOAD_SET,
                                               WORKLOAD_COUNTER};
    (void)state;
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        struct fixture all, alone;
        char left[1024], right[1024];
        open_fixture(&all, kinds[k], 99);
        open_fixture(&alone, kinds[k], 99);
        for (uint32_t i = 0; i < 200; i++) {
            next(&all, 0, left);
            next(&all, 2, left);
            assert_string_equal(next(&all, 1, left), next(&alone, 1, right));
        }
        close_fixture(&all);
        close_fixture(&alone);
    }
}

static void written_values_are_unique(void **state)
{
    static const enum workload_kind kinds[] = {WORKLOAD_REGISTER, WORKLOAD_LIST, WORKLOAD_SET};
    (void)state;
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        struct fixture f;
        char text[1024];
        uint32_t writes = 0, syncs = 0;
        open_fixture(&f, kinds[k], 5);
        for (uint32_t i = 0; i < 900; i++)
            next(&f, i % CLIENTS, text);
        bool *seen = calloc(history_values(f.history), sizeof *seen);
        for (uint32_t i = 0; i < f.history->act_count; i++) {
            const struct history_act *act = &f.history->acts[i];
            syncs += act->code == ACT_SYNC;
            if (act->code == ACT_SYNC || act->code == ACT_READ)
                continue;
            assert_false(seen[act->args[0]]);
            seen[act->args[0]] = true;
            writes++;
        }
        assert_true(writes > 500 && syncs > 10);
        free(seen);
        close_fixture(&f);
    }
}

/* --- a bank, carried out on plain numbers --- */

static void carry_out(struct fixture *f, uint32_t txn, uint32_t *balance)
{
    const struct history_txn *t = &f->history->txns[txn];
    for (uint32_t i = 0; i < t->count; i++) {
        struct history_act *act = &f->history->acts[t->first + i];
        if (act->code == ACT_WRITE && act->args[0] == VALUE_NONE)
            workload_continue(f->workload, txn);
        act = &f->history->acts[t->first + i];
        if (act->code == ACT_READ)
            act->value = balance[act->key];
        else if (act->code == ACT_WRITE && act->args[0] != VALUE_NONE)
            balance[act->key] = act->args[0];
    }
    history_end(f->history, txn, ++f->now, OUTCOME_DONE);
    workload_ended(f->workload, txn);
}

static int64_t total(const struct fixture *f, const uint32_t *balance)
{
    int64_t sum = 0, number;
    for (uint32_t i = 0; i < KEYS; i++) {
        assert_true(history_integer(f->history, balance[i], &number));
        assert_true(number >= 0);
        sum += number;
    }
    return sum;
}

static void a_bank_keeps_its_total(void **state)
{
    struct fixture f;
    uint32_t balance[KEYS] = {0}, moved = 0;
    (void)state;
    open_fixture(&f, WORKLOAD_BANK, 3);
    /* before client 0 has opened it, nobody transfers anything */
    for (uint32_t i = 0; i < 50; i++)
        carry_out(&f, workload_next(f.workload, 1, ++f.now), balance);
    for (uint32_t i = 0; i < KEYS; i++)
        assert_int_equal(balance[i], VALUE_NONE);
    /* an opening of which nothing is known is tried again */
    uint32_t first;
    do {
        first = workload_next(f.workload, 0, ++f.now);
        history_end(f.history, first, ++f.now, OUTCOME_UNKNOWN);
        workload_ended(f.workload, first);
    } while (history_act(f.history, &f.history->txns[first], 0)->code == ACT_SYNC);
    while (balance[0] == VALUE_NONE)
        carry_out(&f, workload_next(f.workload, 0, ++f.now), balance);
    assert_int_equal(total(&f, balance), KEYS * 100);
    for (uint32_t i = 0; i < 600; i++) {
        uint32_t before = balance[0];
        carry_out(&f, workload_next(f.workload, i % CLIENTS, ++f.now), balance);
        moved += before != balance[0];
        assert_int_equal(total(&f, balance), KEYS * 100);
    }
    assert_true(moved > 50);
    close_fixture(&f);
}

/* --- a tree: every file is called a, its inode is what a client learns --- */

static uint32_t number(struct fixture *f, int64_t n)
{
    return history_number(f->history, n);
}

static void finish(struct fixture *f, uint32_t txn)
{
    history_end(f->history, txn, ++f->now, OUTCOME_DONE);
    workload_ended(f->workload, txn);
}

static void what_is_listed_is_read_in_the_end(void **state)
{
    struct fixture f;
    uint32_t txn, lists = 0, gets = 0;
    (void)state;
    open_fixture(&f, WORKLOAD_TREE, 1);
    /* root: a -> 10, b -> 11 (a directory, in which c -> 12, and 10 again) */
    uint32_t root[] = {number(&f, 7), number(&f, 10), number(&f, 8), number(&f, 11)};
    uint32_t below[] = {number(&f, 7), number(&f, 12), number(&f, 8), number(&f, 10)};
    while (workload_final(f.workload, 2, ++f.now, &txn)) {
        struct history_act *act = &f.history->acts[f.history->txns[txn].first];
        uint32_t ino = act->args[0];
        assert_true(lists + gets < 10);
        if (act->code == ACT_LIST) {
            lists++;
            if (ino == number(&f, 1))
                history_answer_list(f.history, txn, 0, root, 4);
            else
                history_answer_list(f.history, txn, 0, below, 4);
        } else {
            assert_int_equal(act->code, ACT_GET);
            gets++;
            act->fault = ino == number(&f, 11) ? ERR_ISDIR : OK;
        }
        finish(&f, txn);
    }
    assert_int_equal(lists, 2); /* the root and 11 */
    assert_int_equal(gets, 3);  /* 10 once, 12, and 11 in vain */
    close_fixture(&f);
}

/* A client that made things uses them; when told that they are gone, no more. */
static void a_client_learns(void **state)
{
    struct fixture f;
    uint32_t used = 0, known = 0;
    (void)state;
    open_fixture(&f, WORKLOAD_TREE, 4);
    for (uint32_t i = 0; i < 400; i++) {
        uint32_t txn = workload_next(f.workload, 0, ++f.now);
        struct history_act *act = &f.history->acts[f.history->txns[txn].first];
        known += act->code == ACT_CREATE;
        used += act->code == ACT_PUT;
        finish(&f, txn);
    }
    assert_true(known > 30 && used > 30);
    uint32_t answered = f.history->txn_count;
    for (uint32_t i = 0; i < 400; i++) {
        uint32_t txn = workload_next(f.workload, 0, ++f.now);
        f.history->acts[f.history->txns[txn].first].fault = ERR_STALE;
        finish(&f, txn);
    }
    used = 0;
    for (uint32_t i = answered + 300; i < f.history->txn_count; i++)
        used += history_act(f.history, &f.history->txns[i], 0)->code == ACT_PUT;
    assert_int_equal(used, 0);
    close_fixture(&f);
}

/* After a crash each client lists the root before anything else. */
static void clients_look_again_after_a_crash(void **state)
{
    struct fixture f;
    char text[1024];
    (void)state;
    open_fixture(&f, WORKLOAD_TREE, 6);
    for (uint32_t i = 0; i < 50; i++)
        next(&f, i % CLIENTS, text);
    workload_crashed(f.workload);
    for (uint32_t client = 0; client < CLIENTS; client++) {
        const char *expected = ": list 1";
        bool sync;
        do { /* a sync may come between */
            next(&f, client, text);
            sync = strstr(text, ": sync") != NULL;
        } while (sync);
        assert_non_null(strstr(text, expected));
    }
    close_fixture(&f);
}

static void words(void **state)
{
    enum workload_kind kind;
    (void)state;
    for (unsigned i = WORKLOAD_REGISTER; i <= WORKLOAD_TREE; i++) {
        assert_true(workload_of_word(workload_word((enum workload_kind)i), &kind));
        assert_int_equal(kind, i);
    }
    assert_false(workload_of_word("chess", &kind));
    assert_string_equal(workload_word((enum workload_kind)99), "?");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_seed_same_plans),
        cmocka_unit_test(a_client_needs_no_other),
        cmocka_unit_test(written_values_are_unique),
        cmocka_unit_test(a_bank_keeps_its_total),
        cmocka_unit_test(what_is_listed_is_read_in_the_end),
        cmocka_unit_test(a_client_learns),
        cmocka_unit_test(clients_look_again_after_a_crash),
        cmocka_unit_test(words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
