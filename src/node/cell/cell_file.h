/* SPDX-License-Identifier: MIT
 *
 * cell_file.h: HOME/cell.json, what a machine knows of its cell while nobody else can be asked.
 *
 *     {"cell": UUID, "name": CELL, "node": 3, "self": "c", "role": "node", "listen": "host:port",
 *      "registry": {"kind": "embedded" | "etcd" | "external", "urls": [...],
 *                   "client_port": 4701, "peer_port": 4702},
 *      "nodes": [{"number": 1, "name": "a", "address": "host:port"}, ...]}
 *
 * It is written last when a home is made, so a home that has it is whole; and replaced at once
 * (a new file, synced, renamed) at each change.
 */
#ifndef PACTFS_NODE_CELL_CELL_FILE_H
#define PACTFS_NODE_CELL_CELL_FILE_H

#include <jansson.h>

#include "core/registry/records.h"

#define CELL_FILE_NAME  "cell.json"
#define CELL_NODES_MAX  256u /* nodes of a cell that this version can name */
#define CELL_URLS_MAX   16u
#define CELL_URL_MAX    300u
#define CELL_FIRST_KEYS 3u /* nodes 1 to this many hold the authority's key and the registry */

enum cell_registry { CELL_REGISTRY_EMBEDDED, CELL_REGISTRY_ETCD, CELL_REGISTRY_EXTERNAL };

struct cell_place {
    uint32_t number;
    char name[RECORD_NAME_MAX], address[RECORD_ADDR_MAX];
};

struct cell_file {
    uint8_t uuid[16];
    char name[RECORD_NAME_MAX]; /* of the cell */
    uint32_t node;              /* this machine's number; 0: it is not a node */
    char self[RECORD_NAME_MAX]; /* its name */
    enum node_role role;
    char listen[RECORD_ADDR_MAX]; /* "" when it is not a node */
    enum cell_registry registry;
    uint32_t url_count;
    char urls[CELL_URLS_MAX][CELL_URL_MAX];
    uint16_t client_port, peer_port; /* of this node's member of the registry; 0: not chosen yet */
    uint32_t node_count;
    struct cell_place nodes[CELL_NODES_MAX]; /* in the order of numbers */
};

/* Is there a cell.json in `home`? */
bool cell_file_there(const char *home);
/* NOENT: there is none; DECODE: it is not understood; ACCES, IO. With a sentence. `out` is big:
 * keep it off the stack. */
enum err cell_file_load(const char *home, struct cell_file *out, struct store_error *error);
enum err cell_file_save(const char *home, const struct cell_file *file, struct store_error *error);

/* Puts a place where its number belongs, or replaces what is there. LIMIT. */
enum err cell_file_place(struct cell_file *file, const struct cell_place *place);
void cell_file_drop(struct cell_file *file, uint32_t number);
/* NULL: not known. */
const struct cell_place *cell_file_node(const struct cell_file *file, uint32_t number);

/* The host of "host:port", an IPv6 address without its brackets. */
void cell_address_host(const char *address, char out[RECORD_ADDR_MAX]);

const char *cell_role_name(enum node_role role); /* "administrator"; static */
/* 0: not a role. */
enum node_role cell_role(const char *name);

/* The list of nodes and the registry's urls, as cell.json and the answers of nodes have them. */
json_t *cell_nodes_json(const struct cell_file *file);
json_t *cell_registry_json(const struct cell_file *file);
/* False: not of that form; what was understood is kept. */
bool cell_nodes_read(const json_t *nodes, struct cell_file *file);
bool cell_registry_read(const json_t *registry, struct cell_file *file);

#endif
