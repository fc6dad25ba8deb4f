/* SPDX-License-Identifier: MIT
 *
 * home.c: see home.h for the layout and the law.
 */
#include "node/home.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <jansson.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/base/assert.h"

#define END_MS 5000 /* a process that was killed is gone in this time */

__attribute__((format(printf, 3, 4))) static enum err refuse(struct store_error *error,
                                                             enum err code, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error->text, sizeof error->text, format, arguments);
    va_end(arguments);
    return code;
}

static enum err refuse_errno(struct store_error *error, const char *what, const char *path)
{
    int number = errno;
    return refuse(error, err_from_errno(number), "%s %.300s: %s.", what, path, strerror(number));
}

/* What a node keeps in its home; only `contract` may be there before it has made its lock. */
static bool ours(const char *name)
{
    static const char *const names[] = {"volume.new", "contract",  "lock", "control",
                                        "state.json", "state.new", "log",  "log.1"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return false;
}

static bool of_a_cell(const char *name)
{
    return strcmp(name, "cell.json") == 0 || strcmp(name, "making") == 0;
}

/* Looks through a directory: a volume, only what an interrupted start leaves, or something else. */
static enum err look_inside(DIR *dir, const char *path, enum home_kind *kind,
                            struct store_error *error)
{
    char foreign[256] = "", early[256] = "";
    bool locked = false;
    *kind = HOME_EMPTY;
    for (struct dirent *entry; (entry = readdir(dir));) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (strcmp(entry->d_name, "volume") == 0)
            *kind = HOME_VOLUME;
        else if (of_a_cell(entry->d_name))
            *kind = HOME_CELL;
        else if (strcmp(entry->d_name, "lock") == 0)
            locked = true;
        else if (!ours(entry->d_name))
            snprintf(foreign, sizeof foreign, "%s", entry->d_name);
        else if (strcmp(entry->d_name, "contract") != 0)
            snprintf(early, sizeof early, "%s", entry->d_name);
    }
    if (!locked && !foreign[0])
        memcpy(foreign, early, sizeof foreign);
    if (*kind != HOME_EMPTY || !foreign[0])
        return OK;
    return refuse(error, ERR_NOT_A_STORE,
                  "%.200s is not a PactFS home: it holds '%.100s' and no volume. Name an empty or "
                  "a new directory.",
                  path, foreign);
}

enum err home_inspect(const char *path, enum home_kind *kind, struct store_error *error)
{
    DIR *dir = opendir(path);
    if (!dir && errno == ENOENT) {
        *kind = HOME_MISSING;
        return OK;
    }
    if (!dir && errno == ENOTDIR)
        return refuse(error, ERR_NOT_A_STORE,
                      "%.300s is not a directory. A PactFS home is one; name another place.", path);
    if (!dir)
        return refuse_errno(error, "cannot look into", path);
    enum err err = look_inside(dir, path, kind, error);
    closedir(dir);
    return err;
}

/* Is what is there of the kind that the caller can use? */
static enum err fits(const struct home_open_options *options, const char *path, enum home_kind kind,
                     struct store_error *error)
{
    if (kind == HOME_MISSING && !options->create && !options->cell)
        return refuse(error, ERR_NOENT,
                      "there is no PactFS home at %.300s. Start one with: pactfs up '%.100s'", path,
                      path);
    if (kind == HOME_MISSING && !options->create)
        return refuse(error, ERR_NOENT,
                      "there is no PactFS home at %.300s. Make a cell with: pactfs init", path);
    if (kind == HOME_CELL && !options->cell)
        return refuse(error, ERR_NOT_A_STORE,
                      "%.300s is the home of a machine in a cell. Start it with: pactfs serve "
                      "'%.100s'",
                      path, path);
    if (kind == HOME_VOLUME && options->cell)
        return refuse(error, ERR_NOT_A_STORE,
                      "%.300s is the home of a volume of its own. Name another directory.", path);
    if (kind == HOME_EMPTY && !options->create)
        return refuse(error, ERR_NOT_A_STORE, "%.300s holds no volume.", path);
    return OK;
}

