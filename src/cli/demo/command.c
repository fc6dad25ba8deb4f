/* SPDX-License-Identifier: MIT
 *
 * command.c: pactfs demo [WORD [N]].
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/demo/demo.h"
#include "cli/volume.h"
#include "core/contract/nearest.h"

#define LIFE_MS 5000

static int find_place(const struct arguments *arguments, struct demo *demo)
{
    struct store_error error = {""};
    const char *dir = option_value(arguments, "--dir");
    const char *data = getenv("XDG_DATA_HOME"), *home = getenv("HOME");
    char path[HOME_PATH_MAX];
    if (dir)
        snprintf(path, sizeof path, "%s", dir);
    else if (data && data[0] == '/')
        snprintf(path, sizeof path, "%s/pactfs-demo", data);
    else if (home && home[0] == '/')
        snprintf(path, sizeof path, "%s/.local/share/pactfs-demo", home);
    else
        return complain("HOME is not set; name a place for the demo with --dir");
    if (resolve_path(path, demo->dir, &error) != OK)
        return complain("%s", error.text);
    return EXIT_DONE;
}

static void print_next(const struct arguments *arguments, const struct demo *demo)
{
    const char *p = arguments->program;
    printf("\n  try:   cp -a SOMETHING '%s'/\n"
           "         %s demo kill 1     # the machine of the primary loses power, and then:\n"
           "         echo still here > '%s/file'; cat '%s/file'\n"
           "         %s demo status     # who took over, what is missing\n"
           "         %s demo heal       # it comes back, and catches up\n"
           "         %s demo cut 2; %s demo stop 3; %s demo heal\n"
           "         %s explain --home '%s' %s\n"
           "  end:   %s demo down\n",
           demo->mount, p, demo->mount, demo->mount, p, p, p, p, p, p, demo->nodes[0].home,
           DEMO_VOLUME, p);
}

/* --- the words --- */

static int heal(struct demo *demo)
{
    int code = EXIT_DONE;
    for (unsigned i = 0; i < DEMO_NODES && code == EXIT_DONE; i++) {
        struct demo_node *node = &demo->nodes[i];
        enum demo_life life = demo_life(&node->process);
        if (life == DEMO_STOPPED && demo_signal(&node->process, SIGCONT))
            printf("node %u goes on\n", i + 1);
        if (life == DEMO_GONE) {
            code = demo_start_node(demo, i);
            if (code == EXIT_DONE)
                printf("node %u runs again\n", i + 1);
        } else if (node->cut) {
            code = demo_isolate(demo, i, false);
            if (code == EXIT_DONE)
                printf("node %u is connected again\n", i + 1);
        }
    }
    return code;
}

static int up(const struct arguments *arguments, struct demo *demo, bool there)
{
    struct store_error error = {""};
    const char *mount = option_value(arguments, "--mount");
    int code;
    if ((!there || mount) && resolve_path(mount ? mount : DEMO_VOLUME, demo->mount, &error) != OK)
        return complain("%s", error.text);
    if (there && access(demo->nodes[0].home, F_OK) == 0) {
        printf("there is a demo in %s already; it is healed and mounted\n", demo->dir);
        code = heal(demo);
        if (code == EXIT_DONE)
            code = demo_mount(demo);
    } else {
        if (there)
            demo_remove(demo);
        code = demo_make_dir(demo);
        if (code != EXIT_DONE)
            return code;
        code = demo_make(demo);
        if (code != EXIT_DONE) {
            demo_stop(demo);
            if (!option_given(arguments, "--keep"))
                demo_remove(demo);
        }
    }
    if (code == EXIT_DONE)
        print_next(arguments, demo);
    return code;
}

static const char *life_of(const struct demo_node *node)
{
    enum demo_life life = demo_life(&node->process);
    if (life == DEMO_GONE)
        return "killed";
    if (life == DEMO_STOPPED)
        return "stopped";
    return node->cut ? "cut off" : "running";
}

static json_t *nodes_json(const struct demo *demo)
{
    json_t *nodes = json_array();
    for (unsigned i = 0; i < DEMO_NODES; i++)
        json_array_append_new(nodes,
                              json_pack("{s:i, s:s, s:s, s:s, s:I}", "number", (int)i + 1, "name",
                                        demo_name(i), "address", demo->nodes[i].address, "state",
                                        life_of(&demo->nodes[i]), "pid",
                                        (json_int_t)demo->nodes[i].process.pid));
    return nodes;
}

static void print_nodes(const json_t *nodes)
{
    static const char *const heads[] = {"NODE", "NAME", "ADDRESS", "STATE", "PROCESS"};
    struct table table = {.columns = 5};
    size_t i;
    json_t *node;
    json_array_foreach(nodes, i, node)
    {
        table_cell(&table, "%zu", i + 1);
        table_cell(&table, "%s", answer_text(node, "name"));
        table_cell(&table, "%s", answer_text(node, "address"));
        table_cell(&table, "%s", answer_text(node, "state"));
        table_cell(&table, "%llu", (unsigned long long)answer_number(node, "pid"));
    }
    table_print(&table, heads);
}

