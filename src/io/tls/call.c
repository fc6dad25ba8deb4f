/* SPDX-License-Identifier: MIT
 *
 * call.c: one question to whichever node answers first, from a process without a loop.
 *
 * All addresses are tried beside each other, each begun a little after the one before it (or when
 * that has failed), so a machine that is off costs a fraction of a second and a stopped process no
 * more. The question goes to the first node that has accepted this side, and to no other: it may
 * change something.
 */
#include <errno.h>
#include <netdb.h>
#include <openssl/err.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "core/base/assert.h"
#include "core/wire/message.h"
#include "io/tls/transport_private.h"

#define ATTEMPTS   16
#define STAGGER_MS 200
#define LOOK_MS    10 /* whether a name was found */
#define SERIAL     1u

enum stage { STAGE_NOT_BEGUN, STAGE_NAME, STAGE_CONNECT, STAGE_TLS, STAGE_READY, STAGE_FAILED };

struct attempt {
    struct asking *asking;
    const char *address;
    enum stage stage;
    enum err err;
    struct gaicb *name; /* a look-up; leaked when it cannot be stopped */
    int fd;
    short events;
    SSL *ssl;
    struct frames in;
    char why[SENTENCE];
};

struct asking {
    SSL_CTX *ctx;
    uint64_t begun_ms, end_ms;
    int count;
    struct attempt attempts[ATTEMPTS];
    struct arena arena;
    char *answer;
};

static uint64_t now_ms(void)
{
    return uv_hrtime() / 1000000;
}

static void fail(struct attempt *attempt, enum err err, const char *sentence)
{
    if (attempt->stage == STAGE_FAILED)
        return;
    attempt->stage = STAGE_FAILED;
    attempt->err = err;
    snprintf(attempt->why, sizeof attempt->why, "%s", sentence);
}

static void fail_errno(struct attempt *attempt, int number)
{
    char sentence[SENTENCE];
    snprintf(sentence, sizeof sentence, "%.120s cannot be reached: %s.", attempt->address,
             strerror(number));
    fail(attempt, ERR_UNREACHABLE, sentence);
}

static void fail_tls(struct attempt *attempt)
{
    char sentence[SENTENCE];
    enum err err = verify_certificates(attempt->ssl) ? ERR_CERTIFICATE : ERR_UNREACHABLE;
    verify_trouble(attempt->ssl, attempt->address, "", sentence);
    fail(attempt, err, sentence);
}

/* --- the socket as OpenSSL sees it: write(2) might raise SIGPIPE --- */

static int bio_write(BIO *bio, const char *data, int len)
{
    const struct attempt *attempt = BIO_get_data(bio);
    ssize_t n = send(attempt->fd, data, (size_t)len, MSG_NOSIGNAL);
    BIO_clear_retry_flags(bio);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        BIO_set_retry_write(bio);
    return (int)n;
}

static int bio_read(BIO *bio, char *data, int len)
{
    const struct attempt *attempt = BIO_get_data(bio);
    ssize_t n = recv(attempt->fd, data, (size_t)len, 0);
    BIO_clear_retry_flags(bio);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        BIO_set_retry_read(bio);
    return (int)n;
}

static long bio_control(BIO *bio, int command, long number, void *pointer)
{
    (void)bio, (void)number, (void)pointer;
    return command == BIO_CTRL_FLUSH;
}

static SSL *ssl_for(struct attempt *attempt)
{
    static BIO_METHOD *method;
    if (!method && (method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "call"))) {
        BIO_meth_set_write(method, bio_write);
        BIO_meth_set_read(method, bio_read);
        BIO_meth_set_ctrl(method, bio_control);
    }
    BIO *bio = method ? BIO_new(method) : NULL;
    SSL *ssl = bio ? SSL_new(attempt->asking->ctx) : NULL;
    if (!ssl) {
        BIO_free(bio);
        return NULL;
    }
    BIO_set_data(bio, attempt);
    BIO_set_init(bio, 1);
    SSL_set_bio(ssl, bio, bio);
    SSL_set_connect_state(ssl);
    return ssl;
}

/* --- one attempt, step by step --- */

/* What OpenSSL waits for; false: it is over. */
static bool waits(struct attempt *attempt, int result)
{
    int error = SSL_get_error(attempt->ssl, result);
    attempt->events = error == SSL_ERROR_WANT_WRITE ? POLLOUT : POLLIN;
    return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE;
}

