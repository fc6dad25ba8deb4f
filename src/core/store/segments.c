/* SPDX-License-Identifier: MIT */
#include "core/store/segments.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/assert.h"

#define FLAG_GUARD     1u
#define FRAME_OVERHEAD 48u /* what a record of one commit costs beyond its entries */

void segments_init(struct segments *table)
{
    *table = (struct segments){0};
}

static void free_segment(struct segment *segment, const struct env *env)
{
    if (segment->file)
        env->ops->file_close(segment->file);
    free(segment);
}

void segments_free(struct segments *table, const struct env *env)
{
    for (uint32_t i = 0; i < table->count; i++)
        free_segment(table->items[i], env);
    free(table->items);
    segments_init(table);
}

/* The index of the first segment with a number >= `number`. */
static uint32_t lower_bound(const struct segments *table, uint32_t number)
{
    uint32_t low = 0, high = table->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (table->items[middle]->number < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct segment *segments_find(const struct segments *table, uint32_t number)
{
    uint32_t i = lower_bound(table, number);
    return i < table->count && table->items[i]->number == number ? table->items[i] : NULL;
}

struct segment *segments_from(const struct segments *table, uint32_t number)
{
    for (uint32_t i = lower_bound(table, number); i < table->count; i++)
        if (table->items[i]->state != SEGMENT_SPARE)
            return table->items[i];
    return NULL;
}

struct segment *segments_add(struct segments *table, uint32_t number, enum segment_state state)
{
    uint32_t at = lower_bound(table, number);
    INVARIANT(at == table->count || table->items[at]->number != number);
    if (table->count == table->room) {
        table->room = table->room ? table->room * 2 : 64;
        table->items = realloc(table->items, sizeof *table->items * table->room);
        INVARIANT(table->items != NULL);
    }
    struct segment *segment = calloc(1, sizeof *segment);
    INVARIANT(segment != NULL);
    segment->number = number;
    segment->state = state;
    segment->dirty = true;
    memmove(&table->items[at + 1], &table->items[at], sizeof *table->items * (table->count - at));
    table->items[at] = segment;
    table->count++;
    if (number > table->last_number)
        table->last_number = number;
    return segment;
}

void segments_remove(struct segments *table, struct segment *segment, const struct env *env)
{
    uint32_t at = lower_bound(table, segment->number);
    INVARIANT(at < table->count && table->items[at] == segment && segment->readers == 0);
    memmove(&table->items[at], &table->items[at + 1],
            sizeof *table->items * (table->count - at - 1));
    table->count--;
    free_segment(segment, env);
}

void segments_append(struct segments *table, struct segment *segment, uint32_t weight)
{
    segment->appended += weight;
    table->appended += weight;
    segment->dirty = true;
}

void segments_live(struct segments *table, uint32_t number, int64_t delta)
{
    struct segment *segment = segments_find(table, number);
    INVARIANT(segment != NULL);
    INVARIANT(delta >= 0 || segment->live >= (uint64_t)-delta);
    segment->live += (uint64_t)delta;
    table->live += (uint64_t)delta;
    segment->dirty = true;
}

uint64_t segment_reclaimable(const struct segment *segment)
{
    INVARIANT(segment->appended >= segment->live);
    return segment->appended - segment->live + (uint64_t)segment->frames * FRAME_OVERHEAD;
}

uint64_t segments_reclaimable(const struct segments *table)
{
    return table->appended - table->live + table->frames * FRAME_OVERHEAD;
}

void segments_sum(struct segments *table)
{
    table->live = table->appended = table->frames = table->bytes = 0;
    for (uint32_t i = 0; i < table->count; i++) {
        const struct segment *s = table->items[i];
        if (s->state != SEGMENT_HEAD && s->state != SEGMENT_SEALED)
            continue;
        table->live += s->live;
        table->appended += s->appended;
        table->frames += s->frames;
        table->bytes += s->bytes;
    }
}

const char *segment_path(const char *store_path, uint32_t number, char *buf, size_t size)
{
    snprintf(buf, size, "%s/seg/%08" PRIx32 ".seg", store_path, number);
    return buf;
}

uint32_t segment_number_of(const char *name)
{
    uint32_t number = 0;
    if (strlen(name) != 12 || strcmp(name + 8, ".seg") != 0)
        return 0;
    for (int i = 0; i < 8; i++) {
        char ch = name[i];
        if (!((ch >= '0' && ch <= '9') || (ch >= 'a' && ch <= 'f')))
            return 0;
        number = number << 4 | (uint32_t)(ch <= '9' ? ch - '0' : ch - 'a' + 10);
    }
    return number;
}

size_t segment_encode(const struct segment *segment, uint8_t out[SEGMENT_VALUE])
{
    struct cursor c = cursor_over(out, SEGMENT_VALUE);
    put_u32(&c, segment->bytes);
    put_u64(&c, segment->appended);
    put_u64(&c, segment->live);
    put_u32(&c, segment->frames);
    put_u32(&c, segment->tombs);
    if (segment->guard)
        put_u8(&c, FLAG_GUARD);
    size_t len = SEGMENT_VALUE - cursor_left(&c);
    put_u32(&c, checksum32(out, len));
    INVARIANT(!c.bad);
    return len + 4;
}

enum err segment_decode(struct bytes value, struct segment *segment)
{
    struct cursor c = cursor_over(value.data, value.len);
    segment->bytes = get_u32(&c);
    segment->appended = get_u64(&c);
    segment->live = get_u64(&c);
    segment->frames = get_u32(&c);
    segment->tombs = get_u32(&c);
    segment->guard = cursor_left(&c) > 4 && (get_u8(&c) & FLAG_GUARD);
    uint32_t sum = get_u32(&c);
    if (c.bad || cursor_left(&c) != 0 || sum != checksum32(value.data, value.len - 4))
        return ERR_CORRUPT;
    return segment->appended >= segment->live ? OK : ERR_CORRUPT;
}
