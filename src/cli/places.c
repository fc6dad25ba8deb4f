/* SPDX-License-Identifier: MIT
 *
 * places.c: paths as people type them, made absolute.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/cli.h"
#include "io/fuse/mount.h"

static enum err too_long(struct store_error *error)
{
    snprintf(error->text, sizeof error->text, "the path is longer than %u bytes.",
             HOME_PATH_MAX - 64);
    return ERR_NAMETOOLONG;
}

static enum err join(const char *directory, const char *name, char out[HOME_PATH_MAX],
                     struct store_error *error)
{
    const char *between = strcmp(directory, "/") == 0 ? "" : "/";
    int n = snprintf(out, HOME_PATH_MAX, "%s%s%s", directory, between, name);
    return n > 0 && (size_t)n < HOME_PATH_MAX - 64 ? OK : too_long(error);
}

/* Where nothing is yet, and where a dead mount answers no question: the directory above is
 * resolved. */
static enum err resolve_above(const char *path, char out[HOME_PATH_MAX], struct store_error *error)
{
    char above[HOME_PATH_MAX], real[HOME_PATH_MAX];
    if (strlen(path) >= sizeof above)
        return too_long(error);
    snprintf(above, sizeof above, "%s", path);
    size_t len = strlen(above);
    while (len > 1 && above[len - 1] == '/')
        above[--len] = 0;
    char *slash = strrchr(above, '/');
    char name[HOME_PATH_MAX];
    snprintf(name, sizeof name, "%s", slash ? slash + 1 : above);
    if (slash == above)
        above[1] = 0;
    else if (slash)
        *slash = 0;
    else
        memcpy(above, ".", 2);
    if (realpath(above, real))
        return join(real, name, out, error);
    if (path[0] == '/')
        return join("/", path + 1, out, error);
    if (!getcwd(real, sizeof real)) {
        snprintf(error->text, sizeof error->text, "the current directory cannot be named: %s.",
                 strerror(errno));
        return err_from_errno(errno);
    }
    return join(real, path, out, error);
}

enum err resolve_path(const char *path, char out[HOME_PATH_MAX], struct store_error *error)
{
    char *real = realpath(path, NULL);
    if (!real)
        return resolve_above(path, out, error);
    size_t len = strlen(real);
    if (len < HOME_PATH_MAX - 64)
        memcpy(out, real, len + 1);
    free(real);
    return len < HOME_PATH_MAX - 64 ? OK : too_long(error);
}

enum err resolve_home(const char *word, char out[HOME_PATH_MAX], struct store_error *error)
{
    char path[HOME_PATH_MAX];
    const char *data = getenv("XDG_DATA_HOME"), *home = getenv("HOME");
    if (!word)
        word = getenv("PACTFS_HOME");
    if (word && *word)
        return resolve_path(word, out, error);
    if (data && data[0] == '/')
        snprintf(path, sizeof path, "%s/pactfs", data);
    else if (home && home[0] == '/')
        snprintf(path, sizeof path, "%s/.local/share/pactfs", home);
    else {
        snprintf(error->text, sizeof error->text,
                 "there is no default place, because HOME is not set; name a directory.");
        return ERR_USAGE;
    }
    return resolve_path(path, out, error);
}

void make_default_parents(const char *home)
{
    char path[HOME_PATH_MAX];
    snprintf(path, sizeof path, "%s", home);
    for (char *slash = path + 1; (slash = strchr(slash, '/')); slash++) {
        *slash = 0;
        mkdir(path, 0700); /* what fails here fails again, with a sentence, when the home is made */
        *slash = '/';
    }
}

bool path_inside(const char *inner, const char *outer)
{
    size_t len = strlen(outer);
    if (strcmp(outer, "/") == 0)
        return true;
    return strncmp(inner, outer, len) == 0 && (inner[len] == 0 || inner[len] == '/');
}

int make_mount_point(const char *dir, bool *made)
{
    struct stat st;
    mount_clear_stale(dir);
    *made = mkdir(dir, 0755) == 0;
    if (*made)
        return EXIT_DONE;
    if (errno == EEXIST && stat(dir, &st) == 0 && !S_ISDIR(st.st_mode))
        return complain("the mount point %s is not a directory; name a directory", dir);
    if (errno == EEXIST)
        return EXIT_DONE;
    if (errno == ENOENT)
        return complain("the mount point %s cannot be made, because the directory above it does "
                        "not exist; make that first, or name another",
                        dir);
    return complain("the mount point %s cannot be made: %s; name another", dir, strerror(errno));
}
