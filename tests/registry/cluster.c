/* SPDX-License-Identifier: MIT
 *
 * cluster.c: real etcd for tests.
 */
#include "cluster.h"

#include <arpa/inet.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/etcd/http.h"
#include "io/etcd/json.h"
#include "io/tls/identity.h"

#define PREFIX "pactfs/test/"

/* --- certificates --- */

static void make_identity(const char *authority, const char *dir, const struct identity *identity)
{
    struct store_error error = {""};
    char *request, *certificate, from[256], to[256];
    assert_int_equal(mkdir(dir, 0700), 0);
    snprintf(from, sizeof from, "%s/ca.crt", authority);
    snprintf(to, sizeof to, "%s/ca.crt", dir);
    assert_int_equal(link(from, to), 0);
    assert_int_equal(identity_request(dir, "node", &request, &error), OK);
    if (authority_sign(authority, request, identity, &certificate, &error) != OK)
        fail_msg("%s", error.text);
    if (identity_keep(dir, "node", certificate, &error) != OK)
        fail_msg("%s", error.text);
    free(request);
    free(certificate);
}

static void make_certificates(struct cluster *c)
{
    struct store_error error = {""};
    struct identity node = {.role = ROLE_NODE, .node = 1, .name = "a", .host = "127.0.0.1"};
    struct identity client = {.role = ROLE_CLIENT, .uid = IDENTITY_UID_ANY, .name = "b"};
    char authority[128];
    snprintf(authority, sizeof authority, "%s/ca", c->w.dir);
    snprintf(c->tls, sizeof c->tls, "%s/tls", c->w.dir);
    snprintf(c->other_tls, sizeof c->other_tls, "%s/other", c->w.dir);
    assert_int_equal(mkdir(authority, 0700), 0);
    if (authority_make(authority, node.cell, &error) != OK)
        fail_msg("%s", error.text);
    make_identity(authority, c->tls, &node);
    make_identity(authority, c->other_tls, &client);
}

/* --- members --- */

