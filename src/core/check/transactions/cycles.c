/* SPDX-License-Identifier: MIT
 *
 * cycles.c: strongly connected components, and short cycles in them.
 *
 * Definitions
 *   state      a place of the search: a node; where no two EDGE_RW may follow each other, a node
 *              and whether an EDGE_RW led to it. A closed walk over such states is a cycle in which
 *              they are apart, and each such cycle is one: so the same search finds both
 *   component  the states that reach each other: Tarjan 1972, in the form of Pearce 2016 (PEA_FIND_
 *              SCC2), which needs one number for a state; without recursion
 *   length     of a cycle: the transactions on it; relays do not count
 *
 * Law
 *   Y1  While components are searched, rank[s] is 0 for a state not yet seen, the order in which it
 *       was seen (at most `seen`) while it is open, and a number above all of those, shared by its
 *       component, afterwards.
 *   Y2  members holds the components of more than one state, one after another, and only those: no
 *       edge leads from a transaction to itself, so one state alone is no cycle.
 *   Y3  A shortest cycle through an edge (u, v) is that edge and a shortest path from v to u; the
 *       path stays in their component. Breadth first; an edge into a relay costs nothing, so it
 *       is followed in the same round.
 */
#include "core/check/transactions/cycles.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/assert.h"

#define NO_STATE UINT32_MAX
#define NO_BOUND UINT32_MAX

struct cycles {
    const struct dependencies *graph;
    uint64_t effort, effort_left;
    bool *counted; /* of each transaction */
    uint32_t states;
    bool apart;
    uint32_t *rank;
    uint32_t *members, member_count;
    uint32_t *ends, component_count; /* the members of component i end before ends[i] */
    /* of the depth-first search */
    uint32_t *open, open_count;
    uint32_t *path;
    uint64_t *path_edge; /* the next edge of path[i], twice, and 1 while it may be a root */
    uint32_t seen, next_component;
    /* of the breadth-first search */
    uint32_t *visited, visit; /* == visit: in this search */
    uint32_t *parent;
    uint64_t *parent_edge;
    uint32_t *round, *next_round;
};

static void *array(size_t count, size_t size)
{
    void *memory = calloc(count ? count : 1, size);
    INVARIANT(memory != NULL);
    return memory;
}

struct cycles *cycles_new(const struct dependencies *graph, uint64_t effort)
{
    struct cycles *s = array(1, sizeof *s);
    s->graph = graph;
    s->effort = effort;
    s->counted = array(graph->txns, sizeof *s->counted);
    return s;
}

static void free_search(struct cycles *s)
{
    void *all[] = {s->rank,    s->members, s->ends,        s->open,  s->path,      s->path_edge,
                   s->visited, s->parent,  s->parent_edge, s->round, s->next_round};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        free(all[i]);
}

void cycles_free(struct cycles *s)
{
    free_search(s);
    free(s->counted);
    free(s);
}

void cycle_free(struct cycle *cycle)
{
    free(cycle->edges);
    free(cycle->from);
    *cycle = (struct cycle){0};
}

static uint32_t node_of(const struct cycles *s, uint32_t state)
{
    return s->apart ? state >> 1 : state;
}

/* Where an edge of those kinds leads from a state, or NO_STATE. */
static uint32_t follow(const struct cycles *s, unsigned kinds, uint32_t state, uint64_t edge)
{
    uint8_t kind = s->graph->kind[edge];
    uint32_t to = s->graph->to[edge];
    if (kind != EDGE_NONE && !(kinds & KIND(kind)))
        return NO_STATE;
    if (!s->apart)
        return to;
    if (kind == EDGE_NONE)
        return to << 1 | (state & 1);
    if (kind == EDGE_RW || kind == EDGE_RW_TIMED)
        return state & 1 ? NO_STATE : to << 1 | 1;
    return to << 1;
}

/* --- components --- */

static void enter(struct cycles *s, uint32_t depth, uint32_t state)
{
    s->rank[state] = ++s->seen;
    s->path[depth] = state;
    s->path_edge[depth] = s->graph->first[node_of(s, state)] << 1 | 1;
}

