/* SPDX-License-Identifier: MIT
 *
 * grow.c: arrays that grow.
 */
#include "core/base/grow.h"

#include <stdlib.h>

#include "core/base/assert.h"

#define ROOM_LEAST 64u

void *grow(void *array, uint32_t count, uint32_t *room, size_t size)
{
    if (count < *room)
        return array;
    INVARIANT(*room < UINT32_MAX / 4);
    *room = *room ? *room * 2 : ROOM_LEAST;
    array = realloc(array, *room * size);
    INVARIANT(array != NULL);
    return array;
}
