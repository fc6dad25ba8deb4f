/* SPDX-License-Identifier: MIT
 *
 * timed_history.h: histories drawn on a time axis, as papers draw them.
 *
 *   "[x=1    ]     [x:2]"     each line is a process; [ and ] are the beginning and the end
 *   "     [x=2 ]         "
 *
 * Columns are time; of two in one column the upper line's is first. An operation ends with ] if
 * it was answered, > if its outcome is unknown, ! if it failed. A line "#    #" has the crashes.
 *   x=1 x:1 x:-        a register (u ... z): write, read, read nothing
 *   x=1~2 x=1~2.       cas from 1 to 2; one that was refused
 *   l+1 l:1,2 l:-      a list (l ... n): append, read, read the empty one
 *   s+1 s:1,2          a set (r ... s)     c+1 c:3    a counter (a ... d)
 *   mkdir 1 a 2        the tree: a word of act_word and its arguments; "= answer" behind: a value,
 *                      pairs of names and inodes, or the name of a fault
 *   sync               a trailing * : answered as durable.   a;b : two acts in one transaction
 */
#ifndef PACTFS_TEST_TIMED_HISTORY_H
#define PACTFS_TEST_TIMED_HISTORY_H

#include "core/check/history.h"

/* Lines up to a NULL. To be freed by history_free; ends the program when it is not understood. */
struct history *timed_history(const char *const *lines);

#endif
