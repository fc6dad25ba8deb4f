/* SPDX-License-Identifier: MIT
 *
 * files.c: the acts of a tree as the calls that they are named after.
 *
 * Law
 *   L1  An inode is known by a descriptor (O_PATH). What a client made it holds until the end, so
 *       that no inode number is used twice.
 *   L2  Which inode a mkdir made is seen by opening the name afterwards. Until then no directory
 *       is moved or removed: mkdir holds a lock alone that renames and rmdirs share. It lies
 *       outside of what is tried, and orders nothing else.
 *   L3  An inode that a client has not met is looked for in the whole tree; when it is not found,
 *       the act was not tried, and failed.
 *   L4  What the root of the run is called does not matter: its number is "1".
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/assert.h"
#include "record/client.h"

#define DEPTH_MAX 32
#define FD_SPARE  64

/* What POSIX answers that the model knows; anything else leaves the outcome open. */
static const int faults[] = {ENOENT, EEXIST, ENOTDIR, EISDIR, ENOTEMPTY,
                             EINVAL, ELOOP,  ESTALE,  EPERM,  0};

/* --- inodes --- */

struct known_inode {
    uint64_t inode;
    int fd;
};

static int find_known(const struct client *client, uint64_t inode)
{
    for (uint32_t i = client->known_count; i-- > 0;)
        if (client->known[i].inode == inode)
            return client->known[i].fd;
    return -1;
}

/* Takes the descriptor. */
static uint64_t know(struct client *client, int fd)
{
    struct stat stat;
    if (fstat(fd, &stat) != 0)
        return 0;
    if (find_known(client, stat.st_ino) >= 0 || stat.st_ino == client->root) {
        close(fd);
        return stat.st_ino;
    }
    if (client->known_count == client->known_room) {
        client->known_room = client->known_room ? client->known_room * 2 : 64;
        client->known = realloc(client->known, client->known_room * sizeof *client->known);
        INVARIANT(client->known != NULL);
    }
    client->known[client->known_count++] = (struct known_inode){stat.st_ino, fd};
    return stat.st_ino;
}

struct search {
    struct client *client;
    uint64_t inode;
    int dir, depth, found;
};

