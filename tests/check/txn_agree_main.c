/* SPDX-License-Identifier: MIT
 *
 * txn_agree_main.c: txn_agree [HISTORIES [FIRST SEED]]: the checkers of transactions agree with the
 * definitions.
 */
#include <stdio.h>
#include <stdlib.h>

#include "../unit/check/txn_agree.h"

int main(int argc, char **argv)
{
    uint64_t count = argc > 1 ? strtoull(argv[1], NULL, 10) : 100000;
    uint64_t first = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
    struct agreement sum = txn_agree(first, count);
    printf("%llu histories, %llu verdicts, %llu broken by definition, %llu in histories where the "
           "checker is complete; of the others %llu were not found; %llu wrong\n",
           (unsigned long long)count, (unsigned long long)sum.judged,
           (unsigned long long)sum.broken, (unsigned long long)sum.exact,
           (unsigned long long)sum.missed, (unsigned long long)sum.wrong);
    return sum.wrong ? EXIT_FAILURE : EXIT_SUCCESS;
}
