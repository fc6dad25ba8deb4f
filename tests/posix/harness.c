/* SPDX-License-Identifier: MIT
 *
 * harness.c: runs the cases of all topics in a directory.
 *
 *     posix [--list] [--may-skip CASE]... DIR [PATTERN]...
 *
 * Prints one line per case that did not pass and a summary. A skipped case is a failure unless
 * named by --may-skip. PATTERN selects the cases "topic/case" that contain it. Exit code 0: all
 * passed, 1: some did not, 2: usage.
 */
#include "harness.h"

#include <ftw.h>
#include <grp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#define EXIT_SKIP 77
#define SKIPS_MAX 32

extern const struct topic topic_open, topic_dirs, topic_links, topic_special, topic_perms,
    topic_times, topic_xattr, topic_acl, topic_sparse, topic_io, topic_rename, topic_bigdir,
    topic_locks, topic_mmap, topic_limits, topic_stale;

static const struct topic *const topics[] = {
    &topic_open,  &topic_dirs, &topic_links,  &topic_special, &topic_perms,  &topic_times,
    &topic_xattr, &topic_acl,  &topic_sparse, &topic_io,      &topic_rename, &topic_bigdir,
    &topic_locks, &topic_mmap, &topic_limits, &topic_stale,
};

struct run {
    const char *may_skip[SKIPS_MAX];
    size_t may_skip_count;
    char *const *patterns;
    bool list;
    unsigned passed, failed, skipped;
};

void check_failed(const char *file, int line, const char *format, ...)
{
    const char *base = strrchr(file, '/');
    va_list args;

    printf("    %s:%d: ", base ? base + 1 : file, line);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    printf("\n");
    fflush(stdout);
    _exit(1);
}

void skip_case(const char *reason)
{
    printf("    %s\n", reason);
    fflush(stdout);
    _exit(EXIT_SKIP);
}

long long check_ok(const char *file, int line, const char *call, long long result)
{
    if (result < 0)
        check_failed(file, line, "%s: %s", call, strerror(errno));
    return result;
}

void check_fails(const char *file, int line, const char *call, long long result, int number)
{
    int got = errno;

    if (result >= 0)
        check_failed(file, line, "%s succeeded, should fail: %s", call, strerror(number));
    if (got != number)
        check_failed(file, line, "%s: %s, should be: %s", call, strerror(got), strerror(number));
}

void check_same(const char *file, int line, const char *what, long long a, long long b)
{
    if (a != b)
        check_failed(file, line, "%s: %lld and %lld", what, a, b);
}

int open_ok(const char *path, int flags, mode_t mode)
{
    int fd = open(path, flags | O_CLOEXEC, mode);

    if (fd < 0)
        check_failed(__FILE__, __LINE__, "open %s flags %#o: %s", path, (unsigned)flags,
                     strerror(errno));
    return fd;
}

void write_all(int fd, const void *data, size_t len)
{
    for (size_t done = 0; done < len;) {
        ssize_t n = write(fd, (const char *)data + done, len - done);

        if (n <= 0)
            check_failed(__FILE__, __LINE__, "write: %s", strerror(errno));
        done += (size_t)n;
    }
}

void make_file(const char *path, const char *content)
{
    int fd = OPEN(path, O_CREAT | O_TRUNC | O_WRONLY);

    write_all(fd, content, strlen(content));
    OK(close(fd));
}

void check_content(const char *path, const char *content)
{
    size_t len = strlen(content);
    char *got = malloc(len + 1);
    int fd = OPEN(path, O_RDONLY);
    ssize_t n;

    CHECK(got);
    n = read(fd, got, len + 1);
    if (n != (ssize_t)len || memcmp(got, content, len) != 0)
        check_failed(__FILE__, __LINE__, "%s does not hold \"%.60s\"", path, content);
    free(got);
    close(fd);
}

struct stat stat_of(const char *path)
{
    struct stat st;

    if (lstat(path, &st) != 0)
        check_failed(__FILE__, __LINE__, "lstat %s: %s", path, strerror(errno));
    return st;
}

bool exists(const char *path)
{
    struct stat st;

    return lstat(path, &st) == 0;
}

void need_root(void)
{
    if (geteuid() != 0)
        skip_case("needs root");
}

/* --- other processes --- */

pid_t spawn(void (*fn)(void *arg), void *arg)
{
    pid_t child = (pid_t)OK(fork());

    if (child == 0) {
        /* No child outlives a case, however that ends. */
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        fn(arg);
        fflush(stdout);
        _exit(0);
    }
    return child;
}

void wait_ok(pid_t child)
{
    int status;

    SAME(OK(waitpid(child, &status, 0)), child);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        _exit(1); /* the child said why */
}

struct user_call {
    uid_t uid;
    gid_t gid;
    void (*fn)(void);
};

static void run_as(void *arg)
{
    const struct user_call *call = arg;

    OK(setgroups(0, NULL));
    OK(setgid(call->gid));
    OK(setuid(call->uid));
    call->fn();
}

