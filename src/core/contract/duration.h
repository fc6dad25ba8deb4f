/* SPDX-License-Identifier: MIT
 *
 * duration.h: lengths of time as contracts write them: 500ms, 2s, 10m, 1h.
 */
#ifndef PACTFS_CONTRACT_DURATION_H
#define PACTFS_CONTRACT_DURATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DURATION_MS       UINT64_C(1000000) /* all in nanoseconds */
#define DURATION_S        (1000 * DURATION_MS)
#define DURATION_M        (60 * DURATION_S)
#define DURATION_H        (60 * DURATION_M)
#define DURATION_MAX      (8784 * DURATION_H) /* a year */
#define DURATION_TEXT_MAX 24u

/* False: not a whole number of 1 to 9 digits with one of the units ms, s, m, h directly behind it,
 * or more than DURATION_MAX. */
bool duration_parse(const char *text, uint64_t *ns);
/* In the largest unit that gives a whole number; parts of a millisecond are lost. Returns buf. */
const char *duration_print(uint64_t ns, char buf[DURATION_TEXT_MAX]);

#endif
