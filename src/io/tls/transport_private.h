/* SPDX-License-Identifier: MIT
 *
 * transport_private.h: what the files of the transport share.
 *
 *     transport.c  opening, closing, net.h, questions about it
 *     turn.c       what is done once in a turn of the loop, and at deadlines
 *     listen.c     sockets, addresses; taking connections
 *     dial.c       attempts to reach a node
 *     conn.c       a connection's life: handshake, reading, its end
 *     seal.c       its writing half: from outboxes through TLS to the socket
 *     peers.c      who is connected: nodes, guests; laws T2, T5
 *     call.c       one question, without a loop
 *     verify.c     whose certificate is accepted (T1), and sentences about those that are not
 */
#ifndef PACTFS_IO_TLS_TRANSPORT_PRIVATE_H
#define PACTFS_IO_TLS_TRANSPORT_PRIVATE_H

#include <netinet/in.h>
#include <sys/queue.h>

#include "io/tls/frames.h"
#include "io/tls/outbox.h"
#include "io/tls/private.h"
#include "io/tls/transport.h"

#define CONNECT_MS   1000u        /* for TCP's handshake */
#define LINGER_MS    500u         /* so that the reason for a refusal arrives */
#define STALL_MS     10000u       /* that a peer may take nothing of what is sent */
#define PART_MS      30000u       /* that a guest's message may take to come; a stranger's stay */
#define SWEEP_MS     1000u        /* while there are connections */
#define ALIVE_S      1            /* keepalive: idle time and interval */
#define ALIVE_MS     3000u        /* unacknowledged for so long: TCP gives up */
#define FAVOUR_MS    3000u        /* the same, of the one that may take more than its share */
#define READ_BUDGET  (1u << 20)   /* bytes of one connection in one turn */
#define CIPHER_ROOM  (256u << 10) /* of encrypted bytes on their way to the socket */
#define CIPHER_PUSH  (128u << 10) /* that are given to it at once */
#define LARGE        16384u       /* a message that is encrypted where it is */
#define GUEST_UNREAD (1u << 20)   /* a guest that leaves more unread is not read */
#define GUESTS_PARTS (64u << 20)  /* guests' unfinished messages together */
#define STRANGER_MAX (64u << 10)  /* bytes of a stranger's message */
#define STRANGERS    64u          /* at once */
#define RESERVED     128u         /* of TRANSPORT_PEERS, not for guests */
#define MESSAGE_MOST (NET_MESSAGE_MAX + TRANSPORT_SLACK)

#define SENTENCE 256

enum conn_state {
    CONN_CONNECTING, /* TCP's handshake */
    CONN_HANDSHAKE,  /* that of TLS */
    CONN_OPEN,
    CONN_RETIRED,   /* sends what it has, reads to the end: there is a better one, or it is late */
    CONN_LINGERING, /* refused: waits for the other end to have read why */
    CONN_ENDED,     /* closed in this turn of the loop */
};

struct conn {
    uv_poll_t poll; /* first: handles are cast back */
    LIST_ENTRY(conn) all;
    TAILQ_ENTRY(conn) flush, again;
    struct transport *transport;
    SSL *ssl;
    int fd, events;
    enum conn_state state;
    bool server, welcomed, in_flush, in_again;
    bool told;      /* a guest that was announced by joined */
    bool shut, eof; /* nothing more is sent, comes */
    bool unread;    /* not read at present: it leaves too much unread, or memory is short */
    uint32_t peer;  /* its number; 0: not known yet */
    uint32_t dialled;
    struct identity identity;
    struct frames in;
    struct outbox plain, sealed;
    uint64_t deadline_ms, opened_ms;
    uint64_t progress_ms; /* when the socket last took something */
    uint64_t part_ms;     /* when an unfinished message began */
    size_t part_counted;  /* of GUESTS_PARTS */
    char why[SENTENCE];   /* it is refused; "": OpenSSL knows */
};

LIST_HEAD(conn_list, conn);
TAILQ_HEAD(conn_queue, conn);
TAILQ_HEAD(own_queue, self_message);

/* What is known of a node, reached or not. */
struct node_place {
    uint32_t number;
    struct conn *conn, *attempt; /* open; on its way to be */
    struct outbox waiting;       /* for the next attempt */
    struct resolving *resolving;
    uint64_t next_ms;  /* not tried again before */
    bool joined, lost; /* told; to be told */
    char address[RECORD_ADDR_MAX];
    char trouble[SENTENCE];
};

struct self_message {
    TAILQ_ENTRY(self_message) next;
    size_t len;
    uint8_t data[];
};

