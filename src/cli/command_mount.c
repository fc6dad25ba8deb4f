/* SPDX-License-Identifier: MIT
 *
 * command_mount.c: mount and umount, of a volume of a cell (mount VOLUME DIR) or of the one volume
 * of a home (mount DIR [HOME]).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "cli/cell_client.h"
#include "cli/mounts.h"
#include "cli/volume.h"
#include "core/registry/records.h"

bool is_volume_home(const char *word)
{
    char home[HOME_PATH_MAX];
    struct store_error error;
    enum home_kind kind = HOME_MISSING;
    return word && resolve_home(word, home, &error) == OK &&
           home_inspect(home, &kind, &error) == OK && kind == HOME_VOLUME;
}

static int mount_cell(const struct arguments *arguments, const struct cell_home *home)
{
    char dir[HOME_PATH_MAX];
    struct store_error error = {""};
    struct mount_entry entry;
    bool made = false;
    const char *volume = arguments->words[0];
    if (!arguments->words[1])
        return complain("say where '%s' is to be mounted: pactfs mount %s DIR", volume, volume);
    if (!record_name_sound(volume))
        return complain("'%s' cannot be the name of a volume; pactfs volume list says which there "
                        "are",
                        volume);
    if (resolve_path(arguments->words[1], dir, &error) != OK)
        return complain("%s", error.text);
    if (mounts_find(home->path, dir, &entry) && entry.runs)
        return complain("the volume '%s' is mounted at %s already", entry.volume, dir);
    if (path_inside(home->path, dir))
        return complain("the home %s lies inside %s and would be hidden by it", home->path, dir);
    int code = make_mount_point(dir, &made);
    if (code != EXIT_DONE)
        return code;
    struct mount_start start = {.home = home->path,
                                .volume = volume,
                                .dir = dir,
                                .allow_other = option_given(arguments, "--allow-other")};
    json_t *answer = mounts_start(&start, NULL);
    if (answer_ok(answer))
        printf("volume '%s' is mounted at %s\n", volume, dir);
    else if (answer)
        code = complain_answer(answer);
    else
        code = complain("the mount's process ended before it was usable; its log is in %s/mounts",
                        home->path);
    json_decref(answer);
    if (code != EXIT_DONE && made)
        rmdir(dir);
    return code;
}

int command_mount(const struct arguments *arguments)
{
    const char *first = arguments->words[0], *second = arguments->words[1];
    bool named = option_given(arguments, "--home");
    bool local = !named && (is_volume_home(second) || (!second && strchr(first, '/')));
    struct cell_home *home = local ? NULL : cell_home_look(arguments);
    int code;
    if (home)
        code = mount_cell(arguments, home);
    else if (named && !(home = cell_home_find(arguments, NULL))) /* it says why */
        code = EXIT_FAILED;
    else if (option_given(arguments, "--allow-other"))
        code = complain("--allow-other is for volumes of a cell here; pactfs up takes it for the "
                        "volume of a home");
    else
        code = mount_local(arguments);
    free(home);
    return code;
}

static int umount_cell(const char *home, const struct mount_entry *entry)
{
    json_t *answer = mounts_stop(home, entry);
    int code = EXIT_DONE;
    if (!answer_ok(answer))
        code = complain_answer(answer);
    else if (json_is_true(json_object_get(answer, "was_busy")))
        printf("unmounted; programs that still used it get errors from now on\n");
    else
        printf("unmounted; the volume '%s' stays. Mount it again with: pactfs mount %s '%s'\n",
               entry->volume, entry->volume, entry->dir);
    json_decref(answer);
    return code;
}

/* A mount that was made from another home than the one meant: its process says which. */
static bool umount_elsewhere(const char *word, int *code)
{
    char dir[HOME_PATH_MAX], home[HOME_PATH_MAX];
    struct store_error error;
    struct mount_entry entry;
    if (!word || resolve_path(word, dir, &error) != OK || !mounts_home_of(dir, home) ||
        !mounts_find(home, dir, &entry))
        return false;
    *code = umount_cell(home, &entry);
    return true;
}

static int umount_from(const struct arguments *arguments, const struct cell_home *home)
{
    char dir[HOME_PATH_MAX];
    struct store_error error = {""};
    struct mount_entry entry;
    const char *word = arguments->words[0];
    int code;
    if (!word)
        return complain("say which mount: pactfs umount DIR; pactfs status lists them");
    if (resolve_path(word, dir, &error) != OK)
        return complain("%s", error.text);
    if (mounts_find(home->path, dir, &entry))
        return umount_cell(home->path, &entry);
    if (!option_given(arguments, "--home") && umount_elsewhere(word, &code))
        return code;
    complain("nothing is mounted at %s from the home %s; pactfs status lists its mounts", dir,
             home->path);
    return EXIT_STOPPED;
}

int command_umount(const struct arguments *arguments)
{
    const char *word = arguments->words[0];
    bool named = option_given(arguments, "--home");
    int code;
    if (!named && is_volume_home(word))
        return umount_local(arguments);
    struct cell_home *home = named ? cell_home_find(arguments, NULL) : cell_home_look(arguments);
    if (home)
        code = umount_from(arguments, home);
    else if (named)
        code = EXIT_FAILED;
    else if (!umount_elsewhere(word, &code))
        code = umount_local(arguments);
    free(home);
    return code;
}
