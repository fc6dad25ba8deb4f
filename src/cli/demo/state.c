/* SPDX-License-Identifier: MIT
 *
 * state.c: DIR/demo.json.
 */
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/demo/demo.h"

#define FILE_NAME "demo.json"

const char *demo_name(unsigned node)
{
    static const char *const names[DEMO_NODES] = {"alpha", "beta", "gamma"};
    return names[node];
}

static void path_of(const struct demo *demo, const char *name, char out[HOME_PATH_MAX + 32])
{
    snprintf(out, HOME_PATH_MAX + 32, "%s/%s", demo->dir, name);
}

static void load_process(const json_t *json, struct demo_process *out)
{
    out->pid = (long)answer_number(json, "pid");
    out->began = answer_number(json, "began");
}

static json_t *process_json(const struct demo_process *process)
{
    return json_pack("{s:I, s:I}", "pid", (json_int_t)process->pid, "began",
                     (json_int_t)process->began);
}

static void name_homes(struct demo *demo)
{
    for (unsigned i = 0; i < DEMO_NODES; i++)
        snprintf(demo->nodes[i].home, sizeof demo->nodes[i].home, "%s/%s", demo->dir, demo_name(i));
}

bool demo_load(struct demo *demo)
{
    char path[HOME_PATH_MAX + 32];
    path_of(demo, FILE_NAME, path);
    name_homes(demo);
    json_t *json = json_load_file(path, 0, NULL);
    if (!json)
        return access(path, F_OK) == 0;
    snprintf(demo->mount, sizeof demo->mount, "%s", answer_text(json, "mount"));
    demo->made_mount = json_is_true(json_object_get(json, "made_mount"));
    load_process(json_object_get(json, "agent"), &demo->agent);
    for (unsigned i = 0; i < DEMO_NODES; i++) {
        const json_t *node = json_array_get(json_object_get(json, "nodes"), i);
        load_process(json_object_get(node, "process"), &demo->nodes[i].process);
        demo->nodes[i].cut = json_is_true(json_object_get(node, "cut"));
        snprintf(demo->nodes[i].address, sizeof demo->nodes[i].address, "%s",
                 answer_text(node, "address"));
    }
    json_decref(json);
    return true;
}

bool demo_save(const struct demo *demo)
{
    char path[HOME_PATH_MAX + 32], fresh[HOME_PATH_MAX + 32];
    json_t *nodes = json_array();
    path_of(demo, FILE_NAME, path);
    path_of(demo, FILE_NAME ".new", fresh);
    for (unsigned i = 0; i < DEMO_NODES; i++)
        json_array_append_new(
            nodes, json_pack("{s:o, s:b, s:s}", "process", process_json(&demo->nodes[i].process),
                             "cut", demo->nodes[i].cut, "address", demo->nodes[i].address));
    json_t *json = json_pack("{s:s, s:b, s:o, s:o}", "mount", demo->mount, "made_mount",
                             demo->made_mount, "agent", process_json(&demo->agent), "nodes", nodes);
    bool good =
        json && json_dump_file(json, fresh, JSON_INDENT(2)) == 0 && rename(fresh, path) == 0;
    json_decref(json);
    return good;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *where)
{
    (void)st;
    (void)kind;
    (void)where;
    remove(path);
    return 0;
}

void demo_remove(const struct demo *demo)
{
    char path[HOME_PATH_MAX + 32];
    path_of(demo, FILE_NAME, path);
    if (access(path, F_OK) == 0)
        nftw(demo->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}