struct transport {
    struct net net; /* first: net.h's calls are cast back */
    uv_loop_t *loop;
    SSL_CTX *ctx;
    struct transport_options options;
    char *dir, *name;
    char address[RECORD_ADDR_MAX];
    uv_poll_t listener;
    uv_timer_t timer, grace;
    uv_prepare_t prepare;
    uv_check_t check;
    uv_idle_t idle;
    unsigned handles; /* open, of these */
    int listen_fd, spare_fd;
    uint64_t due_ms; /* when the timer rings */

    struct conn_list conns;
    struct conn_queue flush, again; /* have something to send; to be read without being told */
    struct own_queue own;
    uint64_t own_bytes;
    uint32_t count, guests, strangers;
    size_t parts;
    bool parts_short, parts_freed; /* a guest waits for memory; some has become free */
    struct conn *favoured;         /* takes more when there is none */
    uint64_t favoured_ms;
    bool tell;                 /* of a node that it was lost */
    struct node_place **nodes; /* by number; NULL: nothing known */
    uint32_t node_room;
    struct conn *slots[TRANSPORT_PEERS]; /* guests: number = GUESTS + generation * PEERS + slot */
    uint32_t generation, next_slot;
    uint32_t resolving;

    struct outbox_spare spare;
    struct conn *cipher_of;
    size_t cipher_len;
    uint8_t cipher[CIPHER_ROOM];
    uint8_t scratch[LARGE];

    void (*deliver)(void *ctx, uint32_t from, struct bytes message);
    void *deliver_ctx;
    struct transport_status status;
    bool closing;
    void (*done)(void *ctx);
    void *done_ctx;
};

/* --- transport.c --- */
uint64_t transport_now(const struct transport *t); /* milliseconds */
void transport_free_when_empty(struct transport *t);

/* --- turn.c --- */
void turn_start(struct transport *t);
void turn_stop(struct transport *t);
/* The timer rings at that time at the latest. */
void turn_due(struct transport *t, uint64_t when_ms);
void turn_flush(struct conn *conn);
void turn_again(struct conn *conn);
/* The loop does not wait while there is something to do. */
void turn_busy(struct transport *t);

/* --- listen.c --- */
/* "host:port"; host without brackets, "" only when `any`. False: cannot be read. */
bool address_parse(const char *text, bool any, char host[RECORD_ADDR_MAX], uint16_t *port);
/* An address in figures; false: a name, or not an address. */
bool address_figures(const char *text, struct sockaddr_storage *out, socklen_t *len);
void address_set_port(struct sockaddr_storage *address, uint16_t port);
void socket_options(int fd, bool alive);
enum err listen_open(struct transport *t, struct store_error *error);
void listen_close(struct transport *t);

/* --- dial.c --- */
/* Tries to reach the node now, or as soon as it may be tried again. */
void dial(struct transport *t, struct node_place *node);
void dial_forget(struct node_place *node);
/* What waited for it is lost, and that is told. */
void dial_failed(struct transport *t, struct node_place *node, const char *sentence);

/* --- conn.c --- */
struct conn *conn_new(struct transport *t, int fd, bool server);
/* Begins TLS; the deadline of the handshake runs. */
void conn_start_tls(struct conn *conn);
void conn_read(struct conn *conn);
/* Polls for what it waits for. */
void conn_update(struct conn *conn);
/* Ends it; its peer is told (lost) by the loop, never from in here. */
void conn_end(struct conn *conn);
void conn_retire(struct conn *conn);
/* After something went out: a retired one may be at its end, an unread one is read again. */
void conn_relieved(struct conn *conn);

/* --- seal.c --- */
enum err seal_start(struct conn *conn); /* NOMEM */
uint64_t seal_waiting(const struct conn *conn);
/* A message in pieces, now or in this turn of the loop. */
void seal_message(struct conn *conn, const struct env_iov *pieces, int count, uint32_t len);
/* Sends what is there, as far as the socket takes it. False: the connection broke. */
bool seal_flush(struct conn *conn);
bool seal_push(struct conn *conn);

/* --- peers.c --- */
struct node_place *node_known(const struct transport *t, uint32_t number);
struct node_place *node_of(struct transport *t, uint32_t number);
struct conn *peer_conn(const struct transport *t, uint32_t peer);
/* The handshake is over: gives it its number; or retires or ends it, see its state then. */
void peers_take(struct conn *conn);
void peers_welcomed(struct conn *conn);
/* It is ended; then, out of any call, closed. */
void peers_ended(struct conn *conn);
void peers_closed(struct conn *conn);
void peers_tell_lost(struct transport *t, struct node_place *node);

/* --- verify.c --- */
int verify_peer(int preverified, X509_STORE_CTX *store);
/* Why the handshake, or what came after it, failed; about the one at `address`. */
void verify_trouble(const SSL *ssl, const char *address, const char *why, char out[SENTENCE]);
/* Whether certificates were the reason. Looks at OpenSSL's queue; before verify_trouble. */
bool verify_certificates(const SSL *ssl);

#endif
