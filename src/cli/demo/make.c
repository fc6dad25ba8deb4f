/* SPDX-License-Identifier: MIT
 *
 * make.c: from nothing to a mounted volume, and back.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cli/demo/demo.h"
#include "cli/mounts.h"
#include "node/cell/ports.h"
#include "node/cell/setup.h"

#define GATHER_MS 30000 /* until all nodes see each other */
#define STEP_MS   50
#define PORTS     3u
#define STOP_MS   10000
#define WAIT_MS   30000

static uint64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

__attribute__((format(printf, 2, 3))) static void step(uint64_t began, const char *format, ...)
{
    va_list arguments;
    uint64_t ms = now_ms() - began;
    printf("%3llu.%llu s  ", (unsigned long long)(ms / 1000),
           (unsigned long long)(ms % 1000 / 100));
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    putchar('\n');
    fflush(stdout);
}

/* --- places --- */

/* Three ports in a row for each node: its own, and two for its member of the registry. */
static int choose_addresses(struct demo *demo)
{
    unsigned first = ports_choose(DEMO_NODES * PORTS);
    if (!first)
        return complain("no ports of 127.0.0.1 are free");
    for (unsigned i = 0; i < DEMO_NODES; i++)
        snprintf(demo->nodes[i].address, sizeof demo->nodes[i].address, "127.0.0.1:%u",
                 first + PORTS * i);
    return EXIT_DONE;
}

int demo_make_dir(const struct demo *demo)
{
    make_default_parents(demo->dir);
    if (mkdir(demo->dir, 0700) == 0)
        return EXIT_DONE;
    if (errno == EEXIST && rmdir(demo->dir) == 0 && mkdir(demo->dir, 0700) == 0)
        return EXIT_DONE; /* it was empty */
    if (errno == EEXIST || errno == ENOTEMPTY)
        return complain("%s holds something that is not a demo; name another place with --dir",
                        demo->dir);
    return complain("%s cannot be made: %s; name another place with --dir", demo->dir,
                    strerror(errno));
}

/* --- nodes --- */

static int cannot(const struct store_error *error, enum err err)
{
    return complain("%s", error->text[0] ? error->text : err_text(err));
}

static struct cell_home *home_of(const struct demo *demo, unsigned node)
{
    struct store_error error;
    struct cell_home *home = calloc(1, sizeof *home);
    if (!home || cell_file_load(demo->nodes[node].home, &home->file, &error) != OK) {
        free(home);
        return NULL;
    }
    snprintf(home->path, sizeof home->path, "%.*s", (int)sizeof home->path - 1,
             demo->nodes[node].home);
    return home;
}

/* Asks the first node. Consumes the request; the answer is never NULL. */
static json_t *ask_first(const struct demo *demo, json_t *request, int timeout_ms)
{
    struct cell_home *home = home_of(demo, 0);
    json_t *answer = home ? cell_ask(home, request, timeout_ms) : json_object();
    free(home);
    return answer;
}

static int make_node(struct demo *demo, unsigned node)
{
    struct store_error error = {""};
    struct setup_made made;
    struct demo_node *n = &demo->nodes[node];
    if (node == 0) {
        struct setup_init init = {
            .home = n->home, .listen = n->address, .name = demo_name(node), .cell = DEMO_VOLUME};
        enum err err = setup_init(&init, &made, &error);
        return err == OK ? EXIT_DONE : cannot(&error, err);
    }
    json_t *answer = ask_first(demo,
                               json_pack("{s:s, s:s, s:i, s:i}", "request", "invite", "role",
                                         "node", "minutes", 10, "uid", -1),
                               CELL_ASK_MS);
    if (!answer_ok(answer)) {
        int code = complain_answer(answer);
        json_decref(answer);
        return code;
    }
    struct setup_join join = {.home = n->home,
                              .code = answer_text(answer, "code"),
                              .listen = n->address,
                              .name = demo_name(node),
                              .timeout_ms = WAIT_MS};
    enum err err = setup_join(&join, &made, &error);
    json_decref(answer);
    return err == OK ? EXIT_DONE : cannot(&error, err);
}

static unsigned nodes_with(const json_t *answer, const char *what)
{
    size_t i;
    json_t *node;
    unsigned count = 0;
    json_array_foreach(json_object_get(answer, "nodes"), i, node)
    {
        count += json_is_true(json_object_get(node, what));
    }
    return count;
}

/* Until all nodes are `what`; how many are. */
static unsigned wait_for(const struct demo *demo, const char *what)
{
    for (uint64_t began = now_ms();;) {
        json_t *answer = ask_first(demo, cell_request("nodes", NULL, NULL), CELL_ASK_MS);
        unsigned count = nodes_with(answer, what);
        json_decref(answer);
        if (count == DEMO_NODES || now_ms() - began > GATHER_MS)
            return count;
        poll(NULL, 0, STEP_MS);
    }
}

