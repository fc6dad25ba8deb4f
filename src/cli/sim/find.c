/* SPDX-License-Identifier: MIT
 *
 * find.c: scenarios by name or path. A word with a '/' or ending in .scn is a file; another one is
 * NAME.scn in the first of these folders that exists: ./scenarios; scenarios beside the program or
 * up to four folders above it (a checkout, whatever the build folder is called); the installed
 * ones.
 */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/sim/sim.h"
#include "core/contract/nearest.h"

#define FILE_MAX_BYTES (1u << 20)
#define NAMES_MAX      512u

#ifndef PACTFS_DATADIR
#define PACTFS_DATADIR "/usr/local/share"
#endif

struct names {
    char *at[NAMES_MAX + 1]; /* ended by NULL */
    unsigned count;
};

/* --- folders --- */

static bool is_folder(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* Beside the program, or above it. */
static bool find_near_program(char folder[SCENARIO_PATH])
{
    char program[SCENARIO_PATH];
    ssize_t len = readlink("/proc/self/exe", program, sizeof program - 1);
    if (len <= 0)
        return false;
    program[len] = 0;
    for (int up = 0; up < 5; up++) {
        char *slash = strrchr(program, '/');
        if (!slash)
            return false;
        *slash = 0;
        int n = snprintf(folder, SCENARIO_PATH, "%s/scenarios", program);
        if (n > 0 && n < (int)SCENARIO_PATH && is_folder(folder))
            return true;
    }
    return false;
}

static bool find_folder(char folder[SCENARIO_PATH])
{
    snprintf(folder, SCENARIO_PATH, "scenarios");
    if (is_folder(folder) || find_near_program(folder))
        return true;
    snprintf(folder, SCENARIO_PATH, "%s/pactfs/scenarios", PACTFS_DATADIR);
    return is_folder(folder);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool is_scenario_file(const char *name)
{
    size_t len = strlen(name);
    return len > 4 && strcmp(name + len - 4, ".scn") == 0;
}

/* The names, without .scn, in their order. */
static bool list_folder(const char *folder, struct names *names)
{
    DIR *dir = opendir(folder);
    if (!dir)
        return false;
    for (struct dirent *entry; (entry = readdir(dir)) && names->count < NAMES_MAX;)
        if (is_scenario_file(entry->d_name)) {
            char *name = strdup(entry->d_name);
            if (!name)
                break;
            name[strlen(name) - 4] = 0;
            names->at[names->count++] = name;
        }
    closedir(dir);
    if (names->count)
        qsort(names->at, names->count, sizeof names->at[0], by_name);
    names->at[names->count] = NULL;
    return true;
}

static void names_free(struct names *names)
{
    for (unsigned i = 0; i < names->count; i++)
        free(names->at[i]);
}

/* --- files --- */

static bool read_file(const char *path, struct text *text)
{
    char buf[4096];
    FILE *file = fopen(path, "re");
    if (!file) {
        complain("%s: %s", path, strerror(errno));
        return false;
    }
    for (size_t n; text->len < FILE_MAX_BYTES && (n = fread(buf, 1, sizeof buf, file)) > 0;)
        text_add_bytes(text, buf, n);
    bool good = !ferror(file);
    if (!good)
        complain("%s: %s", path, strerror(errno));
    fclose(file);
    return good;
}

/* The first comment of the file, as one sentence says what it is about. */
static void take_about(const char *text, char *about, size_t size)
{
    while (*text == '#' || *text == '\n') {
        size_t len = strcspn(text, "\n");
        const char *from = text + strspn(text, "# ");
        size_t n = (size_t)(text + len - from);
        if (*text == '#' && len && from < text + len && strncmp(from, "SPDX", 4) != 0) {
            snprintf(about, size, "%.*s", (int)(n < size ? n : size - 1), from);
            return;
        }
        text += len + (text[len] == '\n');
    }
}

static struct task *add_task(struct tasks *tasks)
{
    if (tasks->count == tasks->room) {
        unsigned room = tasks->room ? tasks->room * 2 : 16;
        struct task *at = realloc(tasks->at, room * sizeof *at);
        if (!at) {
            complain("out of memory");
            return NULL;
        }
        tasks->at = at;
        tasks->room = room;
    }
    struct task *task = &tasks->at[tasks->count++];
    memset(task, 0, sizeof *task);
    return task;
}

/* The file's name without folders and .scn. */
static void scenario_name(const char *path, char name[SCENARIO_WORD_MAX])
{
    const char *slash = strrchr(path, '/');
    const char *base = slash ? slash + 1 : path;
    size_t len = strlen(base) - (is_scenario_file(base) ? 4 : 0);
    snprintf(name, SCENARIO_WORD_MAX, "%.*s", (int)(len < 60 ? len : 60), base);
}

static int load(const char *path, const char *word, struct tasks *tasks)
{
    struct scenario_error error;
    struct text text = {0};
    char name[SCENARIO_WORD_MAX];
    struct task *task = add_task(tasks);
    if (!task || !read_file(path, &text)) {
        text_free(&text);
        return EXIT_FAILED;
    }
    int n = snprintf(task->path, sizeof task->path, "%s", path);
    int m = snprintf(task->word, sizeof task->word, "%s", word);
    scenario_name(path, name);
    struct bytes bytes = {(const uint8_t *)text_string(&text), text.len};
    enum err err = scenario_parse(name, bytes, &task->file, &error);
    if (err != OK)
        complain("%s:%u:%u: %s", path, error.line, error.column, error.text);
    else
        take_about(text_string(&text), task->about, sizeof task->about);
    task->asked = task->file;
    text_free(&text);
    if (n >= (int)sizeof task->path || m >= (int)sizeof task->word)
        return complain("the path %s is too long", path);
    return err == OK ? EXIT_DONE : EXIT_USAGE;
}

static int load_named(const char *folder, const struct names *names, const char *word,
                      struct tasks *tasks)
{
    char path[SCENARIO_PATH];
    for (unsigned i = 0; i < names->count; i++)
        if (strcmp(names->at[i], word) == 0) {
            int n = snprintf(path, sizeof path, "%s/%s.scn", folder, word);
            return n < (int)sizeof path ? load(path, word, tasks)
                                        : complain("the path %s is too long", path);
        }
    const char *near = nearest_word(word, (const char *const *)names->at);
    if (near)
        complain("there is no scenario '%s'; did you mean '%s'?", word, near);
    else
        complain("there is no scenario '%s' in %s; see: pactfs sim --list", word, folder);
    return EXIT_USAGE;
}

int tasks_find(const char *const *words, struct tasks *tasks)
{
    char folder[SCENARIO_PATH];
    struct names names = {{NULL}, 0};
    int code = EXIT_DONE;
    bool there = find_folder(folder) && list_folder(folder, &names);
    for (unsigned i = 0; code == EXIT_DONE && words[i]; i++) {
        bool file = strchr(words[i], '/') || is_scenario_file(words[i]);
        if (file)
            code = load(words[i], words[i], tasks);
        else if (!there)
            code = complain("there is no folder of scenarios; name a file, as ./mine.scn");
        else
            code = load_named(folder, &names, words[i], tasks);
    }
    for (unsigned i = 0; code == EXIT_DONE && !words[0] && i < names.count; i++)
        code = load_named(folder, &names, names.at[i], tasks);
    if (code == EXIT_DONE && !tasks->count)
        code = complain("there are no scenarios; name a file, as ./mine.scn");
    names_free(&names);
    return code;
}

/* --- what --set says --- */

int tasks_set(struct tasks *tasks, const struct sim_options *options)
{
    struct scenario_error error;
    for (unsigned i = 0; i < tasks->count; i++) {
        struct task *task = &tasks->at[i];
        struct text why = {0};
        for (unsigned k = 0; k < options->set_count; k++)
            if (scenario_set(&task->asked, options->sets[k].key, options->sets[k].value, &error) !=
                OK) {
                complain("--set %s=%s: %s (scenario %s)", options->sets[k].key,
                         options->sets[k].value, error.text, task->word);
                return EXIT_USAGE;
            }
        if (run_refuses(&task->asked, &why)) {
            complain("%s: %s", task->path, text_string(&why));
            text_free(&why);
            return EXIT_USAGE;
        }
        text_free(&why);
    }
    return EXIT_DONE;
}

struct scenario sim_prepare(const struct scenario *asked, const struct sim_options *options,
                            uint64_t seed)
{
    struct scenario scenario = *asked;
    struct scenario_error error;
    if (!scenario.swarm)
        return scenario;
    scenario_vary(&scenario, seed);
    for (unsigned k = 0; k < options->set_count; k++)
        scenario_set(&scenario, options->sets[k].key, options->sets[k].value, &error);
    scenario.swarm = false;
    return scenario;
}

void tasks_free(struct tasks *tasks)
{
    for (unsigned i = 0; i < tasks->count; i++)
        free(tasks->at[i].failure);
    free(tasks->at);
    memset(tasks, 0, sizeof *tasks);
}
