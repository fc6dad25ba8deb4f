/* SPDX-License-Identifier: MIT
 *
 * http.c: libcurl on libuv. libcurl names the sockets and the one timeout it waits for; the loop
 * tells it what happened to them; what libcurl got is given out after it has returned, so that
 * whoever is told may begin and cancel calls.
 */
#include "io/etcd/http.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/assert.h"

#define PATH_MOST    4096u
#define IDLE_S       30L /* a connection that was not used for so long is not used again */
#define CONNECTS_MAX 32L
#define TO_ONE_MAX   8L /* connections to one host; further calls wait for one */

struct talk { /* a call on its way */
    struct http_call *call;
    struct http *http;
    CURL *easy;
    size_t sent;
    bool touched; /* body bytes were given to the connection */
    bool fresh;   /* something came that `part` was not told of */
    bool too_long;
    struct talk *next, **link;
    char why[CURL_ERROR_SIZE];
};

struct place { /* a socket that libcurl waits for */
    uv_poll_t poll;
    struct http *http;
    curl_socket_t socket;
};

struct http {
    uv_loop_t *loop;
    CURLM *multi;
    uv_timer_t timer;
    struct curl_slist *headers;
    char ca[PATH_MOST], certificate[PATH_MOST], key[PATH_MOST];
    bool tls;
    struct talk *talks;
    unsigned places;
    bool closing;
    void (*closed)(void *ctx);
    void *closed_ctx;
};

/* --- one call --- */

static size_t on_body_wanted(char *into, size_t size, size_t count, void *ctx)
{
    struct talk *talk = ctx;
    size_t left = strlen(talk->call->body) - talk->sent;
    size_t len = left < size * count ? left : size * count;
    memcpy(into, talk->call->body + talk->sent, len);
    talk->sent += len;
    talk->touched |= len > 0;
    return len;
}

/* libcurl wants to send the body once more, on another connection (H2). */
static int on_rewind(void *ctx, curl_off_t offset, int origin)
{
    struct talk *talk = ctx;
    if (origin != SEEK_SET || offset != 0 || (talk->call->once && talk->touched))
        return CURL_SEEKFUNC_FAIL;
    talk->sent = 0;
    return CURL_SEEKFUNC_OK;
}

static size_t on_answer(char *data, size_t size, size_t count, void *ctx)
{
    struct talk *talk = ctx;
    size_t len = size * count;
    if (talk->call->answer.len + len > HTTP_ANSWER_MAX) {
        talk->too_long = true;
        return 0;
    }
    text_add_bytes(&talk->call->answer, data, len);
    talk->fresh = true;
    return len;
}

static void set_tls(const struct http *http, CURL *easy)
{
    curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    if (!http->tls)
        return;
    curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
    curl_easy_setopt(easy, CURLOPT_CAINFO, http->ca);
    curl_easy_setopt(easy, CURLOPT_SSLCERT, http->certificate);
    curl_easy_setopt(easy, CURLOPT_SSLKEY, http->key);
}

static void set_options(struct http *http, struct talk *talk)
{
    CURL *easy = talk->easy;
    const struct http_call *call = talk->call;
    curl_easy_setopt(easy, CURLOPT_PRIVATE, talk);
    curl_easy_setopt(easy, CURLOPT_URL, call->url);
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_PROXY, ""); /* whatever the environment says */
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_POST, 1L);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)strlen(call->body));
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, http->headers);
    curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_body_wanted);
    curl_easy_setopt(easy, CURLOPT_READDATA, talk);
    curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, on_rewind);
    curl_easy_setopt(easy, CURLOPT_SEEKDATA, talk);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_answer);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, talk);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, talk->why);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)call->timeout_ms);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)call->connect_ms);
    curl_easy_setopt(easy, CURLOPT_MAXAGE_CONN, IDLE_S);
    set_tls(http, easy);
}

