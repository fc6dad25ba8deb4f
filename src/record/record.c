/* SPDX-License-Identifier: MIT
 *
 * record.c: a recording from beginning to end.
 */
#include "record/record.h"

#include <stdlib.h>

#include "record/recorder.h"

enum err record_run(const struct record_options *options, struct history **history,
                    struct text *why)
{
    struct recorder recorder = {.options = options};
    for (uint32_t i = 0; i < options->clients; i++)
        recorder.workers[i].socket = -1;
    if (!workers_begin(&recorder, why)) {
        workers_end(&recorder);
        return ERR_IO;
    }
    recorder.out = history_new();
    recorder.start_ns = record_now();
    while (round_run(&recorder))
        ;
    workers_end(&recorder);
    free(recorder.moments);
    *history = recorder.out;
    return OK;
}
