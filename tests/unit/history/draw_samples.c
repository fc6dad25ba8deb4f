/* SPDX-License-Identifier: MIT
 *
 * draw_samples.c: pictures of verdicts made up here, and of verdicts by chance, written into a
 * folder for draw_test.py:  draw_samples FOLDER COUNT
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/assert.h"
#include "io/history/history_file.h"
#include "random_history.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

static void save(const char *folder, const char *name, const struct history *history,
                 const struct verdict *verdict)
{
    char path[4096];
    struct text svg = {0}, again = {0};
    verdict_draw(history, verdict, &svg);
    verdict_draw(history, verdict, &again);
    INVARIANT(svg.len == again.len && memcmp(svg.data, again.data, svg.len) == 0);
    snprintf(path, sizeof path, "%s/%s.svg", folder, name);
    FILE *out = fopen(path, "w");
    INVARIANT(out && fwrite(svg.data, 1, svg.len, out) == svg.len && fclose(out) == 0);
    text_free(&svg);
    text_free(&again);
}

static struct history *history_of(const char *text, struct history_file *file)
{
    struct history_fault fault;
    enum err err =
        history_file_decode((struct bytes){(const uint8_t *)text, strlen(text)}, file, &fault);
    if (err != OK)
        fprintf(stderr, "%llu:%llu: %s\n", (unsigned long long)fault.line,
                (unsigned long long)fault.column, fault.text);
    INVARIANT(err == OK);
    history_sessions(file->history);
    return file->history;
}

static const char stale[] =
    "{\"pactfs-history\":1}\n"
    "{\"time\":1000,\"process\":0,\"event\":\"begin\",\"acts\":[[\"write\",\"x\",3]]}\n"
    "{\"time\":1500,\"process\":2,\"event\":\"begin\",\"acts\":[[\"write\",\"x\",9]]}\n"
    "{\"time\":9000,\"process\":0,\"event\":\"done\"}\n"
    "{\"time\":12000,\"process\":1,\"event\":\"begin\",\"acts\":[[\"write\",\"x\",4]]}\n"
    "{\"time\":812000,\"process\":1,\"event\":\"done\"}\n"
    "{\"time\":900000,\"event\":\"crash\"}\n"
    "{\"time\":912000,\"process\":3,\"event\":\"begin\",\"acts\":[[\"read\",\"x\"]]}\n"
    "{\"time\":999000,\"process\":2,\"event\":\"unknown\"}\n"
    "{\"time\":1912000,\"process\":3,\"event\":\"done\",\"answers\":[3]}\n";

static void save_stale(const char *folder)
{
    struct history_file file;
    struct history *h = history_of(stale, &file);
    struct witness_step steps[] = {{0, "writes 3"},
                                   {1, "unknown: it may have taken effect at any time"},
                                   {2, "writes 4 after 1 had ended"},
                                   {3, "reads 3, though 4 was written before it began"}};
    uint32_t x = h->acts[0].key;
    struct witness_edge edges[] = {{0, 2, EDGE_WW, x, h->acts[2].args[0]},
                                   {2, 3, EDGE_REAL_TIME, 0, 0},
                                   {0, 3, EDGE_WR, x, h->acts[0].args[0]}};
    struct verdict v = {.promise = PROMISE_LINEARISABLE,
                        .result = CHECK_BROKEN,
                        .anomaly = ANOMALY_STALE,
                        .shape = WITNESS_TIMELINE,
                        .text = "The read of x by process 3 began after the write of 4 had ended, "
                                "and returned 3, which had been overwritten before.",
                        .steps = steps,
                        .step_count = COUNT(steps),
                        .edges = edges,
                        .edge_count = COUNT(edges)};
    save(folder, "stale", h, &v);
    history_file_free(&file);
}

static const char skew[] =
    "{\"pactfs-history\":1}\n"
    "{\"process\":0,\"event\":\"begin\",\"acts\":[[\"read\",\"x\"],[\"append\",\"y\",1]]}\n"
    "{\"process\":1,\"event\":\"begin\",\"acts\":[[\"read\",\"y\"],[\"append\",\"x\",2]]}\n"
    "{\"process\":2,\"event\":\"begin\",\"acts\":[[\"read\",\"y\"],[\"read\",\"x\"]]}\n"
    "{\"process\":0,\"event\":\"done\",\"answers\":[[],null]}\n"
    "{\"process\":1,\"event\":\"done\",\"answers\":[[],null]}\n"
    "{\"process\":2,\"event\":\"done\",\"answers\":[[1],[2]]}\n";

static void save_cycles(const char *folder)
{
    struct history_file file;
    struct history *h = history_of(skew, &file);
    struct witness_step steps[] = {{0, "missed 2 in x"}, {1, "missed 1 in y"}, {2, NULL}};
    uint32_t x = h->acts[0].key, y = h->acts[1].key;
    struct witness_edge two[] = {{0, 1, EDGE_RW, x, h->acts[3].args[0]},
                                 {1, 0, EDGE_RW, y, h->acts[1].args[0]}};
    struct witness_edge three[] = {{0, 1, EDGE_RW, x, h->acts[3].args[0]},
                                   {1, 2, EDGE_WR, x, h->acts[3].args[0]},
                                   {2, 0, EDGE_PROCESS, 0, 0},
                                   {2, 0, EDGE_REAL_TIME, 0, 0}};
    struct verdict v = {.promise = PROMISE_SERIALISABLE,
                        .result = CHECK_BROKEN,
                        .anomaly = ANOMALY_G2,
                        .shape = WITNESS_CYCLE,
                        .text = "",
                        .steps = steps,
                        .step_count = 2,
                        .edges = two,
                        .edge_count = COUNT(two)};
    save(folder, "skew", h, &v);
    v.step_count = 3;
    v.edges = three;
    v.edge_count = COUNT(three);
    save(folder, "three", h, &v);
    history_file_free(&file);
}

/* A witness of transactions by chance; edges in a circle, and some more. */
static void save_random(const char *folder, unsigned seed)
{
    struct history *h = random_history(seed, 40);
    struct witness_step steps[100];
    struct witness_edge edges[120];
    unsigned most = seed % 7 == 0 ? 90 : 2 + seed % 11, edge_count = 0;
    struct verdict v = {
        .promise = seed % PROMISE_COUNT,
        .result = CHECK_BROKEN,
        .anomaly = 1 + seed % (ANOMALY_COUNT - 1),
        .shape = seed % 2 ? WITNESS_CYCLE : WITNESS_TIMELINE,
        .text = "A sentence with <signs> & \"quotes\", and a long word: "
                "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
                "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"};
    char name[32];
    history_sessions(h);
    for (unsigned i = 0; i < most; i++)
        steps[i] =
            (struct witness_step){(seed * 7 + i * 3) % h->txn_count, i % 2 ? "a note" : NULL};
    for (unsigned i = 0; i < most && h->key_count; i++)
        edges[edge_count++] =
            (struct witness_edge){i, (i + 1) % most, (uint8_t)(1 + (seed + i) % 6),
                                  i % h->key_count, i % history_values(h)};
    v.steps = steps;
    v.step_count = most;
    v.edges = edges;
    v.edge_count = edge_count;
    snprintf(name, sizeof name, "random-%u", seed);
    save(folder, name, h, &v);
    history_free(h);
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    save_stale(argv[1]);
    save_cycles(argv[1]);
    for (unsigned seed = 0; seed < (unsigned)strtoul(argv[2], NULL, 10); seed++)
        save_random(argv[1], seed);
    return 0;
}
