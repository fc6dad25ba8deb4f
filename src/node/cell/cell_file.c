/* SPDX-License-Identifier: MIT
 *
 * cell_file.c: HOME/cell.json, see cell_file.h.
 */
#include "node/cell/cell_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/assert.h"
#include "node/home.h"

#define FILE_MAX (1u << 20) /* bytes of a cell.json that is read at all */

static const char *const role_names[] = {
    [ROLE_NODE] = "node", [ROLE_CLIENT] = "client", [ROLE_ADMINISTRATOR] = "administrator"};
static const char *const registry_names[] = {[CELL_REGISTRY_EMBEDDED] = "embedded",
                                             [CELL_REGISTRY_ETCD] = "etcd",
                                             [CELL_REGISTRY_EXTERNAL] = "external"};

const char *cell_role_name(enum node_role role)
{
    INVARIANT(role >= ROLE_NODE && role <= ROLE_ADMINISTRATOR);
    return role_names[role];
}

enum node_role cell_role(const char *name)
{
    for (int role = ROLE_NODE; name && role <= ROLE_ADMINISTRATOR; role++)
        if (strcmp(name, role_names[role]) == 0)
            return (enum node_role)role;
    return 0;
}

void cell_address_host(const char *address, char out[RECORD_ADDR_MAX])
{
    const char *colon = strrchr(address, ':');
    size_t len = colon ? (size_t)(colon - address) : strlen(address);
    if (len >= 2 && address[0] == '[' && address[len - 1] == ']') {
        address++;
        len -= 2;
    }
    snprintf(out, RECORD_ADDR_MAX, "%.*s", (int)len, address);
}

/* --- the list of nodes --- */

enum err cell_file_place(struct cell_file *file, const struct cell_place *place)
{
    uint32_t at = 0;
    while (at < file->node_count && file->nodes[at].number < place->number)
        at++;
    if (at < file->node_count && file->nodes[at].number == place->number) {
        file->nodes[at] = *place;
        return OK;
    }
    if (file->node_count == CELL_NODES_MAX)
        return ERR_LIMIT;
    memmove(&file->nodes[at + 1], &file->nodes[at], (file->node_count - at) * sizeof *file->nodes);
    file->nodes[at] = *place;
    file->node_count++;
    return OK;
}

void cell_file_drop(struct cell_file *file, uint32_t number)
{
    for (uint32_t at = 0; at < file->node_count; at++)
        if (file->nodes[at].number == number) {
            file->node_count--;
            memmove(&file->nodes[at], &file->nodes[at + 1],
                    (file->node_count - at) * sizeof *file->nodes);
            return;
        }
}

const struct cell_place *cell_file_node(const struct cell_file *file, uint32_t number)
{
    for (uint32_t at = 0; at < file->node_count; at++)
        if (file->nodes[at].number == number)
            return &file->nodes[at];
    return NULL;
}

/* --- to JSON --- */

json_t *cell_nodes_json(const struct cell_file *file)
{
    json_t *nodes = json_array();
    for (uint32_t i = 0; i < file->node_count; i++)
        json_array_append_new(
            nodes, json_pack("{s:I, s:s, s:s}", "number", (json_int_t)file->nodes[i].number, "name",
                             file->nodes[i].name, "address", file->nodes[i].address));
    return nodes;
}

json_t *cell_registry_json(const struct cell_file *file)
{
    json_t *urls = json_array();
    for (uint32_t i = 0; i < file->url_count; i++)
        json_array_append_new(urls, json_string(file->urls[i]));
    return json_pack("{s:s, s:o, s:i, s:i}", "kind", registry_names[file->registry], "urls", urls,
                     "client_port", file->client_port, "peer_port", file->peer_port);
}

static json_t *to_json(const struct cell_file *file)
{
    char uuid[33];
    record_uuid_print(file->uuid, uuid);
    return json_pack("{s:s, s:s, s:I, s:s, s:s, s:s, s:o, s:o}", "cell", uuid, "name", file->name,
                     "node", (json_int_t)file->node, "self", file->self, "role",
                     cell_role_name(file->role), "listen", file->listen, "registry",
                     cell_registry_json(file), "nodes", cell_nodes_json(file));
}

/* --- from JSON --- */

/* Copies a member that is a text of less than `size` bytes. */
static bool text_of(const json_t *json, const char *name, char *out, size_t size)
{
    const char *text = json_string_value(json_object_get(json, name));
    if (!text || strlen(text) >= size)
        return false;
    memcpy(out, text, strlen(text) + 1);
    return true;
}

/* A whole number up to `most`. */
static bool number_of(const json_t *json, const char *name, json_int_t most, json_int_t *out)
{
    const json_t *number = json_object_get(json, name);
    *out = json_integer_value(number);
    return json_is_integer(number) && *out >= 0 && *out <= most;
}

