/* SPDX-License-Identifier: MIT
 *
 * journal.h: HOME/log, bounded.
 */
#ifndef PACTFS_NODE_JOURNAL_H
#define PACTFS_NODE_JOURNAL_H

#include "node/home.h"

/* In the background, standard output and error become HOME/log. */
enum err journal_open(const struct home *home, bool background, struct store_error *error);
void journal_rotate(const struct home *home, bool background); /* when it has grown too long */
/* One line, with the time. */
__attribute__((format(printf, 1, 2))) void journal(const char *format, ...);

#endif
