/* SPDX-License-Identifier: MIT
 *
 * http.h: HTTP requests (libcurl's multi interface) on a libuv loop; what the client of etcd needs
 * of them.
 *
 * Law
 *   H1  `done` runs once for each call, on the loop, never from inside a function of this header,
 *       at the latest `timeout_ms` after http_begin; not after http_cancel. The same goes for
 *       `part` before it.
 *   H2  The body of a call that is marked `once` is sent once at most. NOT_SENT is said only when
 *       none of it was given to the connection.
 */
#ifndef PACTFS_IO_ETCD_HTTP_H
#define PACTFS_IO_ETCD_HTTP_H

#include <uv.h>

#include "core/base/text.h"
#include "core/store/store.h"

#define HTTP_ANSWER_MAX ((size_t)96 << 20) /* bytes */
#define HTTP_WHY_MAX    256u

struct http;

enum http_outcome {
    HTTP_ANSWERED, /* `status` and the whole answer */
    HTTP_NOT_SENT, /* not connected, or not in time */
    HTTP_BROKEN,   /* sent, but the answer did not come, or not in time */
    HTTP_TOO_LONG, /* more than HTTP_ANSWER_MAX */
};

struct http_call {
    const char *url, *body;          /* must live until done */
    uint32_t timeout_ms, connect_ms; /* timeout_ms 0: no end */
    bool once;
    void (*part)(struct http_call *call); /* NULL, or: more of a long answer has come; takes
                                                 what it wants out of `answer` */
    void (*done)(struct http_call *call); /* may begin it again, or free it */
    void *ctx;
    /* out */
    enum http_outcome outcome;
    long status;
    struct text answer; /* the library's; freed after done, or by http_cancel */
    char why[HTTP_WHY_MAX];
    void *impl;
};

/* `dir` has ca.crt, node.crt and node.key, for https; NULL: none. CERTIFICATE: one of them cannot
 * be read. */
enum err http_open(uv_loop_t *loop, const char *dir, struct http **out, struct store_error *error);
/* All calls are cancelled. done(ctx) once, on the loop. */
void http_close(struct http *http, void (*done)(void *ctx), void *ctx);

void http_begin(struct http *http, struct http_call *call);
void http_cancel(struct http *http, struct http_call *call);

#endif
