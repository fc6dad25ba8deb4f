/* SPDX-License-Identifier: MIT
 *
 * written.c: an open hash table of (key, value).
 *
 * Law
 *   R1  A slot in use has acts > 0; at least a quarter of the slots are free.
 *   R2  From the slot of a pair's hash up to the pair's slot no slot is free.
 */
#include "core/check/transactions/written.h"

#include <stdlib.h>

#include "core/base/assert.h"

bool act_writes(const struct history_act *act, uint32_t *value)
{
    if (act->fault)
        return false;
    switch (act->code) {
    case ACT_WRITE:
    case ACT_APPEND:
    case ACT_ADD:
        *value = act->args[0];
        return true;
    case ACT_CAS:
        *value = act->args[1];
        return true;
    default:
        return false;
    }
}

static uint64_t hash_pair(uint32_t key, uint32_t value)
{
    uint64_t z = ((uint64_t)key << 32 | value) + UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static struct writing *slot_of(const struct written *written, uint32_t key, uint32_t value)
{
    uint64_t mask = written->size - 1;
    for (uint64_t at = hash_pair(key, value) & mask;; at = (at + 1) & mask) {
        struct writing *slot = &written->slots[at];
        if (!slot->acts || (slot->key == key && slot->value == value))
            return slot;
    }
}

static void count_up(uint16_t *count)
{
    if (*count < COUNT_FULL)
        (*count)++;
}

static void add(struct written *written, const struct history *history, uint32_t act, bool alive)
{
    uint32_t value;
    if (!act_writes(&history->acts[act], &value))
        return;
    struct writing *slot = slot_of(written, history->acts[act].key, value);
    if (!slot->acts) {
        slot->key = history->acts[act].key;
        slot->value = value;
    }
    if (!slot->acts || (alive && !slot->alive))
        slot->act = act;
    count_up(&slot->acts);
    if (alive)
        count_up(&slot->alive);
}

void written_init(struct written *written, const struct history *history)
{
    uint64_t acts = 0, size = 16;
    uint32_t value;
    for (uint32_t i = 0; i < history->act_count; i++)
        acts += act_writes(&history->acts[i], &value);
    while (size * 3 < acts * 4 + 4)
        size *= 2;
    written->slots = calloc(size, sizeof *written->slots);
    INVARIANT(written->slots != NULL);
    written->size = size;
    for (uint32_t i = 0; i < history->txn_count; i++) {
        const struct history_txn *txn = &history->txns[i];
        for (uint32_t act = txn->first; act < txn->first + txn->count; act++)
            add(written, history, act, txn->outcome != OUTCOME_FAILED);
    }
}

void written_free(struct written *written)
{
    free(written->slots);
}

struct writing *written_find(const struct written *written, uint32_t key, uint32_t value)
{
    struct writing *slot = slot_of(written, key, value);
    return slot->acts ? slot : NULL;
}
