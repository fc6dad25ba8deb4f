/* SPDX-License-Identifier: MIT
 *
 * start.c: this program once more, in the background.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/cli.h"
#include "core/base/assert.h"

#define BACKGROUND_WORDS 24u

_Noreturn static void become(const char *const *words, int ready_fd)
{
    char fd[16];
    const char *argv[BACKGROUND_WORDS + 4] = {"pactfs", words[0], "--ready-fd", fd};
    unsigned count = 4;
    snprintf(fd, sizeof fd, "%d", ready_fd);
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null < 0 || setsid() < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0 ||
        dup2(null, STDERR_FILENO) < 0 || chdir("/") != 0)
        _exit(1);
    fcntl(ready_fd, F_SETFD, 0);
    for (unsigned i = 1; words[i]; i++) {
        INVARIANT(count < BACKGROUND_WORDS + 3);
        argv[count++] = words[i];
    }
    argv[count] = NULL;
    execv("/proc/self/exe", (char *const *)(uintptr_t)argv);
    _exit(1);
}

json_t *start_background(const char *const *words, int timeout_ms, pid_t *pid)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        return NULL;
    fflush(stdout);
    pid_t child = fork();
    if (child == 0)
        become(words, ends[1]);
    close(ends[1]);
    if (pid)
        *pid = child;
    struct client pipe = {.fd = ends[0]};
    json_t *answer = child < 0 ? NULL : client_read(&pipe, timeout_ms);
    if (!answer && child > 0)
        kill(child, SIGKILL); /* it said nothing in time; or has ended */
    if (!answer_ok(answer) && child > 0)
        waitpid(child, NULL, 0); /* it ends by itself: nothing is left when this returns */
    client_close(&pipe);
    return answer;
}