/* All at once, so that they differ. */
static void find_ports(struct cluster *c)
{
    int sockets[2 * MEMBERS];
    uint16_t ports[2 * MEMBERS];
    for (unsigned i = 0; i < 2 * MEMBERS; i++) {
        struct sockaddr_in address = {.sin_family = AF_INET,
                                      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        socklen_t len = sizeof address;
        sockets[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(bind(sockets[i], (struct sockaddr *)&address, sizeof address), 0);
        assert_int_equal(getsockname(sockets[i], (struct sockaddr *)&address, &len), 0);
        ports[i] = ntohs(address.sin_port);
    }
    for (unsigned i = 0; i < 2 * MEMBERS; i++)
        close(sockets[i]);
    for (unsigned i = 0; i < MEMBERS; i++) {
        c->members[i].client_port = ports[2 * i];
        c->members[i].peer_port = ports[2 * i + 1];
    }
}

struct cluster *cluster_new(void)
{
    struct cluster *c = calloc(1, sizeof *c);
    snprintf(c->w.dir, sizeof c->w.dir, "/tmp/pactfs-etcd-XXXXXX");
    assert_non_null(mkdtemp(c->w.dir));
    assert_int_equal(uv_loop_init(&c->w.loop), 0);
    make_certificates(c);
    find_ports(c);
    for (unsigned i = 0; i < MEMBERS; i++) {
        snprintf(c->members[i].name, sizeof c->members[i].name, "node-%u", i + 1);
        snprintf(c->members[i].dir, sizeof c->members[i].dir, "%s/%u", c->w.dir, i);
    }
    return c;
}

static void on_changed(void *ctx, bool up, const char *why)
{
    struct member *member = ctx;
    assert_true(why[0] != 0);
    member->ups += up;
    member->downs += !up;
}

void member_start(struct cluster *c, unsigned i, const char *cluster, bool join)
{
    struct store_error error;
    struct member *m = &c->members[i];
    const struct etcd_child_options options = {.loop = &c->w.loop,
                                               .dir = m->dir,
                                               .tls = c->tls,
                                               .name = m->name,
                                               .host = "127.0.0.1",
                                               .client_port = m->client_port,
                                               .peer_port = m->peer_port,
                                               .cluster = cluster,
                                               .join = join,
                                               .changed = on_changed,
                                               .ctx = m};
    if (etcd_child_start(&options, &m->child, &error) != OK)
        fail_msg("%s", error.text);
}

static void flag_up(void *ctx)
{
    *(bool *)ctx = true;
}

void member_stop(struct cluster *c, unsigned i)
{
    bool stopped = false;
    etcd_child_stop(c->members[i].child, 3000, flag_up, &stopped);
    c->members[i].child = NULL;
    wait_for(&c->w, &stopped, 5);
}

void member_signal(struct cluster *c, unsigned i, int signal)
{
    int pid = etcd_child_process(c->members[i].child);
    assert_true(pid > 1);
    assert_int_equal(kill(pid, signal), 0);
}

void cluster_start(struct cluster *c, unsigned count)
{
    char cluster[512] = "";
    for (unsigned i = 0; i < count; i++) {
        size_t len = strlen(cluster);
        snprintf(cluster + len, sizeof cluster - len, "%s%s=https://127.0.0.1:%u", i ? "," : "",
                 c->members[i].name, c->members[i].peer_port);
    }
    for (unsigned i = 0; i < count; i++)
        member_start(c, i, cluster, false);
    for (unsigned i = 0; i < count; i++) {
        struct registry *registry = client_open(c, i, 1);
        wait_until_there(c, registry);
        client_close(c, registry);
    }
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)st;
    (void)kind;
    (void)at;
    return remove(path);
}

void cluster_free(struct cluster *c)
{
    for (unsigned i = 0; i < MEMBERS; i++)
        if (c->members[i].child)
            member_stop(c, i);
    assert_int_equal(uv_loop_close(&c->w.loop), 0);
    nftw(c->w.dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    free(c);
}

/* --- clients --- */

struct registry *client_open_at(struct cluster *c, const char *urls, const char *tls)
{
    const struct registry_etcd_options options = {
        .loop = &c->w.loop, .urls = urls, .dir = tls, .prefix = PREFIX, .lease_ns = 2000000000};
    struct store_error error;
    struct registry *registry = NULL;
    if (registry_etcd_open(&options, &registry, &error) != OK)
        fail_msg("%s", error.text);
    return registry;
}

struct registry *client_open(struct cluster *c, unsigned first, unsigned count)
{
    char urls[512] = "";
    for (unsigned i = 0; i < count; i++) {
        size_t len = strlen(urls);
        unsigned at = count == 1 ? first : (first + i) % count;
        snprintf(urls + len, sizeof urls - len, "%shttps://127.0.0.1:%u", i ? "," : "",
                 c->members[at].client_port);
    }
    return client_open_at(c, urls, c->tls);
}

void client_close(struct cluster *c, struct registry *registry)
{
    bool closed = false;
    registry_etcd_close(registry, flag_up, &closed);
    assert_false(closed);
    wait_for(&c->w, &closed, 5);
}

void wait_until_there(struct cluster *c, struct registry *registry)
{
    for (int i = 0; i < 200; i++) {
        if (get(&c->w, registry, "none").err == OK)
            return;
        run_for(&c->w, 20);
    }
    fail_msg("etcd did not come: %s", registry_etcd_trouble(registry));
}

/* --- outside the registry --- */

struct question {
    struct http_call call;
    bool done;
    char *answer;
};

static void question_done(struct http_call *call)
{
    struct question *q = (struct question *)(void *)call;
    q->done = true;
    q->answer = strdup(text_string(&call->answer));
}

char *ask_member(struct cluster *c, unsigned i, const char *path, const char *body)
{
    struct store_error error;
    struct http *http;
    char url[256];
    bool closed = false;
    snprintf(url, sizeof url, "https://127.0.0.1:%u%s", c->members[i].client_port, path);
    struct question q = {
        .call = {.url = url, .body = body, .timeout_ms = 2000, .done = question_done}};
    assert_int_equal(http_open(&c->w.loop, c->tls, &http, &error), OK);
    http_begin(http, &q.call);
    wait_for(&c->w, &q.done, 5);
    http_close(http, flag_up, &closed);
    wait_for(&c->w, &closed, 5);
    return q.answer;
}

static bool leads(struct cluster *c, unsigned i)
{
    char *answer = ask_member(c, i, "/v3/maintenance/status", "{}");
    const char *header = strstr(answer, "\"member_id\":\""),
               *leader = strstr(answer, "\"leader\":\"");
    unsigned long long self = header ? strtoull(header + 13, NULL, 10) : 0;
    unsigned long long who = leader ? strtoull(leader + 10, NULL, 10) : 1;
    free(answer);
    return self == who;
}

unsigned cluster_leader(struct cluster *c)
{
    for (int turn = 0; turn < 100; turn++) {
        for (unsigned i = 0; i < MEMBERS; i++)
            if (c->members[i].child && leads(c, i))
                return i;
        run_for(&c->w, 50);
    }
    fail_msg("there is no leader");
    return 0;
}
