/* SPDX-License-Identifier: MIT
 *
 * keeper_members.c: the members of etcd follow the nodes of the cell: the three nodes with the
 * lowest numbers have one each as soon as there are three; everybody knows where they are.
 *
 * Each tick asks etcd for its members and takes the one step that is missing here:
 *
 *     not among them          -> add this node's, which does not vote yet
 *     added, never started    -> start it
 *     started, does not vote  -> let it vote, when it has caught up
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "node/cell/edit.h"
#include "node/cell/keeper_private.h"

#define MEMBERS_WANTED 3u
#define LIST_EVERY_NS  (15000 * CELL_MS) /* once everything is as it shall be */

static void ask(struct keeper *keeper, enum etcd_members_what what, uint64_t id);

/* Is this node one of the first three, of at least three, that stay? */
static bool shall_have_member(const struct cell *cell)
{
    uint32_t staying = 0, place = 0;
    for (uint32_t i = 0; i < cell->node_count; i++) {
        if (cell->nodes[i].record.leaving)
            continue;
        staying++;
        if (cell->nodes[i].record.number == cell->file.node)
            place = staying;
    }
    return cell->file.registry == CELL_REGISTRY_ETCD && cell->nodes_known &&
           staying >= MEMBERS_WANTED && place > 0 && place <= MEMBERS_WANTED;
}

/* --- this node's record says that it runs a member --- */

static enum err mark_make(struct edit *edit)
{
    char key[REGISTRY_KEY_MAX + 1];
    const struct cell_node *self = member_of(edit->cell, edit->cell->file.node);
    if (!self || self->record.registry || !self->revision)
        return OK;
    struct record_node record = self->record;
    record.registry = true;
    record_key_number(key, "node", record.number);
    edit_expect(edit, key, self->revision);
    edit_put(edit, key, record_encode_node(&record, &edit->arena));
    return OK;
}

static void marked(struct edit *edit, enum err err)
{
    edit->cell->keeper->announced = err == OK;
    free(edit);
}

static void mark(struct cell *cell)
{
    struct edit *edit = calloc(1, sizeof *edit);
    INVARIANT(edit != NULL);
    *edit = (struct edit){.cell = cell, .make = mark_make, .done = marked};
    cell->keeper->announced = true;
    edit_begin(edit);
}

/* --- the steps --- */

static void own_url(struct keeper *keeper)
{
    char host[RECORD_ADDR_MAX];
    keeper_host(keeper->cell, host);
    if (keeper->cell->file.peer_port)
        snprintf(keeper->peer_url, sizeof keeper->peer_url, "https://%s:%u", host,
                 keeper->cell->file.peer_port);
}

static void add_self(struct keeper *keeper)
{
    struct cell *cell = keeper->cell;
    struct store_error error = {""};
    keeper_ports(cell);
    if (cell_file_save(cell->home.path, &cell->file, &error) != OK) {
        journal("cannot take part in the registry: %s", error.text);
        return;
    }
    own_url(keeper);
    ask(keeper, ETCD_MEMBERS_ADD, 0);
}

static void start_self(struct keeper *keeper)
{
    struct store_error error = {""};
    char name[32];
    snprintf(name, sizeof name, "node-%u", keeper->cell->file.node);
    char *cluster = etcd_cluster(keeper->members.members, keeper->members.count, name);
    if (cluster && keeper_start_child(keeper->cell, cluster, &error) == OK)
        journal("this node takes part in the registry");
    else
        journal("cannot start etcd: %s", error.text);
    free(cluster);
}

/* Who listens where, for the next start and for this client; this node's own first. */
static void take_urls(struct keeper *keeper)
{
    struct cell_file *file = &keeper->cell->file;
    uint32_t count = 0;
    bool changed = false;
    for (int own = 1; own >= 0; own--)
        for (size_t i = 0; i < keeper->members.count && count < CELL_URLS_MAX; i++) {
            const struct etcd_member *member = &keeper->members.members[i];
            if ((member->id == keeper->own_id) != (own == 1) || member->learner ||
                !member->client_url[0] || strlen(member->client_url) >= CELL_URL_MAX)
                continue;
            changed = changed || count >= file->url_count ||
                      strcmp(file->urls[count], member->client_url) != 0;
            snprintf(file->urls[count++], CELL_URL_MAX, "%s", member->client_url);
        }
    if (count == 0 || (!changed && count == file->url_count))
        return;
    file->url_count = count;
    cell_changed(keeper->cell);
    keeper_new_urls(keeper->cell);
}

