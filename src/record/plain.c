/* SPDX-License-Identifier: MIT
 *
 * plain.c: registers, lists, sets, counters and accounts as files and directories.
 *
 * Law
 *   P1  One act is one call that changes something, so that it takes effect at one moment; making
 *       the file it needs comes before, and changes nothing that a read would tell.
 *   P2  A register's value takes 8 bytes, which no kernel copies in two. An account's takes 32,
 *       under a lock.
 *   P3  A line without its end is not there yet: an append that crosses a page may be seen in half.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/assert.h"
#include "record/client.h"

#define REGISTER_BYTES 8u
#define ACCOUNT_BYTES  32u
#define BANK_LOCK      "lock"

static const int no_faults[] = {0};

/* --- small things --- */

/* Closes; with --fsync, after the change is on the disk. errno is that of the first failure. */
static bool settle(struct client *client, int fd, bool good)
{
    int number = errno;
    if (good && client->sync && fsync(fd) != 0) {
        good = false;
        number = errno;
    }
    if (close(fd) != 0 && good) {
        good = false;
        number = errno;
    }
    client_ends(client);
    errno = number;
    return good;
}

/* The name of a file must be durable as well as what it holds. */
static bool settle_name(const struct client *client)
{
    return !client->sync || fsync(client->dir) == 0;
}

/* To be written; made when it is missing. */
static int open_to_write(const struct client *client, const char *name, int flags)
{
    int fd = openat(client->dir, name, O_WRONLY | O_CLOEXEC | flags);
    if (fd >= 0 || errno != ENOENT)
        return fd;
    fd = openat(client->dir, name, O_WRONLY | O_CREAT | O_CLOEXEC | flags, 0644);
    if (fd >= 0 && !settle_name(client)) {
        close(fd);
        return -1;
    }
    return fd;
}

static bool changed(struct client *client, bool good)
{
    answer_change(client, good, no_faults);
    return good;
}

static bool not_read(struct client *client, int number)
{
    client_ends(client);
    answer_unknown(client, number);
    return false;
}

/* --- registers and accounts --- */

static size_t value_bytes(const struct client *client)
{
    return client->kind == WORKLOAD_BANK ? ACCOUNT_BYTES : REGISTER_BYTES;
}

static bool write_value(struct client *client, const struct order_act *act)
{
    char block[ACCOUNT_BYTES + 1];
    size_t size = value_bytes(client), len = strlen(act->args[0]);
    INVARIANT(len <= size);
    memset(block, ' ', sizeof block);
    memcpy(block, act->args[0], len);
    client_begins(client);
    int fd = open_to_write(client, act->key, 0);
    if (fd < 0) {
        client_ends(client);
        return changed(client, false);
    }
    bool good = pwrite(fd, block, size, 0) == (ssize_t)size;
    return changed(client, settle(client, fd, good));
}

static bool read_value(struct client *client, const struct order_act *act)
{
    char block[ACCOUNT_BYTES + 1];
    size_t size = value_bytes(client);
    client_begins(client);
    int fd = openat(client->dir, act->key, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno != ENOENT)
        return not_read(client, errno);
    ssize_t n = fd < 0 ? 0 : pread(fd, block, size, 0);
    int number = errno;
    client_ends(client);
    if (fd >= 0)
        close(fd);
    if (n < 0)
        return not_read(client, number);
    while (n > 0 && block[n - 1] == ' ')
        n--;
    block[n] = 0;
    if (n == 0)
        answer_put(client, ANSWER_NIL, OK);
    else
        answer_value(client, block);
    return true;
}

/* --- lists and counters --- */

static bool append(struct client *client, const struct order_act *act)
{
    char line[WORD_MAX + 2];
    bool counter = act->code == ACT_INCREMENT;
    int len = counter ? snprintf(line, sizeof line, "+")
                      : snprintf(line, sizeof line, "%s\n", act->args[0]);
    client_begins(client);
    int fd = open_to_write(client, act->key, O_APPEND);
    if (fd < 0) {
        client_ends(client);
        return changed(client, false);
    }
    bool good = write(fd, line, (size_t)len) == len;
    return changed(client, settle(client, fd, good));
}

