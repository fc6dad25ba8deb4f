/* SPDX-License-Identifier: MIT
 *
 * grow_test.c: from the embedded registry to etcd, and from one member to three, while it is used.
 */
#include "cluster.h"
#include "counting.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/registry/embedded.h"
#include "io/registry/switch.h"

struct growing {
    struct cluster *c;
    struct registry *embedded, *board, *etcd;
    char dir[160];
};

static enum err open_embedded(struct growing *g)
{
    struct store_error error;
    snprintf(g->dir, sizeof g->dir, "%s/embedded", g->c->w.dir);
    return registry_embedded_open(&g->c->w.loop, g->dir, &g->embedded, &error);
}

static int begin(void **state)
{
    struct growing *g = calloc(1, sizeof *g);
    g->c = cluster_new();
    assert_int_equal(open_embedded(g), OK);
    g->board = registry_switch_new(&g->c->w.loop, g->embedded);
    *state = g;
    return 0;
}

static void flag_up(void *ctx)
{
    *(bool *)ctx = true;
}

static void close_embedded(struct growing *g)
{
    bool closed = false;
    registry_embedded_close(g->embedded, flag_up, &closed);
    wait_for(&g->c->w, &closed, 5);
    g->embedded = NULL;
}

static int end(void **state)
{
    struct growing *g = *state;
    bool closed = false;
    registry_switch_close(g->board, flag_up, &closed);
    wait_for(&g->c->w, &closed, 5);
    if (g->embedded)
        close_embedded(g);
    if (g->etcd)
        client_close(g->c, g->etcd);
    cluster_free(g->c);
    free(g);
    return 0;
}

static void growth_done(struct registry_growth *growth)
{
    *(bool *)growth->ctx = true;
}

static enum err grow(struct growing *g)
{
    bool done = false;
    struct registry_growth growth = {
        .board = g->board, .etcd = g->etcd, .done = growth_done, .ctx = &done};
    registry_grow(&growth);
    assert_false(done);
    wait_for(&g->c->w, &done, 20);
    assert_true((growth.err == OK) == (growth.error.text[0] == 0));
    return growth.err;
}

/* --- growth --- */

static enum err put_leased(struct growing *g, const char *key)
{
    const struct registry_write write = {key, {(const uint8_t *)"me", 2}, true};
    struct registry_change change = {.writes = &write, .write_count = 1};
    return change_all(&g->c->w, g->board, &change);
}

/* More keys than one change holds, and more bytes. */
static void fill(struct growing *g)
{
    static char large[200001];
    char key[16];
    memset(large, 'x', sizeof large - 1);
    for (int i = 0; i < 150; i++) {
        snprintf(key, sizeof key, "key/%d", i);
        const char *value = i % 15 ? "value" : large;
        assert_int_equal(put(&g->c->w, g->board, key, value, NULL), OK);
    }
    assert_int_equal(put_leased(g, "alive/1"), OK);
}

static void leave_something_in_etcd(struct growing *g)
{
    struct registry *other = client_open(g->c, 0, 1);
    assert_int_equal(put(&g->c->w, other, "key/3", "of a try before", NULL), OK);
    assert_int_equal(put(&g->c->w, other, "stale", "of a try before", NULL), OK);
    client_close(g->c, other);
}

static void it_grows_while_it_is_used(void **state)
{
    struct growing *g = *state;
    struct world *w = &g->c->w;
    struct witness witness;
    uint64_t before, after;
    fill(g);
    witness_begin(&witness, g->board, "w");
    witness_expect(w, &witness, "here ");
    assert_int_equal(put(w, g->board, "w", "1", &before), OK);
    witness_expect(w, &witness, "+w=1 ");
    cluster_start(g->c, 1);
    leave_something_in_etcd(g);
    g->etcd = client_open(g->c, 0, 1);
    struct counting *n = count_begin(w, g->board, "n");
    count_some(n, 5);
    count_mark(n);
    assert_int_equal(grow(g), OK);
    assert_ptr_equal(registry_switch_backend(g->board), g->etcd);
    assert_int_equal(put_if(w, g->board, "w", "x", before), ERR_CONFLICT);
    assert_int_equal(put_if(w, g->board, "never", "x", before), ERR_CONFLICT);
    count_some(n, 5);
    assert_true(n->conflicts <= 1 && n->refused == 0 && n->timeouts == 0);
    count_report(n, "growth");
    count_end(n);
    witness_expect(w, &witness, "+w=1 lost +w=1 here ");
    assert_int_equal(put(w, g->board, "w", "2", &after), OK);
    assert_true(after > before);
    witness_expect(w, &witness, "+w=2 ");
    assert_int_equal(count_of(w, g->board, ""), 153);
    assert_int_equal(get(w, g->board, "key/15").len, 200000);
    assert_string_equal(get(w, g->board, "key/3").value, "value");
    close_embedded(g);
    assert_int_equal(open_embedded(g), ERR_MOVED);
    g->board->ops->unwatch(g->board, &witness.watch);
    struct registry *second = client_open(g->c, 0, 1); /* another node: the same revisions */
    struct got got = get(w, second, "w");
    assert_true(got.revision == after);
    assert_int_equal(put_if(w, second, "w", "3", after), OK);
    client_close(g->c, second);
    client_close(g->c, g->etcd); /* which held the lease */
    g->etcd = client_open(g->c, 0, 1);
    assert_int_equal(get(w, g->etcd, "alive/1").count, 0);
}