static enum err make_directory(struct home *home, struct store_error *error)
{
    if (mkdir(home->path, 0700) == 0) {
        home->made = true;
        return OK;
    }
    if (errno == ENOENT)
        return refuse(error, ERR_NOENT,
                      "cannot make %.300s: the directory above it does not exist. Make that "
                      "first, or name another place.",
                      home->path);
    return refuse_errno(error, "cannot make", home->path);
}

static enum err take_lock(struct home *home, bool read_only, struct store_error *error)
{
    home->lock_fd = openat(home->fd, "lock", O_RDONLY | O_CLOEXEC);
    if (home->lock_fd < 0 && errno == ENOENT && read_only)
        return OK; /* nobody ever ran here */
    if (home->lock_fd < 0 && errno == ENOENT)
        home->lock_fd = openat(home->fd, "lock", O_RDONLY | O_CREAT | O_CLOEXEC, 0600);
    if (home->lock_fd < 0)
        return refuse_errno(error, "cannot open the lock file in", home->path);
    if (flock(home->lock_fd, LOCK_EX | LOCK_NB) == 0)
        return OK;
    if (errno != EWOULDBLOCK)
        return refuse_errno(error, "cannot lock", home->path);
    struct home_state state;
    home_load_state(home->path, &state);
    if (state.pid > 0)
        return refuse(error, ERR_LOCKED,
                      "%.300s is in use by another process (%ld). Stop it with: pactfs down "
                      "'%.100s'",
                      home->path, state.pid, home->path);
    return refuse(error, ERR_LOCKED,
                  "%.300s is in use by another process. Wait for it to end, or stop it.",
                  home->path);
}

void home_close(struct home *home)
{
    if (home->lock_fd >= 0)
        close(home->lock_fd);
    if (home->fd >= 0)
        close(home->fd);
    home->fd = home->lock_fd = -1;
}