static bool read_counter(struct client *client, const struct order_act *act)
{
    struct stat stat = {0};
    char length[32];
    client_begins(client);
    int fd = openat(client->dir, act->key, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno != ENOENT)
        return not_read(client, errno);
    bool good = fd < 0 || fstat(fd, &stat) == 0;
    int number = errno;
    client_ends(client);
    if (fd >= 0)
        close(fd);
    if (!good)
        return not_read(client, number);
    snprintf(length, sizeof length, "%lld", (long long)stat.st_size);
    answer_value(client, length);
    return true;
}

/* All of an open file, or an error. */
static bool read_whole(int fd, struct text *all)
{
    char chunk[16384];
    ssize_t n;
    while ((n = read(fd, chunk, sizeof chunk)) > 0)
        text_add_bytes(all, chunk, (size_t)n);
    return n == 0;
}

static bool read_list(struct client *client, const struct order_act *act)
{
    struct text all = {0};
    struct answer_head head = {ANSWER_LIST, OK, 0};
    client_begins(client);
    int fd = openat(client->dir, act->key, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno != ENOENT)
        return not_read(client, errno);
    bool good = fd < 0 || read_whole(fd, &all);
    int number = errno;
    client_ends(client);
    if (fd >= 0)
        close(fd);
    if (!good) {
        text_free(&all);
        return not_read(client, number);
    }
    size_t used = 0;
    for (size_t i = 0; i < all.len; i++)
        if (all.data[i] == '\n') {
            all.data[i] = 0;
            head.count++;
            used = i + 1;
        }
    text_add_bytes(&client->answer, &head, sizeof head);
    text_add_bytes(&client->answer, all.data, used);
    text_free(&all);
    return true;
}

/* --- sets --- */

static bool add(struct client *client, const struct order_act *act)
{
    client_begins(client);
    if (mkdirat(client->dir, act->key, 0755) != 0 && errno != EEXIST) {
        client_ends(client);
        return changed(client, false);
    }
    int dir = openat(client->dir, act->key, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int fd =
        dir < 0 ? -1 : openat(dir, act->args[0], O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    bool good = fd >= 0 && close(fd) == 0;
    if (dir < 0) {
        client_ends(client);
        return changed(client, false);
    }
    return changed(client, settle(client, dir, good && settle_name(client)));
}

static bool read_set(struct client *client, const struct order_act *act)
{
    struct names names = {{0}, 0};
    client_begins(client);
    bool good = read_names(client->dir, act->key, &names) || errno == ENOENT;
    int number = errno;
    client_ends(client);
    if (good) {
        struct answer_head head = {ANSWER_LIST, OK, names.count};
        text_add_bytes(&client->answer, &head, sizeof head);
        const char *at = names.text.data;
        for (uint32_t i = 0; i < names.count; i++) {
            size_t len = strlen(at) + 1;
            text_add_bytes(&client->answer, at, len);
            at += len + strlen(at + len) + 1; /* over the inode */
        }
    }
    text_free(&names.text);
    return good || not_read(client, number);
}

/* --- the bank's lock --- */

bool bank_enter(struct client *client, const struct order *order)
{
    bool reads = order->ends;
    for (uint32_t i = 0; i < order->count; i++)
        reads &= order->acts[i].code == ACT_READ;
    client_begins(client);
    client->bank_lock = openat(client->dir, BANK_LOCK, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (client->bank_lock < 0)
        return false;
    int done;
    do
        done = flock(client->bank_lock, reads ? LOCK_SH : LOCK_EX);
    while (done != 0 && errno == EINTR);
    if (done == 0)
        return true;
    close(client->bank_lock);
    client->bank_lock = -1;
    return false;
}

void bank_leave(struct client *client)
{
    if (client->bank_lock >= 0)
        close(client->bank_lock);
    client->bank_lock = -1;
    client_ends(client);
}

/* --- which --- */

bool plain_act(struct client *client, const struct order_act *act)
{
    switch (act->code) {
    case ACT_WRITE:
        return write_value(client, act);
    case ACT_APPEND:
    case ACT_INCREMENT:
        return append(client, act);
    case ACT_ADD:
        return add(client, act);
    case ACT_READ:
        return client->kind == WORKLOAD_LIST      ? read_list(client, act)
               : client->kind == WORKLOAD_SET     ? read_set(client, act)
               : client->kind == WORKLOAD_COUNTER ? read_counter(client, act)
                                                  : read_value(client, act);
    default:
        answer_put(client, ANSWER_FAILED, OK);
        return false;
    }
}