void http_begin(struct http *http, struct http_call *call)
{
    struct talk *talk = calloc(1, sizeof *talk);
    INVARIANT(talk != NULL && !http->closing);
    talk->call = call;
    talk->http = http;
    talk->easy = curl_easy_init();
    INVARIANT(talk->easy != NULL);
    call->impl = talk;
    call->answer = (struct text){0};
    call->status = 0;
    call->why[0] = 0;
    talk->next = http->talks;
    talk->link = &http->talks;
    if (talk->next)
        talk->next->link = &talk->next;
    http->talks = talk;
    set_options(http, talk);
    INVARIANT(curl_multi_add_handle(http->multi, talk->easy) == CURLM_OK);
}

static void talk_free(struct talk *talk)
{
    curl_multi_remove_handle(talk->http->multi, talk->easy);
    curl_easy_cleanup(talk->easy);
    *talk->link = talk->next;
    if (talk->next)
        talk->next->link = talk->link;
    free(talk);
}

void http_cancel(struct http *http, struct http_call *call)
{
    struct talk *talk = call->impl;
    INVARIANT(talk && talk->http == http && talk->call == call);
    call->impl = NULL;
    text_free(&call->answer);
    talk_free(talk);
}

/* --- giving out what came --- */

static enum http_outcome outcome_of(const struct talk *talk, CURLcode code)
{
    if (code == CURLE_OK)
        return HTTP_ANSWERED;
    if (talk->too_long)
        return HTTP_TOO_LONG;
    return talk->touched ? HTTP_BROKEN : HTTP_NOT_SENT;
}

static void finish(struct talk *talk, CURLcode code)
{
    struct http_call *call = talk->call;
    call->outcome = outcome_of(talk, code);
    curl_easy_getinfo(talk->easy, CURLINFO_RESPONSE_CODE, &call->status);
    if (code != CURLE_OK)
        snprintf(call->why, sizeof call->why, "%s",
                 talk->why[0] ? talk->why : curl_easy_strerror(code));
    call->impl = NULL;
    talk_free(talk);
    struct text answer = call->answer;
    call->done(call); /* which may begin it anew, or free it */
    text_free(&answer);
}

static struct talk *fresh_one(const struct http *http)
{
    for (struct talk *talk = http->talks; talk; talk = talk->next)
        if (talk->fresh && talk->call->part)
            return talk;
    return NULL;
}

static void give_out(struct http *http)
{
    struct talk *talk;
    CURLMsg *message;
    int left;
    while (!http->closing && (talk = fresh_one(http))) {
        talk->fresh = false;
        talk->call->part(talk->call);
    }
    while (!http->closing && (message = curl_multi_info_read(http->multi, &left))) {
        if (message->msg != CURLMSG_DONE)
            continue;
        char *private = NULL;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &private);
        finish((struct talk *)(void *)private, message->data.result);
    }
}

/* --- sockets and the timeout --- */

static void on_socket(uv_poll_t *poll, int status, int events)
{
    struct place *place = poll->data;
    struct http *http = place->http;
    int running, mask = 0;
    if (status < 0)
        mask = CURL_CSELECT_ERR;
    if (events & UV_READABLE)
        mask |= CURL_CSELECT_IN;
    if (events & UV_WRITABLE)
        mask |= CURL_CSELECT_OUT;
    curl_multi_socket_action(http->multi, place->socket, mask, &running);
    give_out(http);
}

