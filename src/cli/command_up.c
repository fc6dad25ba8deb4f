/* SPDX-License-Identifier: MIT
 *
 * command_up.c: `up` starts a node in the background and waits until it is usable; `serve` is that
 * node.
 *
 * What up makes (a mount point, the home) is gone again when the start fails.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/cell_client.h"
#include "io/fuse/mount.h"
#include "node/cell/cell.h"
#include "node/node.h"

#define READY_MS (10 * 60 * 1000) /* a store that was badly damaged may rebuild its index */

struct up {
    const struct arguments *arguments;
    char home[HOME_PATH_MAX], mount[HOME_PATH_MAX];
    bool made_mount;
};

static int check_places(const struct up *up)
{
    char volume[HOME_PATH_MAX + 16];
    snprintf(volume, sizeof volume, "%s/volume", up->home);
    if (path_inside(up->home, up->mount))
        return complain("the home %s lies inside the mount point %s and would be hidden by it; "
                        "name another mount point with --mount DIR",
                        up->home, up->mount);
    if (path_inside(up->mount, volume))
        return complain("the mount point %s lies inside the store of the volume; name another "
                        "with --mount DIR",
                        up->mount);
    return EXIT_DONE;
}

static const char *mounted_at(const json_t *status)
{
    return json_string_value(json_object_get(status, "mount"));
}

static void add_line(void *ctx, enum explain_topic topic, const char *sentence)
{
    (void)topic;
    json_array_append_new(ctx, json_string(sentence));
}

static json_t *promise(const char *home)
{
    struct contract contract;
    struct store_error error;
    struct explain_state state = home_explain_state();
    json_t *lines = json_array();
    if (home_contract(home, &contract, &error) == OK)
        explain_brief(&contract, &state, add_line, lines);
    return lines;
}

static void print_next(const struct up *up)
{
    const char *program = up->arguments->program;
    printf("\n  try:   cp -a SOMETHING '%s'/\n", up->mount);
    printf("         %s status '%s'\n", program, up->home);
    printf("         %s explain '%s'   # what is promised, in full\n", program, up->home);
    printf("         %s scrub '%s'     # verify every byte\n", program, up->home);
    printf("  stop:  %s down '%s'\n", program, up->home);
}

static void print_up(const struct up *up, const char *what, long pid)
{
    json_t *lines = promise(up->home);
    size_t i;
    json_t *line;
    if (option_given(up->arguments, "--json")) {
        print_json(json_pack("{s:b, s:s, s:s, s:s, s:I, s:o}", "ok", 1, "state", what, "home",
                             up->home, "mount", up->mount, "pid", (json_int_t)pid, "promise",
                             lines));
        return;
    }
    printf("PactFS is %s: %s (home %s, process %ld)\n", what, up->mount, up->home, pid);
    json_array_foreach(lines, i, line)
    {
        print_wrapped("  ", json_string_value(line));
    }
    json_decref(lines);
    print_next(up);
}

/* A node runs there: mounted as wanted, or it can be. */
static int join_running(struct up *up, struct client *client)
{
    json_t *status = client_ask(client, "status", ANSWER_MS);
    const char *mount = mounted_at(status);
    long pid = (long)json_integer_value(json_object_get(status, "pid"));
    int code = EXIT_DONE;
    if (!answer_ok(status)) {
        code = complain_answer(status);
    } else if (mount && option_value(up->arguments, "--mount") && strcmp(mount, up->mount) != 0) {
        code = complain("the volume in %s is mounted at %s already, and a volume has one mount in "
                        "this version. To see it at %s too: mount --bind '%s' '%s'",
                        up->home, mount, up->mount, mount, up->mount);
    } else if (mount) {
        snprintf(up->mount, sizeof up->mount, "%s", mount);
        print_up(up, "running already", pid);
    } else {
        code = check_places(up);
        if (code == EXIT_DONE)
            code = make_mount_point(up->mount, &up->made_mount);
        json_t *answer = NULL;
        if (code == EXIT_DONE &&
            client_send(client, json_pack("{s:s, s:s}", "request", "mount", "dir", up->mount)))
            answer = client_read(client, ANSWER_MS);
        if (code == EXIT_DONE && answer_ok(answer))
            print_up(up, "mounted again", pid);
        else if (code == EXIT_DONE)
            code = complain_answer(answer);
        json_decref(answer);
    }
    json_decref(status);
    return code;
}

/* Starts the node; its one line, or NULL when it died without. */
static json_t *start_node(const struct up *up)
{
    const char *words[12] = {"serve", "--mount", up->mount};
    const char *cache = option_value(up->arguments, "--cache");
    unsigned count = 3;
    if (option_given(up->arguments, "--allow-other"))
        words[count++] = "--allow-other";
    if (option_given(up->arguments, "--rebuild-index"))
        words[count++] = "--rebuild-index";
    if (cache) {
        words[count++] = "--cache";
        words[count++] = cache;
    }
    words[count++] = "--";
    words[count++] = up->home;
    return start_background(words, READY_MS, NULL);
}

