/* SPDX-License-Identifier: MIT
 *
 * search_agree_main.c: search_agree [COUNT [FROM]]: the checkers by search agree with the naive
 * ones on so many random histories (100,000 unless told); prints how many broke each promise.
 */
#include <stdio.h>
#include <stdlib.h>

#include "../unit/check/random_history.h"
#include "../unit/check/search_agree.h"

int main(int argc, char **argv)
{
    uint32_t count = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 100000;
    uint64_t from = argc > 2 ? strtoull(argv[2], NULL, 10) : 0;
    struct agreement a;
    search_agree(from, count, &a);
    printf("%u histories\n", a.histories);
    for (unsigned i = 0; i < PROMISE_COUNT; i++)
        if (a.checked[i])
            printf("%-14s %6u checked %6u broken (%u %%)\n", promise_word(i), a.checked[i],
                   a.broken[i], a.broken[i] * 100 / a.checked[i]);
    for (unsigned i = 0; i < ANOMALY_COUNT; i++)
        if (a.anomalies[i])
            printf("  %-22s %6u\n", anomaly_name(i), a.anomalies[i]);
    if (!a.what)
        return 0;
    struct history *history = random_history(a.seed);
    struct arena arena;
    struct verdict verdict;
    struct text text = {0};
    arena_init(&arena);
    check_history(history, a.promise, NULL, &arena, &verdict);
    printf("seed %llu, %s: %s\n", (unsigned long long)a.seed, promise_word(a.promise), a.what);
    search_agree_print(history);
    verdict_tell(history, &verdict, &text);
    printf("verdict %d: %s\n%s", verdict.result, verdict.text, text_string(&text));
    return 1;
}