static int wait_for_all(const struct demo *demo)
{
    unsigned count = wait_for(demo, "alive");
    if (count == DEMO_NODES)
        return EXIT_DONE;
    return complain("only %u of %u nodes found each other; their logs are %s/*/log (demo --keep "
                    "leaves them there)",
                    count, DEMO_NODES, demo->dir);
}

/* Without it, the loss of the first node would be that of the registry. */
static int wait_for_registry(const struct demo *demo)
{
    unsigned count = wait_for(demo, "registry");
    if (count == DEMO_NODES)
        return EXIT_DONE;
    return complain("only %u of %u nodes have a member of the registry; their logs are %s/*/log "
                    "(demo --keep leaves them there)",
                    count, DEMO_NODES, demo->dir);
}

static int make_volume(const struct demo *demo)
{
    char text[CONTRACT_PRINT_MAX];
    struct contract contract = contract_of(PRESET_STRONG);
    contract_print(&contract, text, sizeof text);
    json_t *answer = ask_first(demo,
                               json_pack("{s:s, s:s, s:s}", "request", "volume-create", "name",
                                         DEMO_VOLUME, "contract", text),
                               WAIT_MS);
    int code = answer_ok(answer) ? EXIT_DONE : complain_answer(answer);
    json_decref(answer);
    return code;
}

/* --- the mount --- */

int demo_mount(struct demo *demo)
{
    struct mount_entry entry;
    pid_t pid = 0;
    if (mounts_find(demo->nodes[0].home, demo->mount, &entry) && entry.runs)
        return EXIT_DONE;
    int code = make_mount_point(demo->mount, &demo->made_mount);
    if (code != EXIT_DONE)
        return code;
    demo_save(demo);
    struct mount_start start = {
        .home = demo->nodes[0].home, .volume = DEMO_VOLUME, .dir = demo->mount};
    json_t *answer = mounts_start(&start, &pid);
    if (answer_ok(answer))
        demo->agent = demo_process_of(pid);
    else if (answer)
        code = complain_answer(answer);
    else
        code = complain("the mount's process ended before it was usable; its log is in %s/mounts",
                        demo->nodes[0].home);
    json_decref(answer);
    demo_save(demo);
    return code;
}

int demo_make(struct demo *demo)
{
    uint64_t began = now_ms();
    int code = choose_addresses(demo);
    if (!demo_save(demo))
        code = complain("%s cannot be written", demo->dir);
    for (unsigned i = 0; i < DEMO_NODES && code == EXIT_DONE; i++) {
        code = make_node(demo, i);
        if (code == EXIT_DONE)
            code = demo_start_node(demo, i);
        if (code == EXIT_DONE)
            step(began, "node %u, '%s', %s and listens on %s", i + 1, demo_name(i),
                 i ? "has joined" : "made the cell", demo->nodes[i].address);
    }
    if (code == EXIT_DONE)
        code = wait_for_all(demo);
    if (code == EXIT_DONE)
        code = make_volume(demo);
    if (code == EXIT_DONE)
        step(began, "volume '%s' is made: contract strong, 3 copies", DEMO_VOLUME);
    if (code == EXIT_DONE)
        code = demo_mount(demo);
    if (code == EXIT_DONE)
        step(began, "mounted at %s", demo->mount);
    if (code == EXIT_DONE)
        code = wait_for_registry(demo);
    if (code == EXIT_DONE)
        step(began, "the registry is on all three nodes: any one may fail now");
    return code;
}

/* --- the end --- */

static void stop_node(struct demo_node *node)
{
    struct client client;
    demo_signal(&node->process, SIGCONT);
    if (client_open(&client, node->home)) {
        json_decref(client_ask(&client, "stop", STOP_MS));
        client_close(&client);
    }
    if (!demo_wait(&node->process, DEMO_GONE, STOP_MS)) {
        demo_signal(&node->process, SIGKILL);
        demo_wait(&node->process, DEMO_GONE, STOP_MS);
    }
    node->process.pid = 0;
}

static void stop_mount(void *ctx, const struct mount_entry *entry)
{
    json_decref(mounts_stop(ctx, entry));
}

void demo_stop(struct demo *demo)
{
    demo_signal(&demo->agent, SIGCONT);
    mounts_each(demo->nodes[0].home, stop_mount, demo->nodes[0].home);
    if (!demo_wait(&demo->agent, DEMO_GONE, STOP_MS)) {
        demo_signal(&demo->agent, SIGKILL);
        demo_wait(&demo->agent, DEMO_GONE, STOP_MS);
    }
    demo->agent.pid = 0;
    for (unsigned i = DEMO_NODES; i-- > 0;)
        stop_node(&demo->nodes[i]);
    if (demo->made_mount)
        rmdir(demo->mount);
    demo_save(demo);
}
