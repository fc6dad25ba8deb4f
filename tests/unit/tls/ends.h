/* SPDX-License-Identifier: MIT
 *
 * ends.h: transports on one loop, and a note of what they were told; for tests.
 */
#ifndef PACTFS_TESTS_TLS_ENDS_H
#define PACTFS_TESTS_TLS_ENDS_H

#include <uv.h>

#include "cell.h"
#include "io/tls/transport.h"

#define ENDS       4
#define NOTES      64
#define MESSAGES   4096
#define CELL       0x5a
#define TEXT_SHORT 24

/* What one transport was told. */
struct end {
    struct transport *t;
    struct net *net;
    uint32_t got, from[MESSAGES]; /* messages, and of whom */
    uint64_t got_bytes;
    size_t len[MESSAGES];
    char text[MESSAGES][TEXT_SHORT]; /* their beginnings */
    uint32_t joined, lost;
    uint32_t joined_peer[NOTES], lost_peer[NOTES];
    struct identity joined_as[NOTES];
    uint64_t revoked; /* this certificate is */
    bool answer;      /* each message goes back to its sender */
    bool closed;
};

extern struct ends {
    uv_loop_t loop;
    uv_timer_t watchdog;
    char dir[TEST_PATH_MAX], other[TEST_PATH_MAX];
    struct end end[ENDS];
    struct store_error error;
} ends;

/* A cell with certificates node-1 to node-3, client, admin; setup and teardown. Teardown demands
 * that everything closes and the loop is left empty. */
int ends_begin(void **state);
int ends_end(void **state);

struct transport_options ends_options(struct end *end, const char *name, uint32_t self);
/* Opens; listening unless it is an agent (self 0). */
struct end *ends_open(int which, const char *name, uint32_t self);
struct end *ends_open_with(int which, const struct transport_options *options);
/* Tells `from` where `to` is. */
void ends_place(struct end *from, struct end *to, uint32_t number);
void ends_close(struct end *end);

enum err ends_send(struct end *from, uint32_t to, const char *text);
/* `len` bytes of a pattern, in two pieces. */
enum err ends_send_bytes(struct end *from, uint32_t to, uint32_t len);

/* Runs the loop until it is true; fails after half a minute. */
#define ENDS_UNTIL(condition)                \
    do {                                     \
        ends_watch(#condition);              \
        while (!(condition))                 \
            uv_run(&ends.loop, UV_RUN_ONCE); \
        ends_watched();                      \
    } while (0)
void ends_watch(const char *what);
void ends_watched(void);
struct transport_status ends_status(const struct end *end);

#endif
