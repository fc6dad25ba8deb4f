/* SPDX-License-Identifier: MIT
 *
 * process.c: the demo's processes, which are nobody's children once the command has ended.
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/demo/demo.h"

#define START_MS 60000
#define STEP_MS  20
#define BEGAN    22u /* field of /proc/PID/stat */

/* The process's state letter and start; 0: there is no such process. */
static char look(long pid, uint64_t *began)
{
    char path[64], text[1024];
    snprintf(path, sizeof path, "/proc/%ld/stat", pid);
    int fd = pid > 0 ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    ssize_t got = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (fd >= 0)
        close(fd);
    if (got <= 0)
        return 0;
    text[got] = 0;
    char *at = strrchr(text, ')'); /* the name before it may hold anything */
    if (!at || strlen(at) < 3)
        return 0;
    char state = at[2];
    at += 2;
    for (unsigned field = 3; at && field < BEGAN; field++) {
        at = strchr(at, ' ');
        if (at)
            at++;
    }
    *began = at ? strtoull(at, NULL, 10) : 0;
    return state;
}

struct demo_process demo_process_of(long pid)
{
    struct demo_process process = {.pid = pid};
    if (!look(pid, &process.began))
        process.pid = 0;
    return process;
}

enum demo_life demo_life(const struct demo_process *process)
{
    uint64_t began = 0;
    char state = look(process->pid, &began);
    if (!state || began != process->began || state == 'Z' || state == 'X')
        return DEMO_GONE;
    return state == 'T' ? DEMO_STOPPED : DEMO_RUNS;
}

bool demo_signal(const struct demo_process *process, int number)
{
    return demo_life(process) != DEMO_GONE && kill((pid_t)process->pid, number) == 0;
}

bool demo_wait(const struct demo_process *process, enum demo_life life, int timeout_ms)
{
    for (int waited = 0; demo_life(process) != life; waited += STEP_MS) {
        if (waited >= timeout_ms)
            return false;
        poll(NULL, 0, STEP_MS);
    }
    return true;
}

int demo_start_node(struct demo *demo, unsigned node)
{
    const char *const words[] = {"serve", "--", demo->nodes[node].home, NULL};
    pid_t pid = 0;
    json_t *answer = start_background(words, START_MS, &pid);
    int code = EXIT_DONE;
    if (answer_ok(answer)) {
        demo->nodes[node].process = demo_process_of(pid);
        demo->nodes[node].cut = false;
        demo_save(demo);
    } else if (answer) {
        code = complain_answer(answer);
    } else {
        code = complain("node %u ended before it was usable; look at %s/log", node + 1,
                        demo->nodes[node].home);
    }
    json_decref(answer);
    return code;
}

int demo_isolate(struct demo *demo, unsigned node, bool on)
{
    struct client client;
    if (!client_open(&client, demo->nodes[node].home))
        return complain("node %u does not run; pactfs demo heal starts it", node + 1);
    json_t *answer = NULL;
    if (client_send(&client, json_pack("{s:s, s:b}", "request", "isolate", "on", on)))
        answer = client_read(&client, ANSWER_MS);
    client_close(&client);
    int code = answer_ok(answer) ? EXIT_DONE : complain_answer(answer);
    json_decref(answer);
    if (code == EXIT_DONE) {
        demo->nodes[node].cut = on;
        demo_save(demo);
    }
    return code;
}

struct cell_home *demo_home(const struct demo *demo)
{
    for (unsigned i = 0; i < DEMO_NODES; i++) {
        const struct demo_node *node = &demo->nodes[i];
        struct store_error error;
        if (node->cut || demo_life(&node->process) != DEMO_RUNS)
            continue;
        struct cell_home *home = calloc(1, sizeof *home);
        if (home && cell_file_load(node->home, &home->file, &error) == OK) {
            snprintf(home->path, sizeof home->path, "%.*s", (int)sizeof home->path - 1, node->home);
            return home;
        }
        free(home);
    }
    return NULL;
}
