/* SPDX-License-Identifier: MIT */
#include "core/store/overlay.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/assert.h"

static int compare(struct overlay_object *a, struct overlay_object *b)
{
    return object_key_compare(&a->key, &b->key);
}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wconversion"
RB_GENERATE_INTERNAL(overlay_tree, overlay_object, link, compare, static __attribute__((unused)))
#pragma GCC diagnostic pop

void overlay_init(struct overlay *overlay)
{
    RB_INIT(&overlay->tree);
    overlay->bytes = overlay->objects = 0;
}

static void free_version(struct overlay *overlay, struct overlay_version *version)
{
    overlay->bytes -= sizeof *version + version->len;
    free(version);
}

static void remove_object(struct overlay *overlay, struct overlay_object *object)
{
    RB_REMOVE(overlay_tree, &overlay->tree, object);
    overlay->bytes -= sizeof *object;
    overlay->objects--;
    free(object);
}

void overlay_clear(struct overlay *overlay)
{
    for (struct overlay_object *o = RB_MIN(overlay_tree, &overlay->tree), *next; o; o = next) {
        next = RB_NEXT(overlay_tree, &overlay->tree, o);
        while (o->versions) {
            struct overlay_version *v = o->versions;
            o->versions = v->older;
            free_version(overlay, v);
        }
        remove_object(overlay, o);
    }
    INVARIANT(overlay->bytes == 0 && overlay->objects == 0);
}

struct overlay_object *overlay_find(struct overlay *overlay, const struct object_key *key)
{
    struct overlay_object probe = {.key = *key};
    return RB_FIND(overlay_tree, &overlay->tree, &probe);
}

struct overlay_object *overlay_at(struct overlay *overlay, const struct object_key *key)
{
    struct overlay_object probe = {.key = *key};
    return RB_NFIND(overlay_tree, &overlay->tree, &probe);
}

struct overlay_object *overlay_next(struct overlay_object *object)
{
    return RB_NEXT(overlay_tree, NULL, object);
}

static struct overlay_object *find_or_add(struct overlay *overlay, const struct object_key *key)
{
    struct overlay_object *object = overlay_find(overlay, key);
    if (object)
        return object;
    object = calloc(1, sizeof *object);
    INVARIANT(object != NULL);
    object->key = *key;
    RB_INSERT(overlay_tree, &overlay->tree, object);
    overlay->bytes += sizeof *object;
    overlay->objects++;
    return object;
}

/* The link that points to the version with this stamp, or to where it belongs. */
static struct overlay_version **find_link(struct overlay_object *object, struct stamp stamp)
{
    struct overlay_version **link = &object->versions;
    while (*link && stamp_compare((*link)->stamp, stamp) > 0)
        link = &(*link)->older;
    return link;
}

static bool is_at(struct overlay_version *const *link, struct stamp stamp)
{
    return *link && stamp_compare((*link)->stamp, stamp) == 0;
}

/* Unlinks and frees what stands at `link`; tells whether it was born here. */
static bool take_out(struct overlay *overlay, struct overlay_version **link)
{
    struct overlay_version *old = *link;
    bool born = old->born;
    *link = old->older;
    free_version(overlay, old);
    return born;
}

static struct overlay_version *insert(struct overlay *overlay, struct overlay_version **link,
                                      struct stamp stamp, struct bytes value)
{
    struct overlay_version *version = malloc(sizeof *version + value.len);
    INVARIANT(version != NULL);
    *version = (struct overlay_version){.older = *link, .stamp = stamp, .len = (uint32_t)value.len};
    if (value.len)
        memcpy(version->value, value.data, value.len);
    *link = version;
    overlay->bytes += sizeof *version + value.len;
    return version;
}

void overlay_put(struct overlay *overlay, const struct overlay_put *put)
{
    struct overlay_object *object = find_or_add(overlay, &put->key);
    for (struct overlay_version *v = object->versions; v && put->newest; v = v->older)
        v->newest = false;
    struct overlay_version **link = find_link(object, put->stamp);
    bool born = put->born;
    if (is_at(link, put->stamp))
        born = take_out(overlay, link);
    struct overlay_version *version = insert(overlay, link, put->stamp, put->value);
    version->newest = put->newest;
    version->born = born;
}

void overlay_drop(struct overlay *overlay, const struct object_key *key, struct stamp stamp)
{
    struct overlay_object *object = find_or_add(overlay, key);
    struct overlay_version **link = find_link(object, stamp);
    bool born = is_at(link, stamp) && take_out(overlay, link);
    if (!born)
        insert(overlay, link, stamp, (struct bytes){NULL, 0})->dropped = true;
    if (!object->versions)
        remove_object(overlay, object);
}

void overlay_check(struct overlay *overlay)
{
    struct overlay_object *last = NULL, *o;
    RB_FOREACH(o, overlay_tree, &overlay->tree)
    {
        INVARIANT(!last || object_key_compare(&last->key, &o->key) < 0);
        INVARIANT(o->versions != NULL);
        for (struct overlay_version *v = o->versions; v; v = v->older) {
            INVARIANT(!v->older || stamp_compare(v->stamp, v->older->stamp) > 0);
            INVARIANT(!v->newest || !v->dropped);
        }
        last = o;
    }
}
