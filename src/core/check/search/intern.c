/* SPDX-License-Identifier: MIT
 *
 * intern.c: equal things get equal numbers.
 */
#include "core/check/search/intern.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/assert.h"

static uint32_t place_of(const struct intern *table, uint64_t a, uint64_t b)
{
    uint32_t place = (uint32_t)(intern_mix(a ^ intern_mix(b)) & table->mask);
    for (;; place = (place + 1) & table->mask) {
        uint32_t number = table->places[place];
        if (!number)
            return place;
        const struct intern_thing *thing = &table->things[number - 1];
        if (thing->a == a && thing->b == b)
            return place;
    }
}

static void spread(struct intern *table)
{
    for (uint32_t i = 0; i < table->count; i++) {
        const struct intern_thing *thing = &table->things[i];
        table->places[place_of(table, thing->a, thing->b)] = i + 1;
    }
}

/* Keeps at least half of the places free. */
static void grow(struct intern *table)
{
    INVARIANT(table->room < UINT32_MAX / 4);
    table->room = table->room ? table->room * 2 : 16;
    table->things = realloc(table->things, table->room * sizeof *table->things);
    free(table->places);
    table->places = calloc(table->room * 2, sizeof *table->places);
    INVARIANT(table->things != NULL && table->places != NULL);
    table->mask = table->room * 2 - 1;
    spread(table);
}

uint32_t intern(struct intern *table, uint64_t a, uint64_t b, bool *fresh)
{
    if (table->count == table->room)
        grow(table);
    uint32_t place = place_of(table, a, b);
    bool is_fresh = !table->places[place];
    if (fresh)
        *fresh = is_fresh;
    if (is_fresh) {
        table->things[table->count++] = (struct intern_thing){a, b};
        table->places[place] = table->count;
    }
    return table->places[place] - 1;
}

uint32_t intern_find(const struct intern *table, uint64_t a, uint64_t b)
{
    if (!table->count)
        return INTERN_NONE;
    uint32_t number = table->places[place_of(table, a, b)];
    return number ? number - 1 : INTERN_NONE;
}

void intern_clear(struct intern *table)
{
    /* A table that was large for one use is not emptied again and again for small ones. */
    if (table->room > 4096 && table->count < table->room / 16) {
        intern_free(table);
        return;
    }
    table->count = 0;
    if (table->places)
        memset(table->places, 0, (table->mask + (size_t)1) * sizeof *table->places);
}

void intern_free(struct intern *table)
{
    free(table->things);
    free(table->places);
    memset(table, 0, sizeof *table);
}

size_t intern_bytes(const struct intern *table)
{
    return table->room * (sizeof *table->things + 2 * sizeof *table->places);
}
