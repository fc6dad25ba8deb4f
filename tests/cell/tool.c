/* SPDX-License-Identifier: MIT
 *
 * tool.c: a cell from its own functions, without the command; and peers that do what they must not.
 *
 *   tool init HOME LISTEN NAME          tool join HOME CODE LISTEN|- NAME
 *   tool serve HOME                     one line of JSON on stdout when it is ready
 *   tool call HOME CERTIFICATE ADDRESS JSON
 *   tool strange CA_CERTIFICATE ADDRESS JSON        without a certificate
 *   tool send HOME CERTIFICATE ADDRESS VOLUME WHAT [UID]
 *       sends one thing to the node at ADDRESS (as node 1 in the sender's eyes), and prints what
 *       comes of it: the kind of the answer and its error, "lost", or "nothing"
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "core/base/assert.h"
#include "core/wire/message.h"
#include "io/tls/transport.h"
#include "node/cell/cell.h"
#include "node/cell/setup.h"

#define SILENCE_MS 700

static int outcome(enum err err, const struct store_error *error)
{
    if (err == OK)
        return 0;
    printf("%s: %s\n", err_name(err), error->text);
    return 1;
}

static int init(char **words)
{
    struct store_error error = {""};
    struct setup_made made;
    struct setup_init options = {.home = words[0], .listen = words[1], .name = words[2]};
    return outcome(setup_init(&options, &made, &error), &error);
}

static int join(char **words)
{
    struct store_error error = {""};
    struct setup_made made;
    struct setup_join options = {.home = words[0],
                                 .code = words[1],
                                 .listen = strcmp(words[2], "-") == 0 ? NULL : words[2],
                                 .name = words[3],
                                 .timeout_ms = 30000};
    return outcome(setup_join(&options, &made, &error), &error);
}

static int serve(char **words)
{
    struct cell_options options = {.home = words[0], .ready_fd = 1};
    return cell_run(&options);
}

static int call(char **words)
{
    struct store_error error = {""};
    char tls[4096], *answer = NULL;
    const char *addresses[] = {words[2], NULL};
    snprintf(tls, sizeof tls, "%s/tls", words[0]);
    struct transport_call question = {.dir = tls,
                                      .name = words[1],
                                      .addresses = addresses,
                                      .text = words[3],
                                      .timeout_ms = 10000};
    enum err err = transport_call(&question, &answer, &error);
    if (answer)
        printf("%s\n", answer);
    free(answer);
    return outcome(err, &error);
}

static int strange(char **words)
{
    struct store_error error = {""};
    uint8_t fingerprint[32];
    char *answer = NULL;
    const char *addresses[] = {words[1], NULL};
    enum err err = authority_fingerprint(words[0], fingerprint, &error);
    struct transport_call question = {
        .fingerprint = fingerprint, .addresses = addresses, .text = words[2], .timeout_ms = 10000};
    if (err == OK)
        err = transport_call(&question, &answer, &error);
    if (answer)
        printf("%s\n", answer);
    free(answer);
    return outcome(err, &error);
}

/* --- one message --- */

struct sender {
    uv_loop_t loop;
    uv_timer_t silence;
    struct transport *transport;
    struct net *net;
    struct arena arena;
    uint8_t volume[16];
    const char *what;
    uint32_t uid;
    uint64_t session, number, ino;
    unsigned replies;
};

static void send_message(struct sender *sender, struct message *message)
{
    memcpy(message->volume, sender->volume, sizeof message->volume);
    arena_reset(&sender->arena);
    enum err err = wire_send(sender->net, 1, message, NULL, 0, &sender->arena);
    if (err != OK)
        printf("not sent: %s\n", err_name(err));
}

static void request(struct sender *sender)
{
    struct message message = {.kind = MESSAGE_REQUEST,
                              .session = sender->session,
                              .number = sender->number,
                              .slot = 0,
                              .serial = 1};
    message.op = (struct fs_op){.code = FS_MKDIR, .ino = FS_ROOT_INO, .mode = 0755};
    message.op.name = (struct bytes){(const uint8_t *)"once", 4};
    message.op.cred = (struct fs_cred){
        .uid = sender->uid, .gid = sender->uid, .checked = strcmp(sender->what, "checked") == 0};
    send_message(sender, &message);
}

static void send_raw(struct sender *sender)
{
    char rubbish[64];
    memset(rubbish, 'x', sizeof rubbish);
    struct env_iov piece = {rubbish, sizeof rubbish};
    sender->net->ops->send(sender->net, 1, &piece, 1);
}

