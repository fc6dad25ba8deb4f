/* SPDX-License-Identifier: MIT
 *
 * names.h: the interned texts and keys of a history. See history.h for the functions.
 */
#ifndef PACTFS_CHECK_NAMES_H
#define PACTFS_CHECK_NAMES_H

#include "core/check/history.h"

struct history_names *names_new(void);
void names_free(struct history_names *names);

#endif