/* All that is reachable from a state was seen: it is a root, and closes a component, or waits. */
static void leave(struct cycles *s, uint32_t state, bool root)
{
    if (!root) {
        s->open[s->open_count++] = state;
        return;
    }
    uint32_t begin = s->member_count;
    s->seen--;
    while (s->open_count && s->rank[state] <= s->rank[s->open[s->open_count - 1]]) {
        uint32_t member = s->open[--s->open_count];
        s->rank[member] = s->next_component;
        s->members[s->member_count++] = member;
        s->seen--;
    }
    s->rank[state] = s->next_component--;
    if (s->member_count > begin) {
        s->members[s->member_count++] = state;
        s->ends[s->component_count++] = s->member_count;
    }
}

static void search_from(struct cycles *s, unsigned kinds, uint32_t start)
{
    uint32_t depth = 0;
    enter(s, 0, start);
    for (;;) {
        uint32_t state = s->path[depth];
        uint64_t edge = s->path_edge[depth] >> 1, end = s->graph->first[node_of(s, state) + 1];
        if (edge < end) {
            uint32_t to = follow(s, kinds, state, edge);
            if (to != NO_STATE && !s->rank[to]) {
                enter(s, ++depth, to); /* and looks at this edge again when it comes back */
                continue;
            }
            s->path_edge[depth] += 2;
            if (to != NO_STATE && s->rank[to] < s->rank[state]) {
                s->rank[state] = s->rank[to];
                s->path_edge[depth] &= ~UINT64_C(1);
            }
            continue;
        }
        leave(s, state, s->path_edge[depth] & 1);
        if (!depth--)
            return;
    }
}

static void find_components(struct cycles *s, unsigned kinds, bool apart)
{
    free_search(s);
    s->apart = apart;
    s->states = apart ? s->graph->nodes * 2 : s->graph->nodes;
    s->rank = array(s->states, sizeof *s->rank);
    s->members = array(s->states, sizeof *s->members);
    s->ends = array(s->states / 2, sizeof *s->ends);
    s->open = array(s->states, sizeof *s->open);
    s->path = array(s->states, sizeof *s->path);
    s->path_edge = array(s->states, sizeof *s->path_edge);
    s->visited = s->parent = s->round = s->next_round = NULL;
    s->parent_edge = NULL;
    s->open_count = s->member_count = s->component_count = s->seen = s->visit = 0;
    s->next_component = UINT32_MAX - 1;
    for (uint32_t state = 0; state < s->states; state++)
        if (!s->rank[state])
            search_from(s, kinds, state);
}

/* --- short cycles --- */

static void begin_visits(struct cycles *s)
{
    if (!s->visited) {
        s->visited = array(s->states, sizeof *s->visited);
        s->parent = array(s->states, sizeof *s->parent);
        s->parent_edge = array(s->states, sizeof *s->parent_edge);
        s->round = array(s->states, sizeof *s->round);
        s->next_round = array(s->states, sizeof *s->next_round);
    }
    s->visit++;
}

/* A round of the search for `goal`: those one transaction further on. True: it is found. */
static bool next_round(struct cycles *s, unsigned kinds, uint32_t goal, uint32_t *count)
{
    const struct dependencies *g = s->graph;
    uint32_t here = *count, next = 0;
    for (uint32_t i = 0; i < here; i++) {
        uint32_t state = s->round[i], node = node_of(s, state);
        for (uint64_t edge = g->first[node]; edge < g->first[node + 1]; edge++) {
            uint32_t to = follow(s, kinds, state, edge);
            if (s->effort_left)
                s->effort_left--;
            if (to == NO_STATE || s->visited[to] == s->visit || s->rank[to] != s->rank[goal])
                continue;
            s->visited[to] = s->visit;
            s->parent[to] = state;
            s->parent_edge[to] = edge;
            if (to == goal)
                return true;
            if (node_of(s, to) >= g->txns)
                s->round[here++] = to;
            else
                s->next_round[next++] = to;
        }
    }
    uint32_t *swap = s->round;
    s->round = s->next_round;
    s->next_round = swap;
    *count = next;
    return false;
}