static int start_new(struct up *up)
{
    struct home_state state;
    int code = check_places(up);
    if (code != EXIT_DONE)
        return code;
    home_load_state(up->home, &state);
    home_wait_for_end(&state);
    if (state.mount[0])
        mount_clear_stale(state.mount);
    code = make_mount_point(up->mount, &up->made_mount);
    if (code != EXIT_DONE)
        return code;
    json_t *answer = start_node(up);
    if (answer_ok(answer)) {
        print_up(up, json_is_true(json_object_get(answer, "made")) ? "up, with a new volume" : "up",
                 (long)json_integer_value(json_object_get(answer, "pid")));
    } else {
        if (up->made_mount)
            rmdir(up->mount);
        code = answer ? complain_answer(answer)
                      : complain("the background process ended before the volume was usable; look "
                                 "at %s/log",
                                 up->home);
    }
    json_decref(answer);
    return code;
}

/* The node of a cell home; what it has is mounted by `pactfs mount`. */
static int up_cell(const struct up *up)
{
    struct client client;
    if (option_value(up->arguments, "--mount"))
        return complain("the home %s is of a cell: its node is started without --mount, and a "
                        "volume mounted with pactfs mount VOLUME DIR",
                        up->home);
    if (client_open(&client, up->home)) {
        client_close(&client);
        printf("the node runs already\n");
        return EXIT_DONE;
    }
    return cell_start(up->home, option_given(up->arguments, "--json"));
}

int command_up(const struct arguments *arguments)
{
    struct store_error error = {""};
    struct contract contract;
    struct client client;
    enum home_kind kind;
    struct up up = {.arguments = arguments};
    const char *mount = option_value(arguments, "--mount");
    uint64_t cache;
    if (!parse_cache(option_value(arguments, "--cache"), &cache))
        return EXIT_USAGE;
    if (resolve_home(arguments->words[0], up.home, &error) != OK ||
        resolve_path(mount ? mount : "mnt", up.mount, &error) != OK ||
        home_inspect(up.home, &kind, &error) != OK ||
        home_contract(up.home, &contract, &error) != OK)
        return complain("%s", error.text);
    if (kind == HOME_CELL)
        return up_cell(&up);
    if (!arguments->words[0])
        make_default_parents(up.home);
    if (!client_open(&client, up.home))
        return start_new(&up);
    if (option_value(arguments, "--cache"))
        complain("the volume runs already; --cache counts from its next start on");
    int code = option_given(arguments, "--rebuild-index")
                   ? complain("the volume in %s is running, and its index can be rebuilt only at "
                              "the start; stop it first: pactfs down '%s'",
                              up.home, up.home)
                   : join_running(&up, &client);
    client_close(&client);
    return code;
}

int ready_descriptor(const char *text)
{
    char *end;
    long fd = strtol(text, &end, 10);
    return *end == 0 && fd > STDERR_FILENO && fd < 1024 && fcntl((int)fd, F_GETFD) >= 0 ? (int)fd
                                                                                        : -1;
}

static int serve_cell(const struct arguments *arguments, const struct node_options *options)
{
    struct cell_options cell = {.home = options->home,
                                .ready_fd = options->ready_fd,
                                .background = options->background,
                                .cache = options->cache};
    if (option_given(arguments, "--mount") || options->allow_other || options->rebuild_index)
        return complain("the home %s is of a cell: --mount, --allow-other and --rebuild-index are "
                        "for the home of one volume",
                        options->home);
    return cell_run(&cell);
}

int command_serve(const struct arguments *arguments)
{
    prctl(PR_SET_NAME, "pactfs"); /* as up starts it, the kernel would call it "exe" */
    struct store_error error = {""};
    char home[HOME_PATH_MAX], mount[HOME_PATH_MAX];
    const char *where = option_value(arguments, "--mount");
    const char *ready = option_value(arguments, "--ready-fd");
    struct node_options options = {.home = home,
                                   .ready_fd = -1,
                                   .background = ready != NULL,
                                   .allow_other = option_given(arguments, "--allow-other"),
                                   .rebuild_index = option_given(arguments, "--rebuild-index")};
    if (!parse_cache(option_value(arguments, "--cache"), &options.cache))
        return EXIT_USAGE;
    if (ready && (options.ready_fd = ready_descriptor(ready)) < 0)
        return complain("--ready-fd names no open descriptor; it is for pactfs up");
    if (resolve_home(arguments->words[0], home, &error) != OK ||
        (where && resolve_path(where, mount, &error) != OK))
        return complain("%s", error.text);
    if (cell_file_there(home))
        return serve_cell(arguments, &options);
    bool made = false;
    if (where) {
        options.mount = mount;
        int code = make_mount_point(mount, &made);
        if (code != EXIT_DONE)
            return code;
    }
    return node_run(&options);
}
