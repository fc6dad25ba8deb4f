/* SPDX-License-Identifier: MIT
 *
 * mounts.c: looking after the agents of a home.
 */
#include "cli/mounts.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "io/fuse/mount.h"

#define MOUNT_MS  20000
#define UMOUNT_MS 30000 /* the kernel is given 15 s */

static int open_folder(const char *home)
{
    char path[HOME_PATH_MAX + 16];
    snprintf(path, sizeof path, "%s/mounts", home);
    return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* Paths of sockets are short, homes are not: by way of the folder's descriptor. */
static int connect_to(int folder, const char *id)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/%.60s.control", folder,
             id);
    if (fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof address) == 0)
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

static bool load(int folder, const char *id, struct mount_entry *out)
{
    char text[2 * HOME_PATH_MAX];
    int fd = openat(folder, id, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    ssize_t got = fd < 0 ? -1 : read(fd, text, sizeof text);
    if (fd >= 0)
        close(fd);
    json_t *json = got > 0 ? json_loadb(text, (size_t)got, 0, NULL) : NULL;
    const char *volume = json_string_value(json_object_get(json, "volume"));
    const char *dir = json_string_value(json_object_get(json, "dir"));
    memset(out, 0, sizeof *out);
    bool sound = volume && dir && strlen(dir) < sizeof out->dir && strlen(id) < sizeof out->id;
    if (sound) {
        snprintf(out->id, sizeof out->id, "%s", id);
        snprintf(out->volume, sizeof out->volume, "%s", volume);
        snprintf(out->dir, sizeof out->dir, "%s", dir);
        out->pid = (long)json_integer_value(json_object_get(json, "pid"));
        fd = connect_to(folder, id);
        out->runs = fd >= 0;
        if (fd >= 0)
            close(fd);
    }
    json_decref(json);
    return sound;
}

void mounts_each(const char *home, void (*each)(void *ctx, const struct mount_entry *entry),
                 void *ctx)
{
    int folder = open_folder(home);
    DIR *dir = folder < 0 ? NULL : fdopendir(dup(folder));
    struct mount_entry entry;
    for (struct dirent *one; dir && (one = readdir(dir));)
        if (!strchr(one->d_name, '.') && load(folder, one->d_name, &entry))
            each(ctx, &entry);
    if (dir)
        closedir(dir);
    if (folder >= 0)
        close(folder);
}

struct search {
    const char *dir;
    struct mount_entry *out;
    bool found;
};

/* A live one rather than what a dead one left. */
static void match(void *ctx, const struct mount_entry *entry)
{
    struct search *search = ctx;
    if (strcmp(entry->dir, search->dir) != 0 || (search->found && !entry->runs))
        return;
    *search->out = *entry;
    search->found = true;
}

bool mounts_find(const char *home, const char *dir, struct mount_entry *out)
{
    struct search search = {.dir = dir, .out = out};
    mounts_each(home, match, &search);
    return search.found;
}

/* --- by process --- */

/* The words of a process's command line, as mounts_start puts them. */
static bool agent_of(const char *pid, const char *dir, char home[HOME_PATH_MAX])
{
    char path[64], words[3 * HOME_PATH_MAX];
    const char *last = "", *found = NULL;
    snprintf(path, sizeof path, "/proc/%.20s/cmdline", pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? -1 : read(fd, words, sizeof words - 1);
    if (fd >= 0)
        close(fd);
    if (got <= 0)
        return false;
    words[got] = '\0';
    const char *end = words + got, *word = words;
    bool agent = false, home_next = false;
    for (unsigned n = 0; word < end; word += strlen(word) + 1, n++) {
        if (n == 1)
            agent = strcmp(word, "agent") == 0;
        if (home_next)
            found = word;
        home_next = strcmp(word, "--home") == 0;
        last = word;
    }
    if (!agent || !found || strlen(found) >= HOME_PATH_MAX || strcmp(last, dir) != 0)
        return false;
    memcpy(home, found, strlen(found) + 1);
    return true;
}

bool mounts_home_of(const char *dir, char home[HOME_PATH_MAX])
{
    struct mount_entry entry;
    bool found = false;
    DIR *all = opendir("/proc");
    for (struct dirent *one; all && !found && (one = readdir(all));)
        found = one->d_name[0] >= '1' && one->d_name[0] <= '9' &&
                agent_of(one->d_name, dir, home) && mounts_find(home, dir, &entry);
    if (all)
        closedir(all);
    return found;
}

bool mounts_open(const char *home, const struct mount_entry *entry, struct client *client)
{
    int folder = open_folder(home);
    client->used = client->taken = 0;
    client->fd = folder < 0 ? -1 : connect_to(folder, entry->id);
    if (folder >= 0)
        close(folder);
    return client->fd >= 0;
}

void mounts_forget(const char *home, const struct mount_entry *entry)
{
    char name[80];
    int folder = open_folder(home);
    if (folder < 0)
        return;
    unlinkat(folder, entry->id, 0);
    snprintf(name, sizeof name, "%s.control", entry->id);
    unlinkat(folder, name, 0);
    close(folder);
}

json_t *mounts_start(const struct mount_start *start, pid_t *pid)
{
    const char *words[10] = {"agent", "--home", start->home};
    unsigned count = 3;
    if (start->allow_other)
        words[count++] = "--allow-other";
    words[count++] = "--";
    words[count++] = start->volume;
    words[count++] = start->dir;
    return start_background(words, MOUNT_MS, pid);
}

json_t *mounts_stop(const char *home, const struct mount_entry *entry)
{
    struct client client;
    json_t *answer = NULL;
    if (mounts_open(home, entry, &client)) {
        answer = client_ask(&client, "umount", UMOUNT_MS);
        client_close(&client);
        return answer ? answer
                      : json_pack("{s:b, s:s}", "ok", 0, "error",
                                  "the mount's process ended, or did not answer in time.");
    }
    enum err err = mount_clear_stale(entry->dir);
    if (err != OK)
        return json_pack("{s:b, s:s}", "ok", 0, "error",
                         "the mount's process has died, and what it left cannot be unmounted by "
                         "this user; as root: umount -l DIR");
    mounts_forget(home, entry);
    return json_pack("{s:b}", "ok", 1);
}
