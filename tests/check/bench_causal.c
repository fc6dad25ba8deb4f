/* SPDX-License-Identifier: MIT
 *
 * bench_causal.c: bench_causal [OPERATIONS [CLIENTS [UNKNOWN]]]: what the checkers of causal order
 * and of the session guarantees cost. A causal memory (Ahamad et al. 1995, 3): every client has a
 * replica, and gets the others' writes in causal order, each a little late. UNKNOWN outcomes in
 * 1,000. Prints seconds and the peak of memory; with a faulty delivery in the end, too.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/base/assert.h"
#include "core/base/chance.h"
#include "core/check/verdict.h"

#define RETIRED 64u /* a list or set is not used any more after so many writes */

struct write {
    uint32_t key, value, *causes; /* how many of each client's writes came before */
};

struct memory {
    struct history *h;
    struct chance chance;
    enum history_model model;
    uint32_t clients, keys, unknown, faulty; /* faulty: one delivery of so many; 0: none */
    struct write **writes;                   /* of each client */
    uint32_t *count;                         /* how many */
    uint32_t **has;                          /* of each client: how many of each other's */
    uint32_t **value;                        /* registers: of each client, by key */
    uint32_t **list, *list_count;            /* else: of each client and key, RETIRED at most */
    uint32_t next_key, *uses;
};

static void *zalloc(size_t count, size_t size)
{
    void *p = calloc(count + 1, size);
    INVARIANT(p != NULL);
    return p;
}

static void apply(struct memory *m, uint32_t client, const struct write *w)
{
    size_t at = (size_t)client * m->keys + w->key;
    if (m->model == MODEL_REGISTER) {
        m->value[client][w->key] = w->value;
        return;
    }
    if (!m->list[at])
        m->list[at] = zalloc(RETIRED, sizeof **m->list);
    m->list[at][m->list_count[at]++] = w->value;
}

static void deliver(struct memory *m, uint32_t client)
{
    uint32_t from = chance_below(&m->chance, m->clients);
    bool faulty = m->faulty && !chance_below(&m->chance, m->faulty);
    while (from != client && m->has[client][from] < m->count[from]) {
        const struct write *w = &m->writes[from][m->has[client][from]];
        for (uint32_t i = 0; i < m->clients && !faulty; i++)
            if (w->causes[i] > m->has[client][i])
                return;
        m->has[client][from]++;
        apply(m, client, w);
    }
}

static uint32_t some_key(struct memory *m)
{
    if (m->model == MODEL_REGISTER)
        return chance_below(&m->chance, m->keys);
    uint32_t key = m->next_key + chance_below(&m->chance, 10);
    if (m->uses[key] == RETIRED)
        key = ++m->next_key + 9;
    return key;
}

static void operation(struct memory *m)
{
    static const uint8_t codes[] = {
        [MODEL_REGISTER] = ACT_WRITE, [MODEL_LIST] = ACT_APPEND, [MODEL_SET] = ACT_ADD};
    char name[16];
    uint32_t client = chance_below(&m->chance, m->clients), key = some_key(m);
    struct history_act act = {.code = ACT_READ};
    uint32_t txn = history_begin(m->h, client, 0);
    int len = snprintf(name, sizeof name, "k%u", key);
    (void)history_key(m->h, VALUE_NONE, history_value(m->h, name, (size_t)len), m->model, &act.key);
    size_t at = (size_t)client * m->keys + key;
    bool unknown = chance_below(&m->chance, 1000) < m->unknown;
    if (chance_coin(&m->chance) && m->uses[key] < RETIRED) {
        struct write *w = &m->writes[client][m->count[client]++];
        act.code = codes[m->model];
        act.args[0] = history_number(m->h, txn);
        w->key = key;
        w->value = act.args[0];
        w->causes = zalloc(m->clients, sizeof *w->causes);
        for (uint32_t i = 0; i < m->clients; i++)
            w->causes[i] = m->has[client][i];
        m->uses[key] += m->model != MODEL_REGISTER;
        m->has[client][client]++;
        apply(m, client, w);
        history_add(m->h, &act);
    } else {
        act.value = m->model == MODEL_REGISTER ? m->value[client][key] : VALUE_NONE;
        history_add(m->h, &act);
        if (m->model != MODEL_REGISTER && m->list[at])
            history_answer_list(m->h, txn, 0, m->list[at], m->list_count[at]);
    }
    history_end(m->h, txn, 0, unknown ? OUTCOME_UNKNOWN : OUTCOME_DONE);
    deliver(m, chance_below(&m->chance, m->clients));
    deliver(m, client);
}

