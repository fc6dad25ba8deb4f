/* SPDX-License-Identifier: MIT
 *
 * content.c: the bytes of a simulated file, in shared sparse pages.
 *
 * Law
 *   C1  Bytes of a page at or behind `size` are zero.
 *   C2  No page lies entirely behind `size`.
 */
#include <stdlib.h>
#include <string.h>

#include "core/base/assert.h"
#include "sim/world.h"

static void page_drop(struct page *page)
{
    if (page && --page->refs == 0)
        free(page);
}

static struct page *page_at(const struct content *c, uint64_t index)
{
    return index < c->len ? c->at[index] : NULL;
}

static void set_length(struct content *c, uint64_t len)
{
    INVARIANT(len < SIZE_MAX / sizeof *c->at);
    if (len > c->room) {
        c->room = len > 2 * c->room ? (size_t)len : 2 * c->room;
        c->at = realloc(c->at, c->room * sizeof *c->at);
        INVARIANT(c->at != NULL);
    }
    if (len > c->len)
        memset(c->at + c->len, 0, ((size_t)len - c->len) * sizeof *c->at);
    c->len = (size_t)len;
}

static struct page *page_for_write(struct content *c, uint64_t index)
{
    if (index >= c->len)
        set_length(c, index + 1);
    struct page *old = c->at[index];
    if (old && old->refs == 1)
        return old;
    struct page *page = old ? malloc(sizeof *page) : calloc(1, sizeof *page);
    INVARIANT(page != NULL);
    if (old) {
        memcpy(page->data, old->data, SIM_PAGE);
        page_drop(old);
    }
    page->refs = 1;
    c->at[index] = page;
    return page;
}

void content_read(const struct content *c, uint64_t offset, void *buf, size_t len)
{
    uint8_t *to = buf;
    INVARIANT(offset <= c->size && len <= c->size - offset);
    while (len) {
        size_t in = (size_t)(offset % SIM_PAGE);
        size_t part = SIM_PAGE - in < len ? SIM_PAGE - in : len;
        const struct page *page = page_at(c, offset / SIM_PAGE);
        if (page)
            memcpy(to, page->data + in, part);
        else
            memset(to, 0, part);
        to += part;
        offset += part;
        len -= part;
    }
}

void content_write(struct content *c, uint64_t offset, const uint8_t *data, size_t len)
{
    if (len && offset + len > c->size)
        c->size = offset + len;
    while (len) {
        size_t in = (size_t)(offset % SIM_PAGE);
        size_t part = SIM_PAGE - in < len ? SIM_PAGE - in : len;
        memcpy(page_for_write(c, offset / SIM_PAGE)->data + in, data, part);
        data += part;
        offset += part;
        len -= part;
    }
}

void content_resize(struct content *c, uint64_t size)
{
    uint64_t pages = (size + SIM_PAGE - 1) / SIM_PAGE;
    while (c->len > pages)
        page_drop(c->at[--c->len]);
    if (size < c->size && size % SIM_PAGE && page_at(c, size / SIM_PAGE)) {
        size_t in = (size_t)(size % SIM_PAGE);
        memset(page_for_write(c, size / SIM_PAGE)->data + in, 0, SIM_PAGE - in);
    }
    if (c->reserved > pages * SIM_PAGE)
        c->reserved = pages * SIM_PAGE;
    c->size = size;
}

void content_reserve(struct content *c, uint64_t size)
{
    uint64_t reserved = (size + SIM_PAGE - 1) / SIM_PAGE * SIM_PAGE;
    if (reserved > c->reserved)
        c->reserved = reserved;
    if (size > c->size)
        c->size = size;
}

void content_share(struct content *c, const struct content *from, uint64_t offset, uint64_t len)
{
    if (!len)
        return;
    uint64_t last = (offset + len - 1) / SIM_PAGE;
    for (uint64_t i = offset / SIM_PAGE; i <= last && (i < from->len || i < c->len); i++) {
        struct page *page = page_at(from, i);
        if (page_at(c, i) == page)
            continue;
        if (i >= c->len)
            set_length(c, i + 1);
        page_drop(c->at[i]);
        c->at[i] = page;
        if (page)
            page->refs++;
    }
}

void content_copy(struct content *c, const struct content *from)
{
    INVARIANT(c->len == 0);
    content_share(c, from, 0, from->len * (uint64_t)SIM_PAGE);
    c->size = from->size;
    c->reserved = from->reserved;
}

void content_free(struct content *c)
{
    for (size_t i = 0; i < c->len; i++)
        page_drop(c->at[i]);
    free(c->at);
    *c = (struct content){0};
}

/* How many of the pages [first, end) are there. */
static uint64_t present(const struct content *c, uint64_t first, uint64_t end)
{
    uint64_t count = 0;
    for (uint64_t i = first; i < end && i < c->len; i++)
        count += c->at[i] != NULL;
    return count;
}

uint64_t content_cost(const struct content *c)
{
    return c->reserved + SIM_PAGE * present(c, c->reserved / SIM_PAGE, c->len);
}

uint64_t content_write_cost(const struct content *c, uint64_t offset, uint64_t len)
{
    if (!len)
        return 0;
    uint64_t first = offset / SIM_PAGE;
    uint64_t end = (offset + len - 1) / SIM_PAGE + 1;
    if (first < c->reserved / SIM_PAGE)
        first = c->reserved / SIM_PAGE;
    return first < end ? SIM_PAGE * (end - first - present(c, first, end)) : 0;
}

uint64_t content_reserve_cost(const struct content *c, uint64_t size)
{
    uint64_t end = (size + SIM_PAGE - 1) / SIM_PAGE;
    uint64_t first = c->reserved / SIM_PAGE;
    return first < end ? SIM_PAGE * (end - first - present(c, first, end)) : 0;
}
