/* SPDX-License-Identifier: MIT
 *
 * raw.h: a peer that does as it likes, beside transports on the loop of ends.h.
 */
#ifndef PACTFS_TESTS_TLS_RAW_H
#define PACTFS_TESTS_TLS_RAW_H

#include "ends.h"

struct raw {
    int fd;
    SSL_CTX *ctx;
    SSL *ssl; /* NULL: bytes as they are */
};

/* TCP only. */
void raw_connect(struct raw *raw, const struct end *to);
/* TLS with DIR/NAME.crt; name NULL: without a certificate. False: refused in the handshake. */
bool raw_tls(struct raw *raw, const struct end *to, const char *dir, const char *name);
/* Sends bytes, while the loop turns. False: the connection is over. */
bool raw_send(struct raw *raw, const void *data, size_t len);
/* The head of a message of `len` bytes, and `there` of them. */
bool raw_message(struct raw *raw, uint32_t len, const void *data, size_t there);
/* Turns the loop until the other end has closed the connection. */
void raw_until_closed(struct raw *raw);
void raw_close(struct raw *raw);

#endif
