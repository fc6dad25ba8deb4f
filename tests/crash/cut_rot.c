/* SPDX-License-Identifier: MIT
 *
 * cut_rot.c: a bit flips in the log, and the index is made again from what is left.
 */
#include <string.h>

#include "cut_world.h"

#define TRIES 64u

/* The n-th segment file. */
struct choice {
    uint32_t n, count;
    char path[128];
    uint64_t size;
};

static bool look(void *ctx, const char *path, uint64_t size)
{
    struct choice *choice = ctx;
    if (!strstr(path, ".seg") || size == 0)
        return true;
    if (choice->count++ == choice->n && strlen(path) < sizeof choice->path) {
        memcpy(choice->path, path, strlen(path) + 1);
        choice->size = size;
    }
    return true;
}

bool cut_flip(struct cut_world *w)
{
    struct choice choice = {.n = UINT32_MAX};
    sim_disk_list(w->disk, look, &choice);
    uint32_t files = choice.count;
    for (uint32_t i = 0; i < TRIES && files; i++) {
        uint8_t byte = 0;
        choice = (struct choice){.n = load_below(&w->load, files)};
        sim_disk_list(w->disk, look, &choice);
        uint64_t at = load_random(&w->load) % choice.size;
        if (sim_disk_peek(w->disk, choice.path, at, &byte, 1) != 1 || byte == 0)
            continue; /* most zeros are behind the end of a log */
        return sim_disk_flip(w->disk, choice.path, at, load_below(&w->load, 8)) == OK;
    }
    return false;
}
