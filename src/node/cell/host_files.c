/* SPDX-License-Identifier: MIT
 *
 * host_files.c: the directory of one replica, see host.h.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "node/cell/host.h"

#define RECORD_MAX (1u << 16) /* bytes of a record in a file */
#define PLACE_MAX  (HOME_PATH_MAX + 128)

/* --- the store --- */

static enum err sync_dir(struct host *host, const char *path)
{
    return host->cell->env->ops->dir_sync(host->cell->env, path);
}

/* A new, empty store: it appears whole or not at all. */
static enum err make_store(struct host *host, const char *path)
{
    char fresh[PLACE_MAX];
    struct env *env = host->cell->env;
    snprintf(fresh, sizeof fresh, "%s/store.new", host->dir);
    home_remove_tree(fresh);
    if (mkdir(fresh, 0700) != 0)
        return err_from_errno(errno);
    struct store_options options = {.path = fresh,
                                    .node = host->cell->file.node,
                                    .limits = store_limits_default(),
                                    .identity = &host->identity};
    enum err err = store_format(env, &options, &host->error);
    if (err == OK)
        err = env->ops->file_rename(env, fresh, path);
    return err == OK ? sync_dir(host, host->dir) : err;
}

static enum err put_aside(struct host *host, const char *path)
{
    char aside[PLACE_MAX];
    snprintf(aside, sizeof aside, "%s/store.damaged", host->dir);
    home_remove_tree(aside);
    if (rename(path, aside) != 0 && errno != ENOENT)
        return err_from_errno(errno);
    return OK;
}

void host_open_job(struct env_job *job)
{
    struct host *host = (struct host *)((char *)job - offsetof(struct host, job));
    char path[PLACE_MAX];
    enum err err = OK;
    snprintf(path, sizeof path, "%s/store", host->dir);
    if (mkdir(host->dir, 0700) != 0 && errno != EEXIST)
        err = err_from_errno(errno);
    if (err == OK && host->put_aside)
        err = put_aside(host, path);
    if (err == OK && access(path, F_OK) != 0)
        err = make_store(host, path);
    struct store_options options = {.path = path,
                                    .node = host->cell->file.node,
                                    .limits = store_limits_default(),
                                    .rebuild_index = host->rebuild};
    if (err == OK)
        err = store_open(host->cell->env, &options, &host->store, &host->error);
    if (err != OK)
        host->store = NULL;
    host->job_err = err;
}

/* --- the record --- */

enum err host_save_record(struct host *host)
{
    char path[PLACE_MAX], fresh[PLACE_MAX];
    struct arena arena;
    snprintf(path, sizeof path, "%s/record", host->dir);
    snprintf(fresh, sizeof fresh, "%s/record.new", host->dir);
    arena_init(&arena);
    struct bytes value = record_encode_volume(&host->volume->record, &arena);
    if (mkdir(host->dir, 0700) != 0 && errno != EEXIST)
        value.len = 0;
    int fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    bool written = fd >= 0 && value.len > 0 &&
                   write(fd, value.data, value.len) == (ssize_t)value.len && fsync(fd) == 0;
    if (fd >= 0)
        close(fd);
    arena_free(&arena);
    if (written && rename(fresh, path) == 0)
        return OK;
    journal("volume %s: cannot write %s: %s", host->volume->record.name, path, strerror(errno));
    return err_from_errno(errno);
}

static bool load_record(struct cell *cell, const char *name)
{
    char path[PLACE_MAX];
    static uint8_t value[RECORD_MAX];
    uint8_t uuid[16];
    snprintf(path, sizeof path, "%s/volumes/%.40s/record", cell->home.path, name);
    if (!record_uuid(name, uuid))
        return false;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd >= 0 ? read(fd, value, sizeof value) : -1;
    if (fd >= 0)
        close(fd);
    struct cell_volume *volume = got > 0 ? volume_row(cell, uuid) : NULL;
    if (!volume)
        return false;
    if (volume_take(volume, (struct bytes){value, (size_t)got}) == OK && host_new(cell, volume))
        return true;
    volume_drop(cell, volume);
    return false;
}

/* --- removal --- */

struct removal {
    struct env_job job;
    char path[PLACE_MAX];
};

static void remove_now(struct env_job *job)
{
    home_remove_tree(((struct removal *)job)->path);
}

static void removed(struct env_job *job)
{
    free(job);
}

static void remove_in_background(struct cell *cell, const char *path)
{
    struct removal *removal = calloc(1, sizeof *removal);
    INVARIANT(removal != NULL);
    removal->job = (struct env_job){.run = remove_now, .done = removed};
    snprintf(removal->path, sizeof removal->path, "%s", path);
    cell->env->ops->submit(cell->env, &removal->job);
}

void host_remove_later(struct cell *cell, const char *dir)
{
    char path[PLACE_MAX];
    snprintf(path, sizeof path, "%s.gone", dir);
    if (rename(dir, path) == 0)
        remove_in_background(cell, path);
    else
        journal("cannot remove %s: %s", dir, strerror(errno));
}

static bool ends_in(const char *name, const char *end)
{
    size_t len = strlen(name), tail = strlen(end);
    return len > tail && strcmp(name + len - tail, end) == 0;
}

void hosts_load(struct cell *cell)
{
    char path[PLACE_MAX];
    snprintf(path, sizeof path, "%s/volumes", cell->home.path);
    mkdir(path, 0700);
    DIR *dir = opendir(path);
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        char inner[PLACE_MAX];
        snprintf(inner, sizeof inner, "%.4000s/%.64s", path, entry->d_name);
        if (ends_in(entry->d_name, ".gone"))
            remove_in_background(cell, inner);
        else if (entry->d_name[0] != '.' && !load_record(cell, entry->d_name))
            journal("%s is not a replica of this version; it is left alone", inner);
    }
    if (dir)
        closedir(dir);
    for (struct cell_volume *v = cell->volumes; v; v = v->next)
        host_follow(cell, v);
}
