/* SPDX-License-Identifier: MIT
 *
 * total.c: money is neither made nor lost.
 *
 * The accounts are the registers of a volume; what they hold begins with a number ("90 #17" is 90,
 * so that values can be told apart). Transfers leave the sum as it is. So must every transaction
 * see it that reads all accounts: the bank of Bernstein, Hadzilacos and Goodman 1987, 1.2.
 *
 * Law
 *   A1  A statement is what a transaction that is done read of all accounts of one volume, each
 *       before it wrote it itself; of several reads of one account the first.
 *   A2  The right total of a volume is what the first transaction that wrote all of its accounts,
 *       and did not fail, wrote; if none began before the first statement, it is that statement's
 *       sum.
 *   A3  Accounts that hold nothing yet, or no number, make no statement, if no transaction has
 *       written all of them and was answered before.
 */
#include <stdlib.h>

#include "core/base/assert.h"
#include "core/check/checking.h"

struct bank {
    uint32_t accounts;
    bool known; /* the right total */
    int64_t total;
    uint32_t source; /* the transaction that says so */
};

/* What one transaction saw and wrote of one volume. */
struct sums {
    uint32_t read, written;
    int64_t read_sum, written_sum;
    bool odd; /* something that it read was no number */
};

struct total {
    struct checking *c;
    const struct history *history;
    struct bank *banks;     /* of each volume */
    uint32_t *volume;       /* of each key: its bank */
    uint32_t *read, *wrote; /* of each key: the last transaction that did, plus 1 */
    int64_t *value;         /* of each key: what that one wrote last */
    struct sums *sums;      /* of each bank, of the transaction that is looked at */
    uint64_t statements;
};

static void *array(size_t count, size_t size)
{
    void *memory = calloc(count + 1, size);
    INVARIANT(memory != NULL);
    return memory;
}

/* The bank of each register: numbered in the order in which their first accounts come. */
static void find_banks(struct total *t)
{
    const struct history *h = t->history;
    uint32_t values = history_values(h), count = 0;
    uint32_t *bank_of = array(values, sizeof *bank_of);
    for (uint32_t key = 0; key < h->key_count; key++) {
        if (h->keys[key].model != MODEL_REGISTER)
            continue;
        uint32_t volume = h->keys[key].volume;
        if (!bank_of[volume])
            bank_of[volume] = ++count;
        t->volume[key] = bank_of[volume] - 1;
        t->banks[t->volume[key]].accounts++;
    }
    free(bank_of);
}

static void add_read(struct total *t, const struct history_act *act, uint32_t txn)
{
    struct sums *sums = &t->sums[t->volume[act->key]];
    int64_t number = 0;
    if (!act->known || act->fault || t->read[act->key] == txn + 1 || t->wrote[act->key] == txn + 1)
        return;
    t->read[act->key] = txn + 1;
    sums->read++;
    if (!history_integer(t->history, act->value, &number) ||
        __builtin_add_overflow(sums->read_sum, number, &sums->read_sum))
        sums->odd = true;
}

static void add_write(struct total *t, const struct history_act *act, uint32_t txn)
{
    struct sums *sums = &t->sums[t->volume[act->key]];
    int64_t number = 0;
    if (act->fault || !history_integer(t->history, act->args[0], &number))
        return;
    if (t->wrote[act->key] == txn + 1)
        sums->written_sum -= t->value[act->key];
    else
        sums->written++;
    t->wrote[act->key] = txn + 1;
    t->value[act->key] = number;
    if (__builtin_add_overflow(sums->written_sum, number, &sums->written_sum))
        sums->written = 0;
}

static void wrong_total(struct total *t, const struct bank *bank, uint32_t txn,
                        const struct sums *sums)
{
    struct checking *c = t->c;
    if (!checking_broken(c, ANOMALY_WRONG_TOTAL, false))
        return;
    uint32_t process = t->history->txns[txn].process;
    checking_text(c, "Process %u read all %u accounts and saw %s: the sum is %lld, and was %lld.",
                  process, bank->accounts, sums->odd ? "one without a number" : "a wrong total",
                  (long long)sums->read_sum, (long long)bank->total);
    checking_step(c, bank->source, "here the sum over all accounts is %lld",
                  (long long)bank->total);
    checking_step(c, txn, "here it is %lld", (long long)sums->read_sum);
}

/* A1, A2: what a transaction says about one bank. */
static void judge(struct total *t, struct bank *bank, uint32_t txn, const struct sums *sums)
{
    const struct history_txn *of = &t->history->txns[txn];
    if (!bank->known && sums->written == bank->accounts) {
        *bank = (struct bank){bank->accounts, true, sums->written_sum, txn};
        return;
    }
    if (of->outcome != OUTCOME_DONE || sums->read < bank->accounts)
        return;
    if (!bank->known && !sums->odd) {
        t->statements++;
        *bank = (struct bank){bank->accounts, true, sums->read_sum, txn};
        return;
    }
    t->statements++;
    const struct history_txn *source = &t->history->txns[bank->source];
    bool early = source->outcome != OUTCOME_DONE || source->ended > of->began;
    if (bank->known && (sums->odd ? !early : sums->read_sum != bank->total))
        wrong_total(t, bank, txn, sums);
}

static void look_at(struct total *t, uint32_t txn)
{
    const struct history_txn *of = &t->history->txns[txn];
    for (uint32_t pass = 0; pass < 2; pass++)
        for (uint32_t i = 0; i < of->count; i++) {
            const struct history_act *act = history_act(t->history, of, i);
            if (act->code == ACT_SYNC || t->history->keys[act->key].model != MODEL_REGISTER)
                continue;
            uint32_t bank = t->volume[act->key];
            if (pass == 0 && act->code == ACT_READ)
                add_read(t, act, txn);
            else if (pass == 0 && act->code == ACT_WRITE)
                add_write(t, act, txn);
            else if (pass == 1 && (t->sums[bank].read || t->sums[bank].written)) {
                judge(t, &t->banks[bank], txn, &t->sums[bank]);
                t->sums[bank] = (struct sums){0};
            }
        }
}

void check_total(struct checking *c)
{
    const struct history *h = c->history;
    struct total t = {.c = c, .history = h};
    t.banks = array(h->key_count, sizeof *t.banks);
    t.sums = array(h->key_count, sizeof *t.sums);
    t.volume = array(h->key_count, sizeof *t.volume);
    t.read = array(h->key_count, sizeof *t.read);
    t.wrote = array(h->key_count, sizeof *t.wrote);
    t.value = array(h->key_count, sizeof *t.value);
    find_banks(&t);
    for (uint32_t txn = 0; txn < h->txn_count; txn++)
        if (h->txns[txn].outcome != OUTCOME_FAILED)
            look_at(&t, txn);
    if (!t.statements)
        checking_not_applicable(c, "No transaction read all the registers of a volume.");
    void *arrays[] = {t.banks, t.sums, t.volume, t.read, t.wrote, t.value};
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++)
        free(arrays[i]);
}
