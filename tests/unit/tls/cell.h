/* SPDX-License-Identifier: MIT
 *
 * cell.h: authorities and owners' files in folders of their own, for tests.
 */
#ifndef PACTFS_TESTS_TLS_CELL_H
#define PACTFS_TESTS_TLS_CELL_H

#include "io/tls/identity.h"

#define TEST_PATH_MAX 256

/* A new folder, removed with all that is in it by folder_remove. */
void folder_make(char path[TEST_PATH_MAX]);
void folder_remove(const char *path);

/* What a node, a client of any user, an administrator have in their certificates. */
struct identity identity_node(uint8_t cell, uint32_t number);
struct identity identity_client(uint8_t cell);
struct identity identity_administrator(uint8_t cell);

/* DIR/ca.{crt,key} of the cell whose UUID is that byte sixteen times. */
void cell_make(const char *dir, uint8_t cell);
/* DIR/NAME.{crt,key}, signed by DIR/ca.key. */
void cell_sign(const char *dir, const char *name, const struct identity *identity, int days);
/* The same, signed by another folder's authority, but beside DIR/ca.crt as if it were of it. */
void cell_forge(const char *dir, const char *name, const struct identity *identity,
                const char *authority);

#endif