static void on_timeout(uv_timer_t *timer)
{
    struct http *http = timer->data;
    int running;
    curl_multi_socket_action(http->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    give_out(http);
}

static int on_timer_wanted(CURLM *multi, long ms, void *ctx)
{
    struct http *http = ctx;
    (void)multi;
    if (http->closing)
        return 0;
    if (ms < 0) {
        uv_timer_stop(&http->timer);
        return 0;
    }
    uv_update_time(http->loop);
    return uv_timer_start(&http->timer, on_timeout, (uint64_t)ms, 0);
}

static void end_closing(struct http *http)
{
    if (!http->closing || http->places || http->talks || http->multi)
        return;
    void (*closed)(void *ctx) = http->closed;
    void *ctx = http->closed_ctx;
    curl_slist_free_all(http->headers);
    free(http);
    closed(ctx);
}

static void place_closed(uv_handle_t *handle)
{
    struct place *place = handle->data;
    struct http *http = place->http;
    http->places--;
    free(place);
    end_closing(http);
}

static int on_socket_wanted(CURL *easy, curl_socket_t socket, int what, void *ctx, void *given)
{
    struct http *http = ctx;
    struct place *place = given;
    int events = 0;
    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        if (place) {
            uv_poll_stop(&place->poll);
            uv_close((uv_handle_t *)&place->poll, place_closed);
            curl_multi_assign(http->multi, socket, NULL);
        }
        return 0;
    }
    if (!place) {
        place = calloc(1, sizeof *place);
        INVARIANT(place != NULL);
        place->http = http;
        place->socket = socket;
        place->poll.data = place;
        INVARIANT(uv_poll_init_socket(http->loop, &place->poll, socket) == 0);
        http->places++;
        curl_multi_assign(http->multi, socket, place);
    }
    if (what != CURL_POLL_IN)
        events |= UV_WRITABLE;
    if (what != CURL_POLL_OUT)
        events |= UV_READABLE;
    return uv_poll_start(&place->poll, events, on_socket);
}

/* --- opening and closing --- */

static enum err set_paths(struct http *http, const char *dir, struct store_error *error)
{
    char *const paths[] = {http->ca, http->certificate, http->key};
    static const char *const names[] = {"ca.crt", "node.crt", "node.key"};
    for (size_t i = 0; i < 3; i++) {
        int n = snprintf(paths[i], PATH_MOST, "%s/%s", dir, names[i]);
        if (n < 0 || (size_t)n >= PATH_MOST || access(paths[i], R_OK) != 0) {
            snprintf(error->text, sizeof error->text, "%s/%s cannot be read: %s.", dir, names[i],
                     strerror(errno));
            return ERR_CERTIFICATE;
        }
    }
    http->tls = true;
    return OK;
}

enum err http_open(uv_loop_t *loop, const char *dir, struct http **out, struct store_error *error)
{
    struct http *http = calloc(1, sizeof *http);
    INVARIANT(http != NULL && curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK);
    http->loop = loop;
    enum err err = dir ? set_paths(http, dir, error) : OK;
    if (err) {
        free(http);
        curl_global_cleanup();
        return err;
    }
    http->multi = curl_multi_init();
    http->headers = curl_slist_append(NULL, "Content-Type: application/json");
    http->headers = curl_slist_append(http->headers, "Expect:"); /* no asking before a long body */
    INVARIANT(http->multi != NULL && http->headers != NULL);
    INVARIANT(uv_timer_init(loop, &http->timer) == 0);
    http->timer.data = http;
    curl_multi_setopt(http->multi, CURLMOPT_SOCKETFUNCTION, on_socket_wanted);
    curl_multi_setopt(http->multi, CURLMOPT_SOCKETDATA, http);
    curl_multi_setopt(http->multi, CURLMOPT_TIMERFUNCTION, on_timer_wanted);
    curl_multi_setopt(http->multi, CURLMOPT_TIMERDATA, http);
    curl_multi_setopt(http->multi, CURLMOPT_MAXCONNECTS, CONNECTS_MAX);
    curl_multi_setopt(http->multi, CURLMOPT_MAX_HOST_CONNECTIONS, TO_ONE_MAX);
    *out = http;
    return OK;
}

static void timer_closed(uv_handle_t *handle)
{
    struct http *http = handle->data;
    while (http->talks) {
        struct http_call *call = http->talks->call;
        http_cancel(http, call);
    }
    curl_multi_cleanup(http->multi); /* closes idle connections: places go */
    http->multi = NULL;
    curl_global_cleanup();
    end_closing(http);
}

void http_close(struct http *http, void (*done)(void *ctx), void *ctx)
{
    INVARIANT(!http->closing);
    http->closing = true;
    http->closed = done;
    http->closed_ctx = ctx;
    uv_close((uv_handle_t *)&http->timer, timer_closed);
}
