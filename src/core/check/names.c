/* SPDX-License-Identifier: MIT
 *
 * names.c: texts and keys as numbers.
 *
 * Law
 *   N1  texts[v] is the text of value v; texts[VALUE_NONE] is "nil" and not in the table.
 *   N2  A slot of a table holds a number that is in use, or 0 (values) / NO_KEY (keys): free. From
 *       the slot of its hash on, up to the number's slot, no slot is free.
 *   N3  At most half of a table's slots are in use.
 */
#include "core/check/names.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/arena.h"
#include "core/base/assert.h"
#include "core/base/grow.h"

#define NO_KEY UINT32_MAX

struct table {
    uint32_t *slots;
    uint32_t size, used; /* size: a power of 2 */
};

struct history_names {
    struct arena arena;
    const char **texts;
    uint32_t *lengths;
    uint32_t count, room;
    struct table values, keys;
};

static void *must(void *memory)
{
    INVARIANT(memory != NULL);
    return memory;
}

static void table_init(struct table *table, uint32_t size, uint32_t empty)
{
    table->slots = must(malloc(size * sizeof *table->slots));
    for (uint32_t i = 0; i < size; i++)
        table->slots[i] = empty;
    table->size = size;
    table->used = 0;
}

struct history_names *names_new(void)
{
    struct history_names *names = must(calloc(1, sizeof *names));
    arena_init(&names->arena);
    table_init(&names->values, 256, VALUE_NONE);
    table_init(&names->keys, 64, NO_KEY);
    names->room = 128;
    names->texts = must(malloc(names->room * sizeof *names->texts));
    names->lengths = must(malloc(names->room * sizeof *names->lengths));
    names->texts[VALUE_NONE] = "nil";
    names->lengths[VALUE_NONE] = 3;
    names->count = 1;
    return names;
}

void names_free(struct history_names *names)
{
    free(names->values.slots);
    free(names->keys.slots);
    free(names->texts);
    free(names->lengths);
    arena_free(&names->arena);
    free(names);
}

static uint64_t hash_text(const void *text, size_t len)
{
    return checksum64(text, len, 0);
}

/* The slot of a text, or the free one where it belongs. */
static uint32_t *value_slot(const struct history_names *names, const char *text, size_t len)
{
    uint32_t mask = names->values.size - 1;
    uint32_t at = (uint32_t)hash_text(text, len) & mask;
    for (;; at = (at + 1) & mask) {
        uint32_t value = names->values.slots[at];
        if (value == VALUE_NONE ||
            (names->lengths[value] == len && memcmp(names->texts[value], text, len) == 0))
            return &names->values.slots[at];
    }
}

static void values_grow(struct history_names *names)
{
    free(names->values.slots);
    table_init(&names->values, names->values.size * 2, VALUE_NONE);
    for (uint32_t value = 1; value < names->count; value++)
        *value_slot(names, names->texts[value], names->lengths[value]) = value;
    names->values.used = names->count - 1;
}

uint32_t history_value(struct history *history, const char *text, size_t len)
{
    struct history_names *names = history->names;
    uint32_t *slot = value_slot(names, text, len);
    if (*slot != VALUE_NONE)
        return *slot;
    INVARIANT(len < UINT32_MAX && names->count < UINT32_MAX / 4);
    if (names->count == names->room) {
        names->room *= 2;
        names->texts = must(realloc(names->texts, names->room * sizeof *names->texts));
        names->lengths = must(realloc(names->lengths, names->room * sizeof *names->lengths));
    }
    uint32_t value = names->count++;
    names->texts[value] = arena_copy(&names->arena, text, len);
    names->lengths[value] = (uint32_t)len;
    *slot = value;
    if (++names->values.used * 2 > names->values.size)
        values_grow(names);
    return value;
}

uint32_t history_number(struct history *history, int64_t number)
{
    char text[24];
    int len = snprintf(text, sizeof text, "%lld", (long long)number);
    return history_value(history, text, (size_t)len);
}

uint32_t history_values(const struct history *history)
{
    return history->names->count;
}

const char *history_text(const struct history *history, uint32_t value)
{
    INVARIANT(value < history->names->count);
    return history->names->texts[value];
}

bool history_integer(const struct history *history, uint32_t value, int64_t *number)
{
    const char *text = history_text(history, value);
    bool negative = *text == '-';
    const char *digit = text + negative;
    int64_t sum = 0;
    if (value == VALUE_NONE || *digit < '0' || *digit > '9')
        return false;
    for (; *digit >= '0' && *digit <= '9'; digit++) {
        if (sum > (INT64_MAX - (*digit - '0')) / 10)
            return false;
        sum = sum * 10 + (*digit - '0');
    }
    *number = negative ? -sum : sum;
    return true;
}

/* --- keys --- */

static uint32_t *key_slot(const struct history *history, uint32_t volume, uint32_t name)
{
    const struct table *table = &history->names->keys;
    uint32_t pair[2] = {volume, name};
    uint32_t mask = table->size - 1;
    uint32_t at = (uint32_t)hash_text(pair, sizeof pair) & mask;
    for (;; at = (at + 1) & mask) {
        uint32_t key = table->slots[at];
        if (key == NO_KEY ||
            (history->keys[key].volume == volume && history->keys[key].name == name))
            return &table->slots[at];
    }
}

static void keys_grow(struct history *history)
{
    struct table *table = &history->names->keys;
    free(table->slots);
    table_init(table, table->size * 2, NO_KEY);
    for (uint32_t key = 0; key < history->key_count; key++)
        *key_slot(history, history->keys[key].volume, history->keys[key].name) = key;
    table->used = history->key_count;
}

enum err history_key(struct history *history, uint32_t volume, uint32_t name,
                     enum history_model model, uint32_t *key)
{
    uint32_t *slot = key_slot(history, volume, name);
    if (*slot != NO_KEY) {
        *key = *slot;
        return history->keys[*slot].model == model ? OK : ERR_CONFLICT;
    }
    history->keys =
        grow(history->keys, history->key_count, &history->key_room, sizeof *history->keys);
    *key = *slot = history->key_count++;
    history->keys[*key] =
        (struct history_key){.model = (uint8_t)model, .name = name, .volume = volume};
    if (++history->names->keys.used * 2 > history->names->keys.size)
        keys_grow(history);
    return OK;
}

const char *history_key_text(const struct history *history, uint32_t key)
{
    INVARIANT(key < history->key_count);
    return history_text(history, history->keys[key].name);
}
