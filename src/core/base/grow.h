/* SPDX-License-Identifier: MIT
 *
 * grow.h: arrays that grow.
 */
#ifndef PACTFS_BASE_GROW_H
#define PACTFS_BASE_GROW_H

#include <stddef.h>
#include <stdint.h>

/* Room for one more element at place `count`: the array itself, or a larger one that took its place
 * (the room doubles, from 64 on). array NULL and *room 0 are a beginning. The caller's, by free.
 * Running out of memory ends the process, as in arena.h. */
void *grow(void *array, uint32_t count, uint32_t *room, size_t size);

#endif