static void check_peer(struct attempt *attempt)
{
    struct identity who;
    char sentence[SENTENCE];
    X509 *certificate = SSL_get0_peer_certificate(attempt->ssl);
    if (certificate && identity_of(certificate, &who, NULL) == OK && who.role == ROLE_NODE)
        return;
    snprintf(sentence, sizeof sentence, "The certificate of %.150s is not that of a node.",
             attempt->address);
    fail(attempt, ERR_CERTIFICATE, sentence);
}

static bool take_answer(struct attempt *attempt, struct bytes bytes)
{
    struct asking *asking = attempt->asking;
    struct message message;
    if (wire_decode(bytes, &asking->arena, &message) != OK || message.kind != MESSAGE_ANSWER ||
        message.serial != SERIAL)
        return true;
    asking->answer = malloc(message.text.len + 1);
    INVARIANT(asking->answer != NULL);
    if (message.text.len > 0)
        memcpy(asking->answer, message.text.data, message.text.len);
    asking->answer[message.text.len] = 0;
    return false;
}

static bool take_message(void *ctx, struct bytes bytes)
{
    struct attempt *attempt = ctx;
    if (attempt->stage == STAGE_TLS && bytes.len == 0) {
        attempt->stage = STAGE_READY; /* it has accepted this side */
        return true;
    }
    return attempt->stage == STAGE_READY && take_answer(attempt, bytes);
}

static void read_all(struct attempt *attempt)
{
    uint8_t buf[LARGE];
    size_t got;
    while (attempt->stage != STAGE_FAILED && !attempt->asking->answer) {
        ERR_clear_error();
        if (SSL_read_ex(attempt->ssl, buf, sizeof buf, &got) != 1) {
            if (!waits(attempt, 0))
                fail_tls(attempt);
            return;
        }
        if (frames_add(&attempt->in, (struct bytes){buf, got}, take_message, attempt) != OK &&
            !attempt->asking->answer)
            fail(attempt, ERR_DECODE, "The node's answer cannot be understood.");
    }
}

static void shake_hands(struct attempt *attempt)
{
    ERR_clear_error();
    int done = SSL_do_handshake(attempt->ssl);
    if (done == 1) {
        attempt->events = POLLIN;
        check_peer(attempt);
        read_all(attempt);
    } else if (!waits(attempt, done)) {
        fail_tls(attempt);
    }
}

static void connected(struct attempt *attempt)
{
    int number = 0;
    socklen_t len = sizeof number;
    if (getsockopt(attempt->fd, SOL_SOCKET, SO_ERROR, &number, &len) != 0 || number != 0) {
        fail_errno(attempt, number);
        return;
    }
    attempt->stage = STAGE_TLS;
    attempt->ssl = ssl_for(attempt);
    if (!attempt->ssl)
        fail(attempt, ERR_NOMEM, "Out of memory.");
    else
        shake_hands(attempt);
}

