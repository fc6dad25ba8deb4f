/* SPDX-License-Identifier: MIT
 *
 * nearest.c: edit distance over short words.
 */
#include "core/contract/nearest.h"

#include <stdint.h>
#include <string.h>

#include "core/base/assert.h"

#define WORD_MAX 63u

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
    INVARIANT(a_len <= WORD_MAX && b_len <= WORD_MAX);
    size_t row[WORD_MAX + 1];
    for (size_t j = 0; j <= b_len; j++)
        row[j] = j;
    for (size_t i = 1; i <= a_len; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            size_t above = row[j];
            size_t replaced = diagonal + (a[i - 1] != b[j - 1]);
            row[j] = least(replaced, least(above, row[j - 1]) + 1);
            diagonal = above;
        }
    }
    return row[b_len];
}

const char *nearest_word(const char *typed, const char *const *words)
{
    size_t typed_len = strlen(typed);
    const char *best = NULL;
    size_t best_distance = SIZE_MAX;
    if (typed_len == 0 || typed_len > WORD_MAX)
        return NULL;
    for (; *words; words++) {
        size_t len = strlen(*words);
        if (len > WORD_MAX)
            continue;
        size_t d = distance(typed, typed_len, *words, len);
        size_t longer = len > typed_len ? len : typed_len;
        if (d < best_distance && d * 3 <= longer + 1) {
            best = *words;
            best_distance = d;
        }
    }
    return best;
}