static void begin(struct sender *sender)
{
    static const struct {
        const char *what;
        enum message_kind kind;
    } kinds[] = {
        {"heartbeat", MESSAGE_HEARTBEAT}, {"record", MESSAGE_RECORD}, {"ack", MESSAGE_ACK},
        {"flush", MESSAGE_FLUSH},         {"join", MESSAGE_JOIN},     {"fetch", MESSAGE_FETCH},
        {"take_over", MESSAGE_TAKE_OVER}, {"resign", MESSAGE_RESIGN}, {"answer", MESSAGE_ANSWER},
        {"where", MESSAGE_WHERE}};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(sender->what, kinds[i].what) == 0) {
            struct message message = {.kind = kinds[i].kind, .serial = 1};
            message.view = (struct view){.number = 1000, .primary = 1, .count = 1, .members = {1}};
            send_message(sender, &message);
            return;
        }
    if (strcmp(sender->what, "rubbish") == 0) {
        send_raw(sender);
        return;
    }
    struct message message = {.kind = MESSAGE_OPEN, .serial = 77};
    send_message(sender, &message);
}

static void finish(struct sender *sender)
{
    fflush(stdout);
    (void)sender;
    _Exit(0);
}

static void silent(uv_timer_t *timer)
{
    printf("nothing\n");
    finish(timer->data);
}

/* `replay`: the same request once more; both answers have to be the same. */
static void replied(struct sender *sender, const struct message *message)
{
    sender->replies++;
    if (strcmp(sender->what, "replay") != 0 || message->err != OK) {
        printf("reply %s\n", message->err == OK ? "OK" : err_name(message->err));
        finish(sender);
    }
    if (sender->replies == 1) {
        sender->ino = message->result.attr.ino;
        request(sender);
        return;
    }
    printf("%s\n", message->result.attr.ino == sender->ino ? "the same" : "another");
    finish(sender);
}

static void deliver(void *ctx, uint32_t from, struct bytes bytes)
{
    struct sender *sender = ctx;
    struct message message;
    struct arena arena;
    (void)from;
    arena_init(&arena);
    if (wire_decode(bytes, &arena, &message) != OK) {
        printf("not a message\n");
        finish(sender);
    }
    if (message.kind == MESSAGE_OPENED && message.err == OK) {
        sender->session = message.session;
        sender->number = message.number;
        request(sender);
    } else if (message.kind == MESSAGE_REPLY) {
        replied(sender, &message);
    } else {
        printf("%s\n", message_kind_name(message.kind));
        finish(sender);
    }
    arena_free(&arena);
}

static void lost(void *ctx, uint32_t peer)
{
    (void)peer;
    printf("lost\n");
    finish(ctx);
}

static int send_one(char **words, int count)
{
    struct store_error error = {""};
    struct sender *sender = calloc(1, sizeof *sender);
    char tls[4096];
    INVARIANT(sender && uv_loop_init(&sender->loop) == 0);
    snprintf(tls, sizeof tls, "%s/tls", words[0]);
    arena_init(&sender->arena);
    sender->what = words[4];
    sender->uid = count > 5 ? (uint32_t)strtoul(words[5], NULL, 10) : 0;
    if (!record_uuid(words[3], sender->volume))
        return 2;
    struct transport_options options = {
        .loop = &sender->loop, .dir = tls, .name = words[1], .lost = lost, .ctx = sender};
    if (transport_open(&options, &sender->transport, &error) != OK)
        return outcome(ERR_IO, &error);
    sender->net = transport_net(sender->transport);
    sender->net->ops->listen(sender->net, deliver, sender);
    transport_place(sender->transport, 1, words[2]);
    sender->silence.data = sender;
    uv_timer_init(&sender->loop, &sender->silence);
    uv_timer_start(&sender->silence, silent, SILENCE_MS, 0);
    begin(sender);
    return uv_run(&sender->loop, UV_RUN_DEFAULT);
}

int main(int count, char **words)
{
    if (count == 5 && strcmp(words[1], "init") == 0)
        return init(words + 2);
    if (count == 6 && strcmp(words[1], "join") == 0)
        return join(words + 2);
    if (count == 3 && strcmp(words[1], "serve") == 0)
        return serve(words + 2);
    if (count == 6 && strcmp(words[1], "call") == 0)
        return call(words + 2);
    if (count == 5 && strcmp(words[1], "strange") == 0)
        return strange(words + 2);
    if (count >= 7 && strcmp(words[1], "send") == 0)
        return send_one(words + 2, count - 2);
    fprintf(stderr, "tool: not understood\n");
    return 2;
}
