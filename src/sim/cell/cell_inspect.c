/* SPDX-License-Identifier: MIT
 *
 * cell_inspect.c: what is looked at when all is at rest.
 *
 *   always     a last change can be made; then every replica has the same objects, byte for byte,
 *              and invariants of stores, replica managers and agents hold
 *   structure  the tree of files is one; what has no name goes once no agent holds it
 *   scrub      every checksum is right
 *   rebuild    each store closes and opens again, with an index made anew from the log: it says the
 *              same
 */
#include <stdio.h>
#include <string.h>

#include "core/base/assert.h"
#include "sim/acts/look.h"
#include "sim/cell/cell.h"

#define RETRY_NS UINT64_C(200000000)

static bool at_rest(struct cell *cell)
{
    return cell_unrest(cell) == NULL;
}

static bool rest(struct cell *cell)
{
    if (cell_wait(cell, at_rest, cell_run(cell)->scenario->heal_ns))
        return true;
    const char *why = cell_unrest(cell);
    run_broken(cell_run(cell), "progress", "the replicas do not come to rest: %s",
               why ? why : "something broke");
    return false;
}

static enum err commit(struct cell *cell)
{
    struct request request = {0};
    request_begin(&request);
    request.durable = true;
    request.op.code = FS_SETATTR;
    request.op.cred.checked = true;
    request.op.ino = FS_ROOT_INO;
    request.op.set = FS_SET_MTIME_NOW;
    enum err err = cell_do(cell, &request);
    request_abandon(&request);
    return err;
}

/* A disk that was full is looked at again after a while only. */
static bool last_change(struct cell *cell)
{
    struct run *run = cell_run(cell);
    uint64_t end = sim_now(run->sim) + run->scenario->heal_ns;
    enum err err = commit(cell);
    while (err == ERR_NOSPC && sim_now(run->sim) < end) {
        sim_advance(run->sim, RETRY_NS);
        err = commit(cell);
    }
    if (err)
        run_broken(run, "progress", "after all faults a change is answered with %s", err_name(err));
    return !err;
}

/* --- orphans --- */

static bool count_one(void *ctx, const struct object_key *key, const struct object_version *version)
{
    (void)key;
    (void)version;
    ++*(uint32_t *)ctx;
    return true;
}

static bool no_orphans(struct cell *cell)
{
    struct cell_node *primary = cell_primary(cell);
    uint32_t count = 0;
    if (!primary)
        return false;
    enum err err =
        store_scan(primary->store, OBJECT_ORPHAN, 0, 0, UINT64_MAX, STAMP_MAX, count_one, &count);
    return err == OK && count == 0;
}

static bool let_go(struct cell *cell)
{
    cell_let_go(cell);
    if (cell_wait(cell, no_orphans, cell_run(cell)->scenario->heal_ns))
        return true;
    run_broken(cell_run(cell), "structure", "inodes without a name are never reclaimed");
    return false;
}

/* --- the replicas --- */

static void scrub_problem(struct look_scrub *look, const char *file, uint64_t offset,
                          const char *what)
{
    struct cell_node *node = look->ctx;
    run_broken(cell_run(node->cell), "scrub", "node %u: %s at %llu: %s", node->number - CELL_FIRST,
               file, (unsigned long long)offset, what);
}

static void scrub(struct cell_node *node)
{
    struct run *run = cell_run(node->cell);
    struct look_scrub look = {.problem = scrub_problem, .ctx = node};
    enum err err = look_scrub(run, node->store, &look);
    if (err)
        run_broken(run, "scrub", "node %u: it fails: %s", node->number - CELL_FIRST, err_name(err));
    if (!look.over)
        node_bury(node);
}

static bool look(struct cell_node *node, struct look *out)
{
    struct run *run = cell_run(node->cell);
    char where[32];
    snprintf(where, sizeof where, "node %u: ", node->number - CELL_FIRST);
    enum err err = look_at(run, node->store, where, out);
    if (err)
        run_broken(run, "structure", "%snot everything can be read: %s", where, err_name(err));
    return !err;
}

/* Object for object the same on all, by what they hold and by the digest that replicas compare. */
static bool compare(struct cell *cell, uint64_t *digest)
{
    struct store_digest first = {.walk = {.at = STAMP_MAX}};
    for (uint32_t i = 0; i < cell->node_count; i++) {
        struct cell_node *node = &cell->nodes[i];
        struct store_digest one = {
            .walk = {.at = STAMP_MAX, .most = UINT32_MAX},
            .to = {UINT8_MAX, UINT64_MAX, UINT64_MAX},
        };
        struct look out = {0, 0};
        store_check(node->store);
        primary_check(node->primary);
        enum err err = store_digest(node->store, &one);
        if (err || !look(node, &out))
            return false;
        if (i == 0) {
            *digest = out.digest;
            first = one;
        } else if (one.hash != first.hash || one.count != first.count || out.digest != *digest) {
            run_broken(cell_run(cell), "convergence",
                       "nodes 0 and %u have not the same: %u and %u objects", i, first.count,
                       one.count);
            return false;
        }
    }
    return true;
}

/* --- closing and opening --- */

/* Every process dies at once; what the stores say then must be the same, whether or not the index
 * is made anew. */
static void open_again(struct cell_node *node, bool anew, uint64_t digest)
{
    struct run *run = cell_run(node->cell);
    struct look out = {0, 0};
    struct store_error error = {""};
    node->options.rebuild_index = anew;
    enum err err = node_open_store(node, &error);
    if (err)
        run_broken(run, "rebuild", "node %u: the store does not open again: %s: %s",
                   node->number - CELL_FIRST, err_name(err), error.text);
    else if (look(node, &out) && out.digest != digest)
        run_broken(run, "rebuild", "node %u: %s gives another volume", node->number - CELL_FIRST,
                   anew ? "an index made anew from the log" : "opening again");
    node_bury(node);
}

static void rebuild(struct cell *cell, uint64_t digest)
{
    for (uint32_t i = 0; i < cell->node_count; i++)
        node_bury(&cell->nodes[i]);
    for (uint32_t i = 0; i < cell->node_count; i++)
        for (int anew = 0; anew < 2; anew++)
            open_again(&cell->nodes[i], anew, digest);
}

void cell_inspect(struct system *system)
{
    struct cell *cell = cell_of(system);
    uint32_t inspect = system->run->scenario->inspect;
    uint64_t digest = 0;
    for (uint32_t i = 0; i < cell->agent_count; i++)
        remote_check(cell->agents[i].remote);
    if (!last_change(cell) || ((inspect & INSPECT_STRUCTURE) && !let_go(cell)) || !rest(cell) ||
        !compare(cell, &digest))
        return;
    for (uint32_t i = 0; i < cell->node_count && (inspect & INSPECT_SCRUB); i++)
        scrub(&cell->nodes[i]);
    if ((inspect & INSPECT_REBUILD) && !system->run->result->broken)
        rebuild(cell, digest);
}