static void connect_to(struct attempt *attempt, const struct sockaddr_storage *to, socklen_t len)
{
    attempt->fd = socket(to->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (attempt->fd < 0) {
        fail_errno(attempt, errno);
        return;
    }
    socket_options(attempt->fd, true);
    attempt->stage = STAGE_CONNECT;
    attempt->events = POLLOUT;
    if (connect(attempt->fd, (const struct sockaddr *)to, len) == 0)
        connected(attempt);
    else if (errno != EINPROGRESS)
        fail_errno(attempt, errno);
}

/* --- names --- */

static void look_up(struct attempt *attempt)
{
    char host[RECORD_ADDR_MAX];
    uint16_t port;
    char sentence[SENTENCE];
    if (!address_parse(attempt->address, false, host, &port)) {
        snprintf(sentence, sizeof sentence, "The address '%.120s' cannot be read.",
                 attempt->address);
        fail(attempt, ERR_USAGE, sentence);
        return;
    }
    attempt->name = calloc(1, sizeof *attempt->name);
    INVARIANT(attempt->name != NULL);
    attempt->name->ar_name = strdup(host);
    attempt->stage = STAGE_NAME;
    if (getaddrinfo_a(GAI_NOWAIT, &attempt->name, 1, NULL) != 0)
        fail(attempt, ERR_UNREACHABLE, "The node's name cannot be looked up.");
}

static void looked_up(struct attempt *attempt)
{
    struct sockaddr_storage address = {0};
    char host[RECORD_ADDR_MAX], sentence[SENTENCE];
    uint16_t port;
    int status = gai_error(attempt->name);
    if (status == EAI_INPROGRESS)
        return;
    if (status != 0) {
        snprintf(sentence, sizeof sentence, "The name in %.120s is not known: %s.",
                 attempt->address, gai_strerror(status));
        fail(attempt, ERR_UNREACHABLE, sentence);
        return;
    }
    const struct addrinfo *found = attempt->name->ar_result;
    INVARIANT(address_parse(attempt->address, false, host, &port));
    memcpy(&address, found->ai_addr, found->ai_addrlen);
    address_set_port(&address, port);
    connect_to(attempt, &address, found->ai_addrlen);
}

static void name_free(struct gaicb *name)
{
    if (!name)
        return;
    if (gai_error(name) == EAI_INPROGRESS && gai_cancel(name) != EAI_CANCELED)
        return; /* its thread still writes there */
    if (name->ar_result)
        freeaddrinfo(name->ar_result);
    free((char *)(uintptr_t)name->ar_name);
    free(name);
}

/* --- all of them --- */

static void begin(struct attempt *attempt)
{
    struct sockaddr_storage address;
    socklen_t len;
    if (address_figures(attempt->address, &address, &len))
        connect_to(attempt, &address, len);
    else
        look_up(attempt);
}

/* Begins those whose time has come. Returns when the next one's does. */
static uint64_t begin_due(struct asking *asking)
{
    bool all_failed = true;
    for (int i = 0; i < asking->count; i++) {
        struct attempt *attempt = &asking->attempts[i];
        uint64_t due = asking->begun_ms + (uint64_t)i * STAGGER_MS;
        if (attempt->stage == STAGE_NOT_BEGUN && !all_failed && now_ms() < due)
            return due;
        if (attempt->stage == STAGE_NOT_BEGUN)
            begin(attempt);
        all_failed = all_failed && attempt->stage == STAGE_FAILED;
    }
    return asking->end_ms;
}

static void step(struct attempt *attempt, short events)
{
    if (attempt->stage == STAGE_NAME)
        looked_up(attempt);
    else if (events && attempt->stage == STAGE_CONNECT)
        connected(attempt);
    else if (events && attempt->stage == STAGE_TLS && !SSL_is_init_finished(attempt->ssl))
        shake_hands(attempt);
    else if (events && (attempt->stage == STAGE_TLS || attempt->stage == STAGE_READY))
        read_all(attempt);
}

/* Waits for something to happen, and takes it in. */
static void wait_for_one(struct asking *asking, uint64_t until)
{
    struct pollfd polled[ATTEMPTS];
    uint64_t now = now_ms();
    int wait = until > now ? (int)(until - now) : 0;
    for (int i = 0; i < asking->count; i++) {
        struct attempt *attempt = &asking->attempts[i];
        bool live = attempt->stage > STAGE_NAME && attempt->stage < STAGE_FAILED;
        polled[i] = (struct pollfd){.fd = live ? attempt->fd : -1, .events = attempt->events};
        if (attempt->stage == STAGE_NAME && wait > LOOK_MS)
            wait = LOOK_MS;
    }
    if (poll(polled, (nfds_t)asking->count, wait) < 0)
        return; /* interrupted: as if nothing had happened */
    for (int i = 0; i < asking->count; i++)
        step(&asking->attempts[i], polled[i].revents);
}

static struct attempt *ready(struct asking *asking)
{
    for (int i = 0; i < asking->count; i++)
        if (asking->attempts[i].stage == STAGE_READY)
            return &asking->attempts[i];
    return NULL;
}

static bool any_left(const struct asking *asking)
{
    for (int i = 0; i < asking->count; i++)
        if (asking->attempts[i].stage != STAGE_FAILED)
            return true;
    return false;
}

static struct attempt *reach(struct asking *asking)
{
    struct attempt *found = NULL;
    while (!(found = ready(asking)) && any_left(asking) && now_ms() < asking->end_ms)
        wait_for_one(asking, begin_due(asking));
    return found;
}

/* The most telling of what went wrong: a certificate, else the first one's. */
static enum err nobody(const struct asking *asking, struct store_error *error)
{
    const struct attempt *found = NULL, *silent = NULL;
    for (int i = 0; i < asking->count; i++) {
        const struct attempt *attempt = &asking->attempts[i];
        if (attempt->stage != STAGE_FAILED && !silent)
            silent = attempt;
        if (attempt->stage == STAGE_FAILED &&
            (!found || (attempt->err == ERR_CERTIFICATE && found->err != ERR_CERTIFICATE)))
            found = attempt;
    }
    if (silent && (!found || found->err != ERR_CERTIFICATE))
        return tls_refuse(error, ERR_UNREACHABLE, "%.200s does not answer.", silent->address);
    if (found)
        return tls_refuse(error, found->err, "%s", found->why);
    return tls_refuse(error, ERR_UNREACHABLE, "No address of a node is known.");
}

/* --- the question --- */

static void put_question(struct attempt *attempt, struct bytes question)
{
    uint8_t head[FRAMES_HEAD];
    size_t sent = 0, n, len = question.len + sizeof head;
    uint8_t *all = malloc(len);
    INVARIANT(all != NULL);
    frames_put_head(head, (uint32_t)question.len);
    memcpy(all, head, sizeof head);
    memcpy(all + sizeof head, question.data, question.len);
    while (sent < len && attempt->stage == STAGE_READY && now_ms() < attempt->asking->end_ms) {
        ERR_clear_error();
        if (SSL_write_ex(attempt->ssl, all + sent, len - sent, &n) == 1) {
            sent += n;
        } else if (waits(attempt, 0)) {
            struct pollfd polled = {.fd = attempt->fd, .events = attempt->events};
            poll(&polled, 1, LOOK_MS);
        } else {
            fail_tls(attempt);
        }
    }
    free(all);
}

static enum err ask(struct asking *asking, const char *text, struct store_error *error)
{
    struct message message = {
        .kind = MESSAGE_CALL, .serial = SERIAL, .text = {(const uint8_t *)text, strlen(text)}};
    struct attempt *chosen = reach(asking);
    if (!chosen)
        return nobody(asking, error);
    for (int i = 0; i < asking->count; i++)
        if (&asking->attempts[i] != chosen)
            fail(&asking->attempts[i], ERR_UNREACHABLE, "not needed");
    put_question(chosen, wire_encode(&message, &asking->arena));
    chosen->events = POLLIN;
    while (chosen->stage == STAGE_READY && !asking->answer && now_ms() < asking->end_ms)
        wait_for_one(asking, asking->end_ms);
    if (asking->answer)
        return OK;
    if (chosen->stage == STAGE_FAILED)
        return tls_refuse(error, chosen->err, "%s", chosen->why);
    return tls_refuse(error, ERR_TIMEOUT, "%.200s has not answered in %llu ms.", chosen->address,
                      (unsigned long long)(asking->end_ms - asking->begun_ms));
}

static enum err own_expired(const struct transport_call *call, struct store_error *error)
{
    char path[TLS_PATH_MAX], day[32];
    struct identity own;
    enum err err = tls_path(path, call->dir, call->name, ".crt");
    if (err)
        return tls_refuse(error, err, "The path of %.100s.crt is too long.", call->name);
    err = identity_load(path, &own, error);
    if (err || own.not_after >= (int64_t)time(NULL))
        return err;
    struct tm tm;
    time_t end = (time_t)own.not_after;
    gmtime_r(&end, &tm);
    strftime(day, sizeof day, "%Y-%m-%d", &tm);
    return tls_refuse(error, ERR_CERTIFICATE, "The certificate %.300s has expired on %s.", path,
                      day);
}

static enum err prepare(struct asking *asking, const struct transport_call *call,
                        struct store_error *error)
{
    enum err err = OK;
    asking->begun_ms = now_ms();
    asking->end_ms = asking->begun_ms + call->timeout_ms;
    for (; asking->count < ATTEMPTS && call->addresses[asking->count]; asking->count++)
        asking->attempts[asking->count] =
            (struct attempt){.asking = asking,
                             .address = call->addresses[asking->count],
                             .fd = -1,
                             .in = {.longest = MESSAGE_MOST, .trusted = true}};
    if (strlen(call->text) > WIRE_TEXT_MAX)
        return tls_refuse(error, ERR_LIMIT, "A question has at most %u bytes.", WIRE_TEXT_MAX);
    if (call->name)
        err = own_expired(call, error);
    if (err)
        return err;
    INVARIANT(call->name || call->fingerprint);
    return call->name ? identity_context(call->dir, call->name, false, &asking->ctx, error)
                      : identity_stranger_context(call->fingerprint, &asking->ctx, error);
}

enum err transport_call(const struct transport_call *call, char **answer, struct store_error *error)
{
    struct asking asking = {0};
    arena_init(&asking.arena);
    enum err err = prepare(&asking, call, error);
    if (!err)
        err = ask(&asking, call->text, error);
    for (int i = 0; i < asking.count; i++) {
        struct attempt *attempt = &asking.attempts[i];
        if (attempt->ssl && SSL_is_init_finished(attempt->ssl) && !err)
            SSL_shutdown(attempt->ssl);
        SSL_free(attempt->ssl);
        if (attempt->fd >= 0)
            close(attempt->fd);
        frames_free(&attempt->in);
        name_free(attempt->name);
    }
    ERR_clear_error();
    SSL_CTX_free(asking.ctx);
    arena_free(&asking.arena);
    *answer = asking.answer;
    return err;
}
