/* SPDX-License-Identifier: MIT
 *
 * fuzz.h: what a fuzz target provides. The same file is linked with libFuzzer, and with driver.c.
 */
#ifndef PACTFS_TESTS_FUZZ_H
#define PACTFS_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>

#define FUZZ_INPUT_MAX 16384u

/* Feeds one input to the decoder. Returns 0; a fault is a crash, a report of a sanitizer, or a
 * broken invariant. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Writes seed number `number`, a well-formed input, and returns its length; 0 when there is none
 * with that number. `out` has room for FUZZ_INPUT_MAX bytes. */
size_t fuzz_seed(unsigned number, uint8_t *out);

#endif