static void search_name(struct search *search, const char *name)
{
    struct stat stat;
    int fd = openat(search->dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return;
    if (fstat(fd, &stat) == 0 && stat.st_ino == search->inode) {
        know(search->client, fd);
        search->found = find_known(search->client, stat.st_ino);
        return;
    }
    close(fd);
}

/* The string behind this one. */
static const char *after(const char *text)
{
    return text + strlen(text) + 1;
}

static void search_below(struct search *search)
{
    struct names names = {{0}, 0};
    int dir = search->dir;
    if (search->depth == DEPTH_MAX || !read_names(dir, ".", &names))
        names.count = 0;
    const char *name = names.text.data;
    search->depth++;
    for (uint32_t i = 0; i < names.count; i++, name = after(after(name))) {
        search->dir = dir;
        search_name(search, name);
        if (search->found >= 0)
            break;
        search->dir = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (search->dir < 0)
            continue;
        search_below(search);
        close(search->dir);
        search->dir = dir;
    }
    search->depth--;
    search->dir = dir;
    text_free(&names.text);
}

/* A descriptor of the inode that an argument names, not to be closed; -1: it is nowhere. */
static int inode_of(struct client *client, const char *text)
{
    uint64_t inode = strtoull(text, NULL, 10);
    if (inode == 1)
        return client->dir;
    int fd = find_known(client, inode);
    if (fd >= 0)
        return fd;
    struct search search = {.client = client, .inode = inode, .found = -1};
    search.dir = openat(client->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (search.dir < 0)
        return -1;
    int top = search.dir;
    search_below(&search);
    close(top);
    return search.found;
}

static void print_inode(const struct client *client, uint64_t inode, char out[24])
{
    snprintf(out, 24, "%" PRIu64, inode == client->root ? 1 : inode);
}

static void inode_path(int fd, char out[40])
{
    snprintf(out, 40, "/proc/self/fd/%d", fd);
}

static void answer_inode(struct client *client, uint64_t inode)
{
    char text[24];
    print_inode(client, inode, text);
    answer_value(client, text);
}

static bool tell(struct client *client, bool good)
{
    answer_change(client, good, faults);
    return true;
}

static bool not_tried(struct client *client)
{
    answer_put(client, ANSWER_FAILED, OK);
    return false;
}

/* --fsync: of the directories that a call changed. */
static bool settle_dir(const struct client *client, int dir)
{
    if (!client->sync)
        return true;
    int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT; /* it was removed since */
    bool good = fsync(fd) == 0;
    close(fd);
    return good;
}

/* --- the lock of L2 --- */

static void lock(const struct client *client, short type)
{
    struct flock lock = {.l_type = type, .l_whence = SEEK_SET, .l_len = 1};
    while (fcntl(client->mkdir_lock, F_SETLKW, &lock) != 0)
        INVARIANT(errno == EINTR);
}

/* --- making --- */

static bool make_file(struct client *client, int dir, const char *name)
{
    char path[40];
    client_begins(client);
    int fd = openat(dir, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
    bool good = fd >= 0 && settle_dir(client, dir);
    int number = errno;
    client_ends(client);
    if (fd < 0)
        return tell(client, false);
    inode_path(fd, path);
    int known = open(path, O_PATH | O_CLOEXEC);
    if (known < 0 && good)
        number = errno;
    close(fd);
    if (known < 0 || !good) {
        answer_unknown(client, number);
        return true;
    }
    answer_inode(client, know(client, known));
    return true;
}

static bool make_dir(struct client *client, int dir, const char *name)
{
    lock(client, F_WRLCK);
    client_begins(client);
    bool good = mkdirat(dir, name, 0755) == 0;
    int number = errno;
    bool synced = !good || settle_dir(client, dir);
    if (!synced)
        number = errno;
    client_ends(client);
    int fd = good ? openat(dir, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) : -1;
    if (good && synced && fd < 0)
        number = errno;
    lock(client, F_UNLCK);
    errno = number;
    if (!good)
        return tell(client, false);
    if (fd < 0 || !synced)
        answer_unknown(client, number);
    else
        answer_inode(client, know(client, fd));
    return true;
}

static bool make(struct client *client, const struct order_act *act, int dir)
{
    if ((long)client->known_count + FD_SPARE >= sysconf(_SC_OPEN_MAX))
        return not_tried(client); /* no descriptor is left to hold it (L1) */
    return act->code == ACT_MKDIR ? make_dir(client, dir, act->args[1])
                                  : make_file(client, dir, act->args[1]);
}

/* --- names --- */

static bool link_name(struct client *client, const struct order_act *act, int inode)
{
    char path[40];
    int dir = inode_of(client, act->args[1]);
    if (dir < 0)
        return not_tried(client);
    inode_path(inode, path);
    client_begins(client);
    bool good = linkat(AT_FDCWD, path, dir, act->args[2], AT_SYMLINK_FOLLOW) == 0 &&
                settle_dir(client, dir);
    client_ends(client);
    return tell(client, good);
}

static bool remove_name(struct client *client, const struct order_act *act, int dir)
{
    bool directory = act->code == ACT_RMDIR;
    if (directory)
        lock(client, F_RDLCK);
    client_begins(client);
    bool good =
        unlinkat(dir, act->args[1], directory ? AT_REMOVEDIR : 0) == 0 && settle_dir(client, dir);
    int number = errno;
    client_ends(client);
    if (directory)
        lock(client, F_UNLCK);
    errno = number;
    return tell(client, good);
}

static bool rename_name(struct client *client, const struct order_act *act, int dir)
{
    const char *how = act->args[4];
    unsigned flags = strcmp(how, "new") == 0        ? RENAME_NOREPLACE
                     : strcmp(how, "exchange") == 0 ? RENAME_EXCHANGE
                                                    : 0;
    int to = inode_of(client, act->args[2]);
    if (to < 0)
        return not_tried(client);
    lock(client, F_RDLCK);
    client_begins(client);
    bool good = renameat2(dir, act->args[1], to, act->args[3], flags) == 0 &&
                settle_dir(client, dir) && settle_dir(client, to);
    int number = errno;
    client_ends(client);
    lock(client, F_UNLCK);
    errno = number;
    return tell(client, good);
}

/* --- looking --- */

static bool look_up(struct client *client, const struct order_act *act, int dir)
{
    client_begins(client);
    int fd = openat(dir, act->args[1], O_PATH | O_NOFOLLOW | O_CLOEXEC);
    client_ends(client);
    if (fd < 0)
        return tell(client, false);
    answer_inode(client, know(client, fd));
    return true;
}

static bool list(struct client *client, int dir)
{
    struct names names = {{0}, 0};
    client_begins(client);
    bool good = read_names(dir, ".", &names);
    int number = errno;
    client_ends(client);
    if (good) {
        struct answer_head head = {ANSWER_LIST, OK, names.count * 2};
        text_add_bytes(&client->answer, &head, sizeof head);
        text_add_bytes(&client->answer, names.text.data, names.text.len);
    }
    text_free(&names.text);
    errno = number;
    return good || tell(client, false);
}

/* --- what files hold --- */

static bool put(struct client *client, const struct order_act *act, int inode)
{
    char path[40], block[9];
    INVARIANT(strlen(act->args[1]) <= 8);
    snprintf(block, sizeof block, "%-8s", act->args[1]);
    inode_path(inode, path);
    client_begins(client);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    bool good = fd >= 0 && pwrite(fd, block, 8, 0) == 8 && (!client->sync || fsync(fd) == 0);
    int number = errno;
    if (fd >= 0 && close(fd) != 0 && good) {
        good = false;
        number = EIO;
    }
    client_ends(client);
    errno = number;
    return tell(client, good);
}

static bool get(struct client *client, int inode)
{
    char path[40], block[9];
    inode_path(inode, path);
    client_begins(client);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : pread(fd, block, 8, 0);
    int number = errno;
    client_ends(client);
    if (fd >= 0)
        close(fd);
    errno = number;
    if (n < 0)
        return tell(client, false);
    while (n > 0 && block[n - 1] == ' ')
        n--;
    block[n] = 0;
    if (n == 0)
        answer_put(client, ANSWER_NIL, OK);
    else
        answer_value(client, block);
    return true;
}

static bool links(struct client *client, int inode)
{
    struct stat stat;
    char text[24];
    client_begins(client);
    bool good = fstat(inode, &stat) == 0;
    client_ends(client);
    if (!good)
        return tell(client, false);
    snprintf(text, sizeof text, "%" PRIu64, (uint64_t)stat.st_nlink);
    answer_value(client, text);
    return true;
}

bool files_act(struct client *client, const struct order_act *act)
{
    int inode = inode_of(client, act->args[0]);
    if (inode < 0)
        return not_tried(client);
    switch (act->code) {
    case ACT_MKDIR:
    case ACT_CREATE:
        return make(client, act, inode);
    case ACT_LINK:
        return link_name(client, act, inode);
    case ACT_UNLINK:
    case ACT_RMDIR:
        return remove_name(client, act, inode);
    case ACT_RENAME:
        return rename_name(client, act, inode);
    case ACT_LOOKUP:
        return look_up(client, act, inode);
    case ACT_LIST:
        return list(client, inode);
    case ACT_PUT:
        return put(client, act, inode);
    case ACT_GET:
        return get(client, inode);
    case ACT_LINKS:
        return links(client, inode);
    default:
        return not_tried(client);
    }
}
