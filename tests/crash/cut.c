/* SPDX-License-Identifier: MIT
 *
 * cut.c: power cuts under the whole file service. See cut_world.h for what has to hold.
 *
 *     cut [--points N] [--seed S] [--volumes V]
 *
 * Volumes of ROUNDS rounds each, one seed each, until N cuts were survived (PACTFS_TEST_ROUNDS; or
 * 2000) or V volumes. The same seed does the same again.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cut_world.h"

#define ROUNDS 5u

static uint64_t seed_now;
static struct figures figures;

void cut_fail(const char *format, ...)
{
    va_list args;
    fprintf(stderr, "FAILED in volume %" PRIu64 ", after %" PRIu64 " cuts: ", seed_now,
            figures.points);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fprintf(stderr, "\nTo see it again: cut --seed %" PRIu64 " --volumes 1\n", seed_now);
    exit(1);
}

static void say_figures(double seconds)
{
    const struct figures *f = &figures;
    printf("%" PRIu64 " cuts (%" PRIu64 " while opening, %" PRIu64 " while closing), %" PRIu64
           " kills, in %" PRIu64 " volumes; %.1f s\n",
           f->points, f->points_opening, f->points_closing, f->kills, f->volumes, seconds);
    printf("%" PRIu64 " operations, %" PRIu64 " commits, of which %" PRIu64
           " were cut off; %" PRIu64 " durable answers; %" PRIu64 " times no space\n",
           f->operations, f->commits, f->lost, f->durable, f->nospc);
    printf("%" PRIu64 " checkpoints, %" PRIu64 " segments cleaned, %" PRIu64
           " times all orphans reclaimed, %" PRIu64 " objects checked\n",
           f->checkpoints, f->cleaned, f->orphans, f->checked_objects);
}

static void must_repeat(uint64_t seed)
{
    struct figures unused = {0};
    seed_now = seed;
    if (cut_volume(seed, ROUNDS, &unused) != cut_volume(seed, ROUNDS, &unused))
        cut_fail("the same seed did not do the same twice");
}

int main(int argc, char **argv)
{
    const char *rounds = getenv("PACTFS_TEST_ROUNDS");
    uint64_t points = rounds ? strtoull(rounds, NULL, 10) : 2000, seed = 1, volumes = UINT64_MAX;
    for (int i = 1; i + 1 < argc; i += 2) {
        uint64_t value = strtoull(argv[i + 1], NULL, 10);
        if (strcmp(argv[i], "--points") == 0)
            points = value;
        else if (strcmp(argv[i], "--seed") == 0)
            seed = value;
        else if (strcmp(argv[i], "--volumes") == 0)
            volumes = value;
        else
            return 2;
    }
    clock_t start = clock();
    for (uint64_t n = 0; n < volumes && figures.points < points; n++) {
        seed_now = seed + n;
        cut_volume(seed_now, ROUNDS, &figures);
    }
    must_repeat(seed);
    say_figures((double)(clock() - start) / CLOCKS_PER_SEC);
    return 0;
}