enum err home_open(const struct home_open_options *options, struct home *home,
                   struct store_error *error)
{
    enum home_kind kind;
    memset(home, 0, sizeof *home);
    home->fd = home->lock_fd = -1;
    if (strlen(options->path) >= HOME_PATH_MAX)
        return refuse(error, ERR_NAMETOOLONG, "the path of the home is too long");
    snprintf(home->path, sizeof home->path, "%s", options->path);
    snprintf(home->volume, sizeof home->volume, "%s/volume", home->path);
    enum err err = home_inspect(home->path, &kind, error);
    if (err != OK)
        return err;
    err = fits(options, home->path, kind, error);
    if (err == OK && kind == HOME_MISSING)
        err = make_directory(home, error);
    if (err != OK)
        return err;
    home->fd = open(home->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    err = home->fd < 0 ? refuse_errno(error, "cannot open", home->path)
                       : take_lock(home, options->read_only, error);
    if (err != OK) {
        home_close(home);
        if (home->made)
            rmdir(home->path);
    }
    return err;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *walk)
{
    (void)st;
    (void)type;
    (void)walk;
    return remove(path);
}

void home_remove_tree(const char *path)
{
    nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

enum err home_make_volume(struct env *env, struct home *home, bool *made, struct store_error *error)
{
    char fresh[sizeof home->volume + 8];
    *made = false;
    if (faccessat(home->fd, "volume", F_OK, 0) == 0)
        return OK;
    snprintf(fresh, sizeof fresh, "%s.new", home->volume);
    home_remove_tree(fresh);
    if (mkdir(fresh, 0700) != 0)
        return refuse_errno(error, "cannot make", fresh);
    struct store_options options = {.path = fresh, .node = 1, .limits = store_limits_default()};
    enum err err = store_format(env, &options, error);
    if (err == OK && rename(fresh, home->volume) != 0)
        err = refuse_errno(error, "cannot rename", fresh);
    if (err == OK && fsync(home->fd) != 0)
        err = refuse_errno(error, "cannot sync", home->path);
    if (err != OK)
        home_remove_tree(fresh);
    *made = err == OK;
    return err;
}

void home_unmake(struct home *home)
{
    static const char *const left[] = {"state.json", "state.new", "log", "log.1", "lock"};
    home_remove_tree(home->volume);
    for (size_t i = 0; i < sizeof left / sizeof *left; i++)
        unlinkat(home->fd, left[i], 0);
    if (home->made)
        rmdir(home->path);
}

/* Reads a small file whole; -1 with errno. */
static ssize_t read_small(const char *directory, const char *name, char *buf, size_t size)
{
    char path[HOME_PATH_MAX + 32];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    size_t used = 0;
    ssize_t got = 0;
    while (used < size && (got = read(fd, buf + used, size - used)) > 0)
        used += (size_t)got;
    int number = errno;
    close(fd);
    errno = number;
    return got < 0 ? -1 : (ssize_t)used;
}

enum err home_contract(const char *path, struct contract *contract, struct store_error *error)
{
    char text[CONTRACT_TEXT_MAX + 1];
    struct contract_fault fault;
    ssize_t got = read_small(path, "contract", text, sizeof text);
    *contract = contract_default();
    if (got < 0 && (errno == ENOENT || errno == ENOTDIR))
        return OK;
    if (got < 0)
        return refuse_errno(error, "cannot read the contract in", path);
    enum err err = contract_parse((struct bytes){(uint8_t *)text, (size_t)got}, contract, &fault);
    if (err == OK && contract->preset != PRESET_LOCAL)
        return refuse(error, ERR_CONTRACT,
                      "%.120s/contract: preset = %s keeps copies on several machines, and this "
                      "home is of one; make such a volume in a cell with pactfs volume create",
                      path, contract_preset_name(contract->preset));
    if (err == OK)
        return OK;
    return refuse(error, err, "%.120s/contract, line %u: %.330s", path, fault.line, fault.text);
}

enum err home_save_state(const struct home *home, const struct home_state *state)
{
    json_t *json = json_pack("{s:i, s:I, s:s?}", "version", 1, "pid", (json_int_t)state->pid,
                             "mount", state->mount[0] ? state->mount : NULL);
    if (!json)
        return ERR_INVAL; /* a mount's name that is not UTF-8 */
    enum err err = OK;
    int fd = openat(home->fd, "state.new", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || json_dumpfd(json, fd, JSON_INDENT(2)) != 0 ||
        renameat(home->fd, "state.new", home->fd, "state.json") != 0)
        err = err_from_errno(errno);
    if (fd >= 0)
        close(fd);
    json_decref(json);
    return err;
}

void home_load_state(const char *path, struct home_state *state)
{
    char text[8192];
    memset(state, 0, sizeof *state);
    ssize_t got = read_small(path, "state.json", text, sizeof text);
    json_t *json = got > 0 ? json_loadb(text, (size_t)got, 0, NULL) : NULL;
    const char *mount = json_string_value(json_object_get(json, "mount"));
    state->pid = (long)json_integer_value(json_object_get(json, "pid"));
    if (mount)
        snprintf(state->mount, sizeof state->mount, "%s", mount);
    json_decref(json);
}

void home_wait_for_end(const struct home_state *state)
{
    char process[64], name[32] = "";
    if (state->pid <= 0)
        return;
    snprintf(process, sizeof process, "/proc/%ld", state->pid);
    int fd = (int)syscall(SYS_pidfd_open, (pid_t)state->pid, 0);
    /* The number may belong to somebody else by now. */
    if (fd >= 0 && read_small(process, "comm", name, sizeof name - 1) > 0 &&
        strncmp(name, "pactfs", 6) == 0) {
        struct pollfd ended = {.fd = fd, .events = POLLIN};
        poll(&ended, 1, END_MS);
    }
    if (fd >= 0)
        close(fd);
}

static uint64_t kernel_ms(const char *name)
{
    char text[32] = "";
    ssize_t got = read_small("/proc/sys/vm", name, text, sizeof text - 1);
    return got > 0 ? strtoull(text, NULL, 10) * 10 : 0;
}

struct explain_state home_explain_state(void)
{
    struct store_limits limits = store_limits_default();
    /* The limit is when the sync begins; the promise leaves the disk the rest of the second. */
    uint64_t seconds = limits.unsynced_ns / 1000000000 + 1;
    return (struct explain_state){.unsynced_ms = seconds * 1000,
                                  .dirty_expire_ms = kernel_ms("dirty_expire_centisecs"),
                                  .dirty_writeback_ms = kernel_ms("dirty_writeback_centisecs"),
                                  .writeback = true};
}