static void without_etcd_it_stays(void **state)
{
    struct growing *g = *state;
    struct world *w = &g->c->w;
    fill(g);
    g->etcd = client_open(g->c, 0, 1); /* nobody is there */
    struct counting *n = count_begin(w, g->board, "n");
    assert_int_equal(grow(g), ERR_REGISTRY);
    count_some(n, 5);
    assert_true(n->conflicts == 0 && n->refused == 0 && n->timeouts == 0);
    count_end(n);
    cluster_start(g->c, 1);
    assert_int_equal(grow(g), OK); /* the next try does */
    assert_int_equal(count_of(w, g->board, ""), 152);
}

/* --- members --- */

static void members_done(struct etcd_members *call)
{
    *(bool *)call->ctx = true;
}

static enum err ask_members(struct growing *g, struct etcd_members *call)
{
    bool done = false;
    call->done = members_done;
    call->ctx = &done;
    registry_etcd_members(g->etcd, call);
    assert_false(done);
    wait_for(&g->c->w, &done, 10);
    return call->err;
}

static void add_member(struct growing *g, unsigned i)
{
    struct world *w = &g->c->w;
    char url[64];
    snprintf(url, sizeof url, "https://127.0.0.1:%u", g->c->members[i].peer_port);
    struct etcd_members call = {.what = ETCD_MEMBERS_ADD, .peer_url = url};
    enum err err = ask_members(g, &call);
    for (int tries = 0; err == ERR_AGAIN && tries < 100; tries++) {
        run_for(w, 100); /* etcd wants all members to have been connected for a while */
        err = ask_members(g, &call);
    }
    if (err)
        fail_msg("not added: %s", call.error.text);
    assert_true(call.id != 0);
    assert_int_equal(call.count, i + 1);
    uint64_t id = call.id;
    char *cluster = etcd_cluster(call.members, call.count, g->c->members[i].name);
    member_start(g->c, i, cluster, true);
    free(cluster);
    call = (struct etcd_members){.what = ETCD_MEMBERS_PROMOTE, .id = id};
    for (int tries = 0; (err = ask_members(g, &call)) != OK && tries < 200; tries++)
        run_for(w, 20);
    assert_int_equal(err, OK);
    assert_int_equal(ask_members(g, &call), OK); /* again: it votes already */
}

static void from_one_member_to_three_and_back(void **state)
{
    struct growing *g = *state;
    struct world *w = &g->c->w;
    struct etcd_members list = {.what = ETCD_MEMBERS_LIST}, remove;
    struct store_error error;
    char urls[256];
    cluster_start(g->c, 1);
    g->etcd = client_open(g->c, 0, 1);
    assert_int_equal(grow(g), OK);
    struct counting *n = count_begin(w, g->board, "n");
    add_member(g, 1);
    add_member(g, 2);
    snprintf(urls, sizeof urls, "https://127.0.0.1:%u,https://127.0.0.1:%u,https://127.0.0.1:%u/",
             g->c->members[0].client_port, g->c->members[1].client_port,
             g->c->members[2].client_port);
    assert_int_equal(registry_etcd_urls(g->etcd, urls, &error), OK);
    assert_int_equal(ask_members(g, &list), OK);
    assert_int_equal(list.count, 3);
    count_some(n, 10);
    member_stop(g->c, 0); /* the others go on */
    count_some(n, 10);
    count_report(n, "from one to three");
    count_end(n);
    for (size_t i = 0; i < list.count; i++) {
        if (strcmp(list.members[i].name, "node-1") != 0)
            continue;
        remove = (struct etcd_members){.what = ETCD_MEMBERS_REMOVE, .id = list.members[i].id};
        assert_int_equal(ask_members(g, &remove), OK);
        assert_int_equal(ask_members(g, &remove), OK); /* it is gone already */
        assert_int_equal(remove.err, OK);
    }
    assert_int_equal(ask_members(g, &list), OK);
    assert_int_equal(list.count, 2);
    assert_int_equal(put(w, g->board, "k", "v", NULL), OK);
}

#define GROW(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        GROW(it_grows_while_it_is_used),
        GROW(without_etcd_it_stays),
        GROW(from_one_member_to_three_and_back),
    };
    return cmocka_run_group_tests_name("growth", tests, NULL, NULL);
}
