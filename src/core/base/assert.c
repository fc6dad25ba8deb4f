/* SPDX-License-Identifier: MIT */
#include "core/base/assert.h"

#include <stdio.h>
#include <stdlib.h>

void invariant_broken(const char *what, const char *file, int line)
{
    fprintf(stderr,
            "pactfs: invariant broken: %s (%s:%d). Nothing more is written; the log is intact up "
            "to here.\n",
            what, file, line);
    abort();
}
