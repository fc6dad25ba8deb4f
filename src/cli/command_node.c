/* SPDX-License-Identifier: MIT
 *
 * command_node.c: down, mount, umount, sync, checkpoint, clean: one request to a running node each,
 * the last five of a home with one volume.
 */
#include <stdio.h>
#include <unistd.h>

#include "cli/cli.h"
#include "io/fuse/mount.h"
#include "node/node.h"

#define STOP_MS (NODE_STOP_MS + 10000)
#define WORK_MS (60 * 60 * 1000) /* cleaning a large store takes its time */

/* The home named by `word`, which must be one; and the node that runs there, if any. */
static int find_node(const char *word, char home[HOME_PATH_MAX], struct client *client)
{
    struct store_error error = {""};
    enum home_kind kind;
    if (resolve_home(word, home, &error) != OK || home_inspect(home, &kind, &error) != OK)
        return complain("%s", error.text);
    if (kind == HOME_MISSING)
        return complain("there is no PactFS home at %s. Start one with: pactfs up '%s'", home,
                        home);
    return client_open(client, home) ? EXIT_DONE : EXIT_STOPPED;
}

static int not_running(const char *home)
{
    complain("nothing is running for %s. Start it with: pactfs up '%s'", home, home);
    return EXIT_STOPPED;
}

/* A node that was killed leaves its mount behind. */
static void clear_after_death(const char *home)
{
    struct home_state state;
    home_load_state(home, &state);
    home_wait_for_end(&state);
    if (state.mount[0] && mount_clear_stale(state.mount) != OK)
        complain("%s is still mounted by a process that has died; unmount it with: umount -l '%s'",
                 state.mount, state.mount);
}

int command_down(const struct arguments *arguments)
{
    char home[HOME_PATH_MAX];
    struct client client;
    struct home_state state;
    int code = find_node(arguments->words[0], home, &client);
    if (code == EXIT_STOPPED) {
        clear_after_death(home);
        printf("nothing was running for %s\n", home);
        return EXIT_DONE;
    }
    if (code != EXIT_DONE)
        return code;
    home_load_state(home, &state);
    json_t *answer = client_ask(&client, "stop", STOP_MS);
    if (answer_ok(answer)) {
        home_wait_for_end(&state); /* it still has its log open */
        printf("stopped: %s\n", home);
    } else {
        code = complain_answer(answer);
    }
    json_decref(answer);
    client_close(&client);
    return code;
}

int mount_local(const struct arguments *arguments)
{
    char home[HOME_PATH_MAX], dir[HOME_PATH_MAX];
    struct store_error error = {""};
    struct client client;
    bool made = false;
    int code = find_node(arguments->words[1], home, &client);
    if (code == EXIT_STOPPED)
        return not_running(home);
    if (code != EXIT_DONE)
        return code;
    if (resolve_path(arguments->words[0], dir, &error) != OK)
        code = complain("%s", error.text);
    else if (path_inside(home, dir))
        code = complain("the home %s lies inside %s and would be hidden by it", home, dir);
    else
        code = make_mount_point(dir, &made);
    if (code == EXIT_DONE) {
        json_t *answer = NULL;
        if (client_send(&client, json_pack("{s:s, s:s}", "request", "mount", "dir", dir)))
            answer = client_read(&client, ANSWER_MS);
        if (answer_ok(answer))
            printf("mounted at %s\n", dir);
        else
            code = complain_answer(answer);
        json_decref(answer);
    }
    if (code != EXIT_DONE && made)
        rmdir(dir);
    client_close(&client);
    return code;
}

int umount_local(const struct arguments *arguments)
{
    char home[HOME_PATH_MAX];
    struct client client;
    int code = find_node(arguments->words[0], home, &client);
    if (code == EXIT_STOPPED)
        return not_running(home);
    if (code != EXIT_DONE)
        return code;
    json_t *answer = client_ask(&client, "umount", ANSWER_MS);
    if (!answer_ok(answer))
        code = complain_answer(answer);
    else if (json_is_true(json_object_get(answer, "was_busy")))
        printf("unmounted; programs that still used it get errors from now on\n");
    else
        printf("unmounted; the volume stays up. Mount it again with: pactfs mount DIR '%s'\n",
               home);
    json_decref(answer);
    client_close(&client);
    return code;
}

int command_store(const struct arguments *arguments)
{
    char home[HOME_PATH_MAX];
    struct client client;
    int code = find_node(arguments->words[0], home, &client);
    if (code == EXIT_STOPPED)
        return not_running(home);
    if (code != EXIT_DONE)
        return code;
    json_t *answer = client_ask(&client, arguments->command, WORK_MS);
    if (!answer_ok(answer))
        code = complain_answer(answer);
    json_decref(answer);
    client_close(&client);
    return code;
}
