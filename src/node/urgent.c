/* SPDX-License-Identifier: MIT
 *
 * urgent.c: one system call.
 */
#include "node/urgent.h"

#include <errno.h>
#include <sys/resource.h>

void urgent(void)
{
    errno = 0;
    int nice = getpriority(PRIO_PROCESS, 0);
    if (errno == 0 && nice > URGENT_NICE)
        (void)!setpriority(PRIO_PROCESS, 0, URGENT_NICE);
}
