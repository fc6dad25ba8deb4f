/* SPDX-License-Identifier: MIT
 *
 * bank.c: transfers between accounts (Bernstein, Hadzilacos and Goodman 1987, 1.2).
 *
 * Client 0 opens the bank: one transaction writes all the balances; it is tried until one is known
 * to be done. What others read before that is nothing, and they transfer nothing. Opening twice
 * (after an unknown outcome) is harmless: it leaves the total as it was.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/base/assert.h"
#include "workload/private.h"

#define BALANCE    100 /* of each account at first */
#define AMOUNT_MAX 10u

static uint32_t balance_value(struct workload *w, uint32_t client, int64_t balance)
{
    char text[64];
    int len =
        snprintf(text, sizeof text, "%" PRId64 " #%" PRIu64, balance, workload_unique(w, client));
    return history_value(w->history, text, (size_t)len);
}

static void add(struct workload *w, enum act_code code, uint32_t account, uint32_t value)
{
    history_add(w->history, &(struct history_act){
                                .code = (uint8_t)code, .key = w->keys[account], .args = {value}});
}

void bank_read_all(struct workload *w)
{
    for (uint32_t i = 0; i < w->options.keys; i++)
        add(w, ACT_READ, i, VALUE_NONE);
}

void bank_plan(struct workload *w, uint32_t client)
{
    struct workload_client *c = &w->clients[client];
    uint32_t from = workload_below(w, client, w->options.keys);
    uint32_t to = (from + 1 + workload_below(w, client, w->options.keys - 1)) % w->options.keys;
    bool read = workload_below(w, client, 100) < w->options.read_percent;
    c->amount = 1 + workload_below(w, client, AMOUNT_MAX);
    if (client == 0 && !c->bank_is_open) {
        for (uint32_t i = 0; i < w->options.keys; i++)
            add(w, ACT_WRITE, i, balance_value(w, client, BALANCE));
    } else if (read) {
        bank_read_all(w);
    } else {
        add(w, ACT_READ, from, VALUE_NONE);
        add(w, ACT_READ, to, VALUE_NONE);
        add(w, ACT_WRITE, from, VALUE_NONE);
        add(w, ACT_WRITE, to, VALUE_NONE);
    }
}

void bank_continue(struct workload *w, uint32_t txn)
{
    const struct history_txn *t = &w->history->txns[txn];
    struct history_act *acts = &w->history->acts[t->first];
    int64_t from, to;
    if (t->count != 4 || acts[0].code != ACT_READ || acts[2].code != ACT_WRITE ||
        acts[2].args[0] != VALUE_NONE)
        return;
    if (!history_integer(w->history, acts[0].value, &from) ||
        !history_integer(w->history, acts[1].value, &to))
        return; /* the bank is not open yet */
    int64_t amount = w->clients[t->process].amount;
    if (amount > from)
        amount = from > 0 ? from : 0;
    uint32_t first = balance_value(w, t->process, from - amount);
    acts[2].args[0] = first;
    acts[3].args[0] = balance_value(w, t->process, to + amount);
}

void bank_ended(struct workload *w, uint32_t txn)
{
    const struct history_txn *t = &w->history->txns[txn];
    if (t->process != 0 || t->outcome != OUTCOME_DONE)
        return;
    /* Client 0 only writes without reading when it opens the bank. */
    if (history_act(w->history, t, 0)->code == ACT_WRITE)
        w->clients[0].bank_is_open = true;
}
