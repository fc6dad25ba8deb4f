/* SPDX-License-Identifier: MIT */
#include "cell.h"

#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define STEP(call)                       \
    do {                                 \
        struct store_error error_ = {0}; \
        enum err err_ = (call);          \
        if (err_)                        \
            fail_msg("%s", error_.text); \
    } while (0)

void folder_make(char path[TEST_PATH_MAX])
{
    snprintf(path, TEST_PATH_MAX, "%s/pactfs-tls-XXXXXX", getenv("TMPDIR") ?: "/tmp");
    assert_non_null(mkdtemp(path));
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)st, (void)kind, (void)at;
    return remove(path);
}

void folder_remove(const char *path)
{
    nftw(path, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static struct identity identity_new(uint8_t cell, enum node_role role, const char *name)
{
    struct identity out = {.role = role, .uid = IDENTITY_UID_ANY};
    memset(out.cell, cell, sizeof out.cell);
    snprintf(out.name, sizeof out.name, "%s", name);
    return out;
}

struct identity identity_node(uint8_t cell, uint32_t number)
{
    struct identity out = identity_new(cell, ROLE_NODE, "");
    snprintf(out.name, sizeof out.name, "node-%u", number);
    snprintf(out.host, sizeof out.host, "10.0.0.%u", number % 256);
    out.node = number;
    return out;
}

struct identity identity_client(uint8_t cell)
{
    return identity_new(cell, ROLE_CLIENT, "client");
}

struct identity identity_administrator(uint8_t cell)
{
    return identity_new(cell, ROLE_ADMINISTRATOR, "admin");
}

void cell_make(const char *dir, uint8_t cell)
{
    uint8_t uuid[16];
    memset(uuid, cell, sizeof uuid);
    STEP(authority_make(dir, uuid, &error_));
}

void cell_sign(const char *dir, const char *name, const struct identity *identity, int days)
{
    struct identity signed_one = *identity;
    char *request, *certificate;
    signed_one.not_after = time(NULL) + days * INT64_C(86400);
    STEP(identity_request(dir, name, &request, &error_));
    STEP(authority_sign(dir, request, &signed_one, &certificate, &error_));
    STEP(identity_keep(dir, name, certificate, &error_));
    free(request);
    free(certificate);
}

static void copy_to(const char *from, const char *to, const char *name, const char *ending)
{
    char command[3 * TEST_PATH_MAX], text[65536];
    snprintf(command, sizeof command, "%s/%s%s", from, name, ending);
    FILE *in = fopen(command, "r");
    assert_non_null(in);
    size_t len = fread(text, 1, sizeof text, in);
    fclose(in);
    snprintf(command, sizeof command, "%s/%s%s", to, name, ending);
    FILE *out = fopen(command, "w");
    assert_non_null(out);
    assert_int_equal(fwrite(text, 1, len, out), len);
    fclose(out);
}

void cell_forge(const char *dir, const char *name, const struct identity *identity,
                const char *authority)
{
    cell_sign(authority, name, identity, 1);
    copy_to(authority, dir, name, ".crt");
    copy_to(authority, dir, name, ".key");
}