static const struct etcd_member *own_member(const struct keeper *keeper)
{
    char name[32];
    snprintf(name, sizeof name, "node-%u", keeper->cell->file.node);
    for (size_t i = 0; i < keeper->members.count; i++) {
        const struct etcd_member *member = &keeper->members.members[i];
        if (strcmp(member->name, name) == 0 ||
            (keeper->peer_url[0] && strcmp(member->peer_url, keeper->peer_url) == 0))
            return member;
    }
    return NULL;
}

static void listed(struct keeper *keeper)
{
    const struct etcd_member *own = own_member(keeper);
    bool settled = own ? !own->learner && keeper->child : !shall_have_member(keeper->cell);
    keeper->own_id = own ? own->id : 0;
    take_urls(keeper);
    keeper->listed_ns = settled ? cell_now(keeper->cell) : 0; /* 0: look again at the next tick */
    if (!shall_have_member(keeper->cell) && !own)
        return;
    if (!own)
        add_self(keeper);
    else if (!keeper->child)
        start_self(keeper);
    else if (own->learner)
        ask(keeper, ETCD_MEMBERS_PROMOTE, own->id);
    else if (!keeper->announced)
        mark(keeper->cell);
}

static void expel(struct keeper *keeper)
{
    char name[32];
    snprintf(name, sizeof name, "node-%u", keeper->expelled);
    for (size_t i = 0; i < keeper->members.count; i++)
        if (strcmp(keeper->members.members[i].name, name) == 0) {
            ask(keeper, ETCD_MEMBERS_REMOVE, keeper->members.members[i].id);
            return;
        }
    keeper->expelled = 0;
    keeper->expeller.done(keeper->expeller.ctx, OK, &keeper->error);
}

static void answered(struct etcd_members *members)
{
    struct keeper *keeper = members->ctx;
    keeper->asking = false;
    if (keeper->cell->stopping)
        return;
    if (keeper->expelled && (members->what == ETCD_MEMBERS_REMOVE || members->err != OK)) {
        keeper->expelled = 0;
        keeper->expeller.done(keeper->expeller.ctx, members->err, &members->error);
    } else if (keeper->expelled && members->what == ETCD_MEMBERS_LIST) {
        expel(keeper);
    } else if (members->err == OK && members->what == ETCD_MEMBERS_LIST) {
        listed(keeper);
    } else if (members->err == OK && members->what == ETCD_MEMBERS_ADD) {
        start_self(keeper);
    }
}

static void ask(struct keeper *keeper, enum etcd_members_what what, uint64_t id)
{
    keeper->asking = true;
    keeper->members = (struct etcd_members){
        .what = what, .id = id, .peer_url = keeper->peer_url, .done = answered, .ctx = keeper};
    registry_etcd_members(keeper->etcd, &keeper->members);
}

void keeper_tick(struct cell *cell)
{
    struct keeper *keeper = cell->keeper;
    if (!keeper->etcd || keeper->growing || keeper->asking || cell->stopping ||
        cell->file.registry != CELL_REGISTRY_ETCD)
        return;
    own_url(keeper);
    bool settled = keeper->listed_ns && cell_now(cell) - keeper->listed_ns < LIST_EVERY_NS &&
                   (!shall_have_member(cell) || keeper->child);
    if (!settled || keeper->expelled)
        ask(keeper, ETCD_MEMBERS_LIST, 0);
}

void keeper_expel(struct cell *cell, uint32_t node,
                  void (*done)(void *ctx, enum err err, const struct store_error *error), void *ctx)
{
    static const struct store_error busy = {"another node is leaving just now"};
    struct keeper *keeper = cell->keeper;
    if (!keeper->etcd || cell->file.registry != CELL_REGISTRY_ETCD) {
        done(ctx, OK, &keeper->error);
        return;
    }
    if (keeper->expelled) {
        done(ctx, ERR_BUSY, &busy);
        return;
    }
    keeper->expelled = node;
    keeper->expeller = (struct keeper_waiter){done, ctx};
    keeper_tick(cell);
}