static struct history *causal_memory(struct memory *m, uint32_t operations)
{
    m->h = history_new();
    chance_seed(&m->chance, 7);
    m->keys = m->model == MODEL_REGISTER ? 1000 : operations / RETIRED + 100;
    m->writes = zalloc(m->clients, sizeof *m->writes);
    m->count = zalloc(m->clients, sizeof *m->count);
    m->has = zalloc(m->clients, sizeof *m->has);
    m->value = zalloc(m->clients, sizeof *m->value);
    m->list = zalloc((size_t)m->clients * m->keys, sizeof *m->list);
    m->list_count = zalloc((size_t)m->clients * m->keys, sizeof *m->list_count);
    m->uses = zalloc(m->keys, sizeof *m->uses);
    for (uint32_t i = 0; i < m->clients; i++) {
        m->writes[i] = zalloc(operations, sizeof **m->writes);
        m->has[i] = zalloc(m->clients, sizeof **m->has);
        m->value[i] = zalloc(m->keys, sizeof **m->value);
    }
    for (uint32_t i = 0; i < operations; i++)
        operation(m);
    return m->h;
}

/* In a process of its own, so that the peak is its own. */
static void measure(struct memory m, uint32_t operations, enum promise promise)
{
    fflush(stdout);
    pid_t child = fork();
    if (child > 0) {
        waitpid(child, NULL, 0);
        return;
    }
    struct arena arena;
    struct verdict verdict;
    struct rusage usage;
    struct timespec begin, end;
    arena_init(&arena);
    struct history *history = causal_memory(&m, operations);
    getrusage(RUSAGE_SELF, &usage);
    long before = usage.ru_maxrss;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    check_history(history, promise, NULL, &arena, &verdict);
    clock_gettime(CLOCK_MONOTONIC, &end);
    getrusage(RUSAGE_SELF, &usage);
    double seconds =
        (double)(end.tv_sec - begin.tv_sec) + (double)(end.tv_nsec - begin.tv_nsec) / 1e9;
    printf("%-8s %-19s %8u operations %8.3f s, %5ld MiB more  %s %s, %u steps: %s\n",
           model_word(m.model), promise_word(promise), operations, seconds,
           (usage.ru_maxrss - before) / 1024,
           verdict.result == CHECK_HOLDS       ? "holds"
           : verdict.result == CHECK_UNDECIDED ? "undecided"
                                               : "broken",
           anomaly_name(verdict.anomaly), verdict.step_count, verdict.text);
    fflush(stdout);
    _exit(0);
}

int main(int argc, char **argv)
{
    uint32_t operations = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 10000;
    uint32_t clients = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 10;
    uint32_t unknown = argc > 3 ? (uint32_t)strtoul(argv[3], NULL, 10) : 0;
    static const enum history_model models[] = {MODEL_REGISTER, MODEL_LIST, MODEL_SET};
    static const enum promise promises[] = {PROMISE_CAUSAL, PROMISE_READ_YOUR_WRITES,
                                            PROMISE_MONOTONIC_READS, PROMISE_MONOTONIC_WRITES,
                                            PROMISE_WRITES_FOLLOW_READS};
    for (uint32_t faulty = 0; faulty <= 1; faulty++)
        for (uint32_t i = 0; i < sizeof models / sizeof *models; i++)
            for (uint32_t j = 0; j < sizeof promises / sizeof *promises; j++) {
                struct memory m = {.model = models[i], .clients = clients, .unknown = unknown};
                m.faulty = faulty ? operations / 2 : 0;
                measure(m, operations, promises[j]);
            }
    return 0;
}
