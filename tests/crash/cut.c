/* SPDX-License-Identifier: MIT
 *
 * cut.c: power cuts under the whole file service. See cut_world.h for what has to hold.
 *
 *     cut [--points N] [--seed S] [--volumes V]
 *
 * Volumes of ROUNDS rounds each, one seed each, until N cuts were survived (PACTFS_TEST_ROUNDS; or
 * 2000) or V volumes. The same seed does the same again.
 *
 * cut_instrumented also takes --mutant NAME, --marks (prints the counts of marks at the end),
 * --list-mutants and --list-marks.
 */
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/base/mark.h"
#include "cut.h"
#ifdef PACTFS_INSTRUMENTED
#include "instrument/instrument.h"
#endif

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

/* A broken invariant ends the process; its sentence has been printed. */
static void on_abort(int signal)
{
    (void)signal;
    fprintf(stderr, "FAILED in volume %" PRIu64 ": aborted\n", seed_now);
    _exit(1);
}

static void say_figures(double seconds)
{
    const struct figures *f = &figures;
    printf("%" PRIu64 " cuts (%" PRIu64 " while opening, %" PRIu64 " while closing), %" PRIu64
           " kills, %" PRIu64 " disk errors, in %" PRIu64 " volumes; %.1f s\n",
           f->points, f->points_opening, f->points_closing, f->kills, f->errors, f->volumes,
           seconds);
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

struct options {
    uint64_t points, seed, volumes;
    bool marks;
};

/* Options of the instrumented program; false: it is none of them. */
static bool instrument_option(struct options *options, const char *name, const char *value)
{
#ifdef PACTFS_INSTRUMENTED
    if (strcmp(name, "--marks") == 0)
        options->marks = true;
    else if (strcmp(name, "--list-mutants") == 0)
        mutants_print(stdout);
    else if (strcmp(name, "--list-marks") == 0)
        marks_print(stdout);
    else if (strcmp(name, "--mutant") == 0 && value)
        mutant_on = mutant_find(value);
    else
        return false;
    if (strncmp(name, "--list", 6) == 0)
        exit(0);
    return strcmp(name, "--mutant") != 0 || mutant_on != MUTANT_NONE;
#else
    (void)options;
    (void)name;
    (void)value;
    return false;
#endif
}

static bool parse(struct options *options, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : NULL;
        uint64_t *number = strcmp(argv[i], "--points") == 0    ? &options->points
                           : strcmp(argv[i], "--seed") == 0    ? &options->seed
                           : strcmp(argv[i], "--volumes") == 0 ? &options->volumes
                                                               : NULL;
        if (number && value)
            *number = strtoull(value, NULL, 10);
        else if (number || !instrument_option(options, argv[i], value))
            return false;
        i += number || strcmp(argv[i], "--mutant") == 0;
    }
    return true;
}

int main(int argc, char **argv)
{
    const char *rounds = getenv("PACTFS_TEST_ROUNDS");
    struct options options = {
        .points = rounds ? strtoull(rounds, NULL, 10) : 2000, .seed = 1, .volumes = UINT64_MAX};
    if (!parse(&options, argc, argv))
        return 2;
    signal(SIGABRT, on_abort);
    clock_t start = clock();
    for (uint64_t n = 0; n < options.volumes && figures.points < options.points; n++) {
        seed_now = options.seed + n;
        cut_volume(seed_now, ROUNDS, &figures);
    }
    must_repeat(options.seed);
    say_figures((double)(clock() - start) / CLOCKS_PER_SEC);
#ifdef PACTFS_INSTRUMENTED
    if (options.marks)
        marks_print_counts(stdout);
#endif
    return 0;
}
