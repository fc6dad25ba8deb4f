/* SPDX-License-Identifier: MIT
 *
 * nearest.h: "did you mean": the known word nearest to one that is not known.
 */
#ifndef PACTFS_CONTRACT_NEAREST_H
#define PACTFS_CONTRACT_NEAREST_H

#include <stddef.h>

/* The word of `words` (ended by NULL) that is nearest to `typed` by insertions, deletions and
 * replacements of single letters (Levenshtein), or NULL when none is near enough to be what was
 * meant: more than a third of the letters differ. Words longer than 63 letters are never near. */
const char *nearest_word(const char *typed, const char *const *words);

#endif
