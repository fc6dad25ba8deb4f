/* SPDX-License-Identifier: MIT
 *
 * causal_agree_main.c: causal_agree [HISTORIES [FIRST SEED]]: the checkers of causal order and of
 * the session guarantees agree with the definitions.
 */
#include "../unit/check/causal_agree.h"

#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    uint64_t count = argc > 1 ? strtoull(argv[1], NULL, 10) : 100000;
    uint64_t first = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
    struct causal_agreement a = causal_agree(first, count);
    printf("%llu histories, of %llu the checkers claim to be exact; %llu wrong, %llu left "
           "out\n",
           (unsigned long long)count, (unsigned long long)a.exact, (unsigned long long)a.wrong,
           (unsigned long long)a.too_large);
    for (uint32_t i = 0; i < CAUSAL_PROMISES; i++)
        printf("  %-20s broken by definition %llu, of them not found (none exact) %llu\n",
               promise_word(causal_promises[i]), (unsigned long long)a.broken[i],
               (unsigned long long)a.unfound[i]);
    printf("  linearisable %llu, sequential %llu, causal %llu, PRAM %llu\n",
           (unsigned long long)a.relation_held[0], (unsigned long long)a.relation_held[1],
           (unsigned long long)a.relation_held[2], (unsigned long long)a.relation_held[3]);
    if (a.wrong)
        printf("the first wrong one: seed %llu\n", (unsigned long long)a.first_wrong);
    return a.wrong ? EXIT_FAILURE : EXIT_SUCCESS;
}
