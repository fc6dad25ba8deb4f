/* SPDX-License-Identifier: MIT
 *
 * journal.c: what the node has to say. In the foreground it goes to stderr; in the background to
 * HOME/log, which moves to log.1 when it is JOURNAL_MAX long, so that both together are bounded.
 */
#include "node/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define JOURNAL_MAX (4 << 20)

void journal(const char *format, ...)
{
    char line[1024], when[32];
    struct timespec now;
    struct tm utc;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", &utc);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    dprintf(STDERR_FILENO, "%s pactfs: %s\n", when, line);
}

/* Standard output and error, also of libraries, go to the file. */
static int redirect(int home_fd)
{
    int fd = openat(home_fd, "log", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0)
        return -1;
    int failed = dup2(fd, STDOUT_FILENO) < 0 || dup2(fd, STDERR_FILENO) < 0;
    close(fd);
    return failed ? -1 : 0;
}

enum err journal_open(const struct home *home, bool background, struct store_error *error)
{
    if (!background || redirect(home->fd) == 0)
        return OK;
    snprintf(error->text, sizeof error->text, "cannot write the log in %.300s: %s.", home->path,
             strerror(errno));
    return err_from_errno(errno);
}

void journal_rotate(const struct home *home, bool background)
{
    struct stat st;
    if (!background || fstat(STDERR_FILENO, &st) != 0 || st.st_size < JOURNAL_MAX)
        return;
    if (renameat(home->fd, "log", home->fd, "log.1") == 0 && redirect(home->fd) != 0)
        journal("cannot begin a new log: %s", strerror(errno));
}