/* How many transactions are on the shortest way from start to goal, both counted; 0: there is no
 * way of less than `bound`. */
static uint32_t shortest_way(struct cycles *s, unsigned kinds, const uint32_t way[2],
                             uint32_t bound)
{
    uint32_t start = way[0], goal = way[1], count = 1;
    uint32_t length = node_of(s, start) < s->graph->txns;
    begin_visits(s);
    s->visited[start] = s->visit;
    s->round[0] = start;
    while (count && length + 1 < bound) {
        length++;
        if (next_round(s, kinds, goal, &count))
            return length;
    }
    return 0;
}

/* The cycle of the edge from way[1] to way[0] and the way back that was just found. */
static void keep_cycle(const struct cycles *s, const uint32_t way[2], uint64_t edge,
                       struct cycle *cycle)
{
    uint32_t count = 1;
    for (uint32_t at = way[1]; at != way[0]; at = s->parent[at])
        count++;
    cycle_free(cycle);
    cycle->edges = array(count, sizeof *cycle->edges);
    cycle->from = array(count, sizeof *cycle->from);
    cycle->count = count;
    cycle->edges[0] = edge;
    cycle->from[0] = node_of(s, way[1]);
    for (uint32_t at = way[1]; at != way[0]; at = s->parent[at]) {
        cycle->edges[--count] = s->parent_edge[at];
        cycle->from[count] = node_of(s, s->parent[at]);
    }
}

static bool any_counted(const struct cycles *s, uint32_t begin, uint32_t end)
{
    for (uint32_t i = begin; i < end; i++) {
        uint32_t node = node_of(s, s->members[i]);
        if (node < s->graph->txns && s->counted[node])
            return true;
    }
    return false;
}

/* Tries the edges of sort->first out of one state; true when one is on such a cycle. */
static bool try_state(struct cycles *s, const struct cycle_sort *sort, uint32_t state,
                      struct cycle *best, bool found)
{
    uint32_t node = node_of(s, state);
    for (uint64_t edge = s->graph->first[node]; edge < s->graph->first[node + 1]; edge++) {
        uint32_t to =
            s->graph->kind[edge] == EDGE_NONE ? NO_STATE : follow(s, sort->first, state, edge);
        if (to == NO_STATE || s->rank[to] != s->rank[state])
            continue;
        if ((found || sort->perhaps) && !s->effort_left)
            return found;
        const uint32_t way[2] = {to, state};
        uint32_t length =
            shortest_way(s, sort->rest, way, found && best->txns ? best->txns : NO_BOUND);
        if (length && (!best->txns || length < best->txns)) {
            keep_cycle(s, way, edge, best);
            best->txns = length;
        }
        found |= length > 0;
    }
    return found;
}

static bool try_component(struct cycles *s, const struct cycle_sort *sort, const uint32_t range[2],
                          struct cycle *best)
{
    bool found = false;
    for (uint32_t i = range[0]; i < range[1] && !(found && best->txns == 2); i++)
        found = try_state(s, sort, s->members[i], best, found);
    for (uint32_t i = range[0]; found && i < range[1]; i++) {
        uint32_t node = node_of(s, s->members[i]);
        if (node < s->graph->txns)
            s->counted[node] = true;
    }
    return found;
}

bool cycles_any(struct cycles *s, unsigned kinds, bool apart)
{
    find_components(s, kinds, apart);
    return s->component_count > 0;
}

uint32_t cycles_find(struct cycles *s, const struct cycle_sort *sort, struct cycle *best)
{
    uint32_t begin = 0, count = 0;
    find_components(s, sort->kinds, sort->apart);
    s->effort_left = s->effort;
    for (uint32_t i = 0; i < s->component_count; i++) {
        const uint32_t range[2] = {begin, s->ends[i]};
        begin = range[1];
        if (!any_counted(s, range[0], range[1]))
            count += try_component(s, sort, range, best);
    }
    return count;
}
