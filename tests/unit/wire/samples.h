/* SPDX-License-Identifier: MIT
 *
 * samples.h: messages to try the codec with: at least one of each kind, with whatever it can have.
 */
#ifndef PACTFS_TESTS_WIRE_SAMPLES_H
#define PACTFS_TESTS_WIRE_SAMPLES_H

#include "core/wire/message.h"

/* Fills sample `number`; false when there is none with that number. Its payload is in ->payload.
 * Memory is static. */
bool sample(unsigned number, struct message *out);
/* The message as it travels: wire_encode, and the payload behind it. */
struct bytes sample_bytes(const struct message *message, struct arena *arena);
/* Every field but `version`, by value. */
bool sample_equal(const struct message *a, const struct message *b);

#endif
