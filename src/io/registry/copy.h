/* SPDX-License-Identifier: MIT
 *
 * copy.h: what the backends of registry.h have in common: limits, and changes that outlive the call
 * that asked for them.
 */
#ifndef PACTFS_IO_REGISTRY_COPY_H
#define PACTFS_IO_REGISTRY_COPY_H

#include "core/registry/registry.h"

/* 1 to REGISTRY_KEY_MAX printable ASCII characters without blanks; a prefix may be empty. */
bool registry_key_sound(const char *key);
bool registry_prefix_sound(const char *prefix);
bool registry_key_begins(const char *key, const char *prefix);

/* OK, or LIMIT. */
enum err registry_change_fits(const struct registry_change *change);

/* A change with arrays, keys and values of its own, in one piece of memory: free() it. Must fit.
 * A write that deletes has data NULL, as in the original; values of length 0 have not. */
struct registry_change *registry_change_copy(const struct registry_change *change);

#endif