static int status(const struct arguments *arguments, struct demo *demo)
{
    struct cell_home *home = demo_home(demo);
    json_t *nodes = nodes_json(demo), *volume = NULL;
    if (home)
        volume = cell_ask(home, cell_request("volume-show", "volume", DEMO_VOLUME), CELL_ASK_MS);
    free(home);
    if (option_given(arguments, "--json")) {
        print_json(json_pack("{s:b, s:s, s:s, s:o, s:o*}", "ok", 1, "dir", demo->dir, "mount",
                             demo->mount, "nodes", nodes, "volume", volume));
        return EXIT_DONE;
    }
    print_nodes(nodes);
    printf("\nmounted   %s%s\n", demo->mount,
           demo_life(&demo->agent) == DEMO_GONE ? ": its process has DIED; pactfs demo mounts again"
                                                : "");
    if (answer_ok(volume))
        volume_print(volume);
    else if (volume)
        printf("volume    not known: %s\n", answer_text(volume, "error"));
    else
        printf("volume    no node can be asked; pactfs demo heal\n");
    json_decref(nodes);
    json_decref(volume);
    return EXIT_DONE;
}

static const struct {
    const char *verb;
    int number;
    enum demo_life then;
    const char *says;
} blows[] = {
    {"kill", SIGKILL, DEMO_GONE, "is killed; pactfs demo heal starts it again"},
    {"stop", SIGSTOP, DEMO_STOPPED, "stands still; pactfs demo cont, or heal, lets it go on"},
    {"cont", SIGCONT, DEMO_RUNS, "goes on"},
};

static int hurt(struct demo *demo, const char *verb, unsigned node)
{
    struct demo_process *process = &demo->nodes[node].process;
    if (demo_life(process) == DEMO_GONE)
        return complain("node %u does not run; pactfs demo heal starts it", node + 1);
    if (strcmp(verb, "cut") == 0) {
        int code = demo_isolate(demo, node, true);
        if (code == EXIT_DONE)
            printf("node %u is cut off from everybody; pactfs demo heal connects it\n", node + 1);
        return code;
    }
    for (size_t i = 0; i < sizeof blows / sizeof *blows; i++) {
        if (strcmp(blows[i].verb, verb) != 0)
            continue;
        if (!demo_signal(process, blows[i].number) || !demo_wait(process, blows[i].then, LIFE_MS))
            return complain("node %u does not obey", node + 1);
        printf("node %u %s\n", node + 1, blows[i].says);
    }
    return EXIT_DONE;
}

static int down(const struct arguments *arguments, struct demo *demo)
{
    demo_stop(demo);
    if (option_given(arguments, "--keep")) {
        printf("stopped; its data is in %s; pactfs demo starts it again\n", demo->dir);
        return EXIT_DONE;
    }
    demo_remove(demo);
    printf("the demo is gone, with its data\n");
    return EXIT_DONE;
}

static int usage(const char *word)
{
    static const char *const words[] = {"kill", "stop",   "cont", "cut",
                                        "heal", "status", "down", NULL};
    const char *near = nearest_word(word, words);
    if (near)
        complain("there is no 'pactfs demo %s'; did you mean 'pactfs demo %s'?", word, near);
    else
        complain("there is no 'pactfs demo %s'; see: pactfs demo --help", word);
    return EXIT_USAGE;
}

/* The number of the node that a word hurts, from 0; DEMO_NODES after saying that there is none. */
static unsigned which_node(const struct arguments *arguments)
{
    const char *number = arguments->words[1];
    if (number && strlen(number) == 1 && number[0] >= '1' && number[0] <= '0' + (int)DEMO_NODES)
        return (unsigned)(number[0] - '1');
    complain("say which node, 1 to %u, as in: pactfs demo %s 2", DEMO_NODES, arguments->words[0]);
    return DEMO_NODES;
}

static bool among(const char *word, const char *const *words)
{
    for (; *words; words++)
        if (strcmp(word, *words) == 0)
            return true;
    return false;
}

int command_demo(const struct arguments *arguments)
{
    static const char *const simple[] = {"heal", "status", "down", NULL};
    static const char *const harmful[] = {"kill", "stop", "cont", "cut", NULL};
    static struct demo demo;
    const char *word = arguments->words[0];
    unsigned node = 0;
    if (word && !among(word, simple) && !among(word, harmful))
        return usage(word);
    if (word && among(word, harmful) && (node = which_node(arguments)) == DEMO_NODES)
        return EXIT_USAGE;
    int code = find_place(arguments, &demo);
    if (code != EXIT_DONE)
        return code;
    bool there = demo_load(&demo);
    if (!word)
        return up(arguments, &demo, there);
    if (!there) {
        complain("there is no demo in %s; start one with: pactfs demo", demo.dir);
        return EXIT_STOPPED;
    }
    if (among(word, harmful))
        return hurt(&demo, word, node);
    if (strcmp(word, "heal") == 0)
        return heal(&demo);
    return strcmp(word, "down") == 0 ? down(arguments, &demo) : status(arguments, &demo);
}