void as_user(uid_t uid, gid_t gid, void (*fn)(void))
{
    struct user_call call = {uid, gid, fn};

    need_root();
    wait_ok(spawn(run_as, &call));
}

struct link_pair link_pair(void)
{
    struct link_pair l;

    OK(pipe2(l.to_child, O_CLOEXEC));
    OK(pipe2(l.to_parent, O_CLOEXEC));
    return l;
}

void signal_child(const struct link_pair *l)
{
    SAME(write(l->to_child[1], "", 1), 1);
}

void signal_parent(const struct link_pair *l)
{
    SAME(write(l->to_parent[1], "", 1), 1);
}

void await_parent(const struct link_pair *l)
{
    char c;

    SAME(read(l->to_child[0], &c, 1), 1);
}

void await_child(const struct link_pair *l)
{
    char c;

    SAME(read(l->to_parent[0], &c, 1), 1);
}

/* --- the run --- */

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st;
    (void)at;
    return type == FTW_DP ? rmdir(path) : unlink(path);
}

/* What a case left, and the descent may need rights that the case took away. */
static int open_up(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)at;
    if (type == FTW_DNR || type == FTW_D)
        return chmod(path, st->st_mode | 0700);
    return 0;
}

static bool selected(const struct run *run, const char *name)
{
    if (!run->patterns[0])
        return true;
    for (char *const *p = run->patterns; *p; p++)
        if (strstr(name, *p))
            return true;
    return false;
}

static bool may_skip(const struct run *run, const char *name)
{
    for (size_t i = 0; i < run->may_skip_count; i++)
        if (strcmp(run->may_skip[i], name) == 0)
            return true;
    return false;
}

_Noreturn static void run_child(const struct test_case *c, const char *dir)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    alarm(CASE_SECONDS);
    if (chdir(dir) != 0)
        check_failed(__FILE__, __LINE__, "chdir: %s", strerror(errno));
    c->run();
    fflush(stdout);
    _exit(0);
}

static int run_in_child(const struct test_case *c, const char *dir)
{
    int status;
    pid_t child;

    fflush(stdout);
    child = fork();
    if (child == 0)
        run_child(c, dir);
    if (child < 0 || waitpid(child, &status, 0) != child)
        return 1;
    if (WIFEXITED(status))
        return WEXITSTATUS(status);
    printf("    ended by signal %d%s\n", WTERMSIG(status),
           WTERMSIG(status) == SIGALRM ? " (took too long)" : "");
    return 1;
}

static void run_case(struct run *run, const struct topic *topic, const struct test_case *c)
{
    char name[128], dir[64];
    int outcome;

    snprintf(name, sizeof name, "%s/%s", topic->name, c->name);
    if (!selected(run, name))
        return;
    if (run->list) {
        printf("%s\n", name);
        return;
    }
    snprintf(dir, sizeof dir, "case-%ld-%u", (long)getpid(),
             run->passed + run->failed + run->skipped);
    if (mkdir(dir, 0755) != 0) {
        printf("FAIL  %s\n    mkdir: %s\n", name, strerror(errno));
        run->failed++;
        return;
    }
    outcome = run_in_child(c, dir);
    nftw(dir, open_up, 16, FTW_PHYS);
    if (nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS) != 0 && outcome == 0) {
        printf("    cannot remove what the case left: %s\n", strerror(errno));
        outcome = 1;
    }
    if (outcome == 0) {
        run->passed++;
    } else if (outcome == EXIT_SKIP && may_skip(run, name)) {
        printf("skip  %s\n", name);
        run->skipped++;
    } else {
        printf("FAIL  %s\n", name);
        run->failed++;
    }
}

static int usage(void)
{
    fprintf(stderr, "usage: posix [--list] [--may-skip CASE]... DIR [PATTERN]...\n");
    return 2;
}

int main(int argc, char **argv)
{
    struct run run = {0};
    int i = 1;

    for (; i < argc && strncmp(argv[i], "--", 2) == 0; i++) {
        if (strcmp(argv[i], "--list") == 0)
            run.list = true;
        else if (strcmp(argv[i], "--may-skip") == 0 && i + 1 < argc &&
                 run.may_skip_count < SKIPS_MAX)
            run.may_skip[run.may_skip_count++] = argv[++i];
        else
            return usage();
    }
    if (!run.list && i >= argc)
        return usage();
    if (!run.list && chdir(argv[i]) != 0) {
        fprintf(stderr, "posix: %s: %s\n", argv[i], strerror(errno));
        return 2;
    }
    run.patterns = run.list ? argv + argc : argv + i + 1;
    umask(022);
    for (size_t t = 0; t < sizeof topics / sizeof topics[0]; t++)
        for (size_t c = 0; c < topics[t]->count; c++)
            run_case(&run, topics[t], &topics[t]->cases[c]);
    if (run.list)
        return 0;
    printf("%u passed, %u failed, %u skipped\n", run.passed, run.failed, run.skipped);
    return run.failed == 0 && run.passed > 0 ? 0 : 1;
}