bool cell_nodes_read(const json_t *nodes, struct cell_file *file)
{
    size_t i;
    json_t *node;
    if (!json_is_array(nodes))
        return false;
    file->node_count = 0;
    json_array_foreach(nodes, i, node)
    {
        struct cell_place place;
        json_int_t number;
        if (!number_of(node, "number", 65535, &number) || number == 0 ||
            !text_of(node, "name", place.name, sizeof place.name) ||
            !record_name_sound(place.name) ||
            !text_of(node, "address", place.address, sizeof place.address))
            return false;
        place.number = (uint32_t)number;
        if (cell_file_place(file, &place) != OK)
            return false;
    }
    return true;
}

static bool read_urls(const json_t *urls, struct cell_file *file)
{
    size_t i;
    json_t *url;
    if (!json_is_array(urls) || json_array_size(urls) > CELL_URLS_MAX)
        return false;
    file->url_count = 0;
    json_array_foreach(urls, i, url)
    {
        const char *text = json_string_value(url);
        if (!text || strlen(text) >= CELL_URL_MAX)
            return false;
        snprintf(file->urls[file->url_count++], CELL_URL_MAX, "%s", text);
    }
    return true;
}

bool cell_registry_read(const json_t *registry, struct cell_file *file)
{
    const char *kind = json_string_value(json_object_get(registry, "kind"));
    json_int_t client, peer;
    for (int i = CELL_REGISTRY_EMBEDDED; i <= CELL_REGISTRY_EXTERNAL; i++) {
        if (!kind || strcmp(kind, registry_names[i]) != 0)
            continue;
        if (!read_urls(json_object_get(registry, "urls"), file) ||
            !number_of(registry, "client_port", 65535, &client) ||
            !number_of(registry, "peer_port", 65535, &peer))
            return false;
        file->registry = (enum cell_registry)i;
        file->client_port = (uint16_t)client;
        file->peer_port = (uint16_t)peer;
        return true;
    }
    return false;
}

static bool from_json(const json_t *json, struct cell_file *out)
{
    char uuid[33], role[32];
    json_int_t node;
    memset(out, 0, sizeof *out);
    if (!text_of(json, "cell", uuid, sizeof uuid) || !record_uuid(uuid, out->uuid) ||
        !text_of(json, "name", out->name, sizeof out->name) || !record_name_sound(out->name) ||
        !text_of(json, "self", out->self, sizeof out->self) || !record_name_sound(out->self) ||
        !text_of(json, "role", role, sizeof role) ||
        !text_of(json, "listen", out->listen, sizeof out->listen) ||
        !number_of(json, "node", 65535, &node))
        return false;
    out->node = (uint32_t)node;
    out->role = cell_role(role);
    return out->role && (out->role == ROLE_NODE) == (out->node != 0) &&
           cell_registry_read(json_object_get(json, "registry"), out) &&
           cell_nodes_read(json_object_get(json, "nodes"), out);
}

/* --- the file --- */

static void path_of(const char *home, const char *name, char out[HOME_PATH_MAX + 32])
{
    snprintf(out, HOME_PATH_MAX + 32, "%s/%s", home, name);
}

bool cell_file_there(const char *home)
{
    char path[HOME_PATH_MAX + 32];
    path_of(home, CELL_FILE_NAME, path);
    return access(path, F_OK) == 0;
}

static enum err refuse(struct store_error *error, const char *what, const char *path)
{
    int number = errno;
    snprintf(error->text, sizeof error->text, "cannot %s %.300s: %s.", what, path,
             strerror(number));
    return err_from_errno(number);
}

enum err cell_file_load(const char *home, struct cell_file *out, struct store_error *error)
{
    char path[HOME_PATH_MAX + 32];
    struct stat st;
    json_error_t fault = {.line = 0};
    path_of(home, CELL_FILE_NAME, path);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return refuse(error, "open", path);
    json_t *json = NULL;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size <= FILE_MAX)
        json = json_loadfd(fd, JSON_REJECT_DUPLICATES, &fault);
    close(fd);
    bool sound = json && from_json(json, out);
    json_decref(json);
    if (sound)
        return OK;
    snprintf(error->text, sizeof error->text,
             "%.300s is not understood (line %d). It was written by 'pactfs init' or 'pactfs "
             "join'; join again into a new home if it cannot be mended.",
             path, fault.line);
    return ERR_DECODE;
}

enum err cell_file_save(const char *home, const struct cell_file *file, struct store_error *error)
{
    char fresh[HOME_PATH_MAX + 32], path[HOME_PATH_MAX + 32];
    path_of(home, CELL_FILE_NAME, path);
    path_of(home, CELL_FILE_NAME ".new", fresh);
    json_t *json = to_json(file);
    INVARIANT(json != NULL);
    int fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    bool written = fd >= 0 && json_dumpfd(json, fd, JSON_INDENT(1)) == 0 && fsync(fd) == 0;
    enum err err = written ? OK : refuse(error, "write", fresh);
    json_decref(json);
    if (fd >= 0)
        close(fd);
    if (err == OK && rename(fresh, path) != 0)
        err = refuse(error, "rename", fresh);
    int dir = err == OK ? open(home, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (err == OK && (dir < 0 || fsync(dir) != 0))
        err = refuse(error, "sync", home);
    if (dir >= 0)
        close(dir);
    return err;
}
