/* SPDX-License-Identifier: MIT
 *
 * identity_test.c: laws I1 to I3 of identity.h.
 */
#include "io/tls/identity.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "cell.h"

#define CELL 0xab

static struct {
    char dir[TEST_PATH_MAX], other[TEST_PATH_MAX];
    char path[2 * TEST_PATH_MAX];
    struct store_error error;
} t;

static int begin(void **state)
{
    (void)state;
    memset(&t, 0, sizeof t);
    folder_make(t.dir);
    folder_make(t.other);
    cell_make(t.dir, CELL);
    return 0;
}

static int end(void **state)
{
    (void)state;
    folder_remove(t.dir);
    folder_remove(t.other);
    return 0;
}

static const char *file(const char *dir, const char *name)
{
    snprintf(t.path, sizeof t.path, "%s/%s", dir, name);
    return t.path;
}

static void same(const struct identity *a, const struct identity *b)
{
    assert_int_equal(a->role, b->role);
    assert_int_equal(a->node, b->node);
    assert_int_equal(a->uid, b->uid);
    assert_string_equal(a->name, b->name);
    assert_string_equal(a->host, b->host);
    assert_memory_equal(a->cell, b->cell, 16);
}

static void comes_back(const char *name, const struct identity *identity)
{
    struct identity found;
    cell_sign(t.dir, name, identity, 30);
    snprintf(t.path, sizeof t.path, "%s/%s.crt", t.dir, name);
    assert_int_equal(identity_load(t.path, &found, &t.error), OK);
    same(identity, &found);
    assert_true(found.serial != 0 && found.serial <= INT64_MAX);
    assert_in_range((uint64_t)found.not_after, (uint64_t)time(NULL) + 29 * 86400,
                    (uint64_t)time(NULL) + 31 * 86400);
    assert_true(!identity->serial || identity->serial == found.serial);
}

static void says_what_was_signed(void **state)
{
    (void)state;
    struct identity node = identity_node(CELL, 65535), client = identity_client(CELL);
    struct identity admin = identity_administrator(CELL);
    comes_back("node", &node);
    snprintf(node.host, sizeof node.host, "a-1.example.org");
    comes_back("named", &node);
    snprintf(node.host, sizeof node.host, "fe80::1:2");
    comes_back("six", &node);
    node.host[0] = 0;
    node.node = 1;
    comes_back("nowhere", &node);
    comes_back("client", &client);
    client.uid = 0;
    comes_back("root", &client);
    client.uid = 4294967294;
    client.serial = UINT64_C(0x7123456789abcdef);
    comes_back("user", &client);
    comes_back("admin", &admin);
}

static void files_are_private(void **state)
{
    (void)state;
    struct identity node = identity_node(CELL, 3);
    struct stat st;
    cell_sign(t.dir, "node", &node, 1);
    assert_int_equal(stat(file(t.dir, "node.key"), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(stat(file(t.dir, "ca.key"), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(stat(file(t.dir, "node.crt"), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0644);
    assert_int_not_equal(stat(file(t.dir, "node.key.tmp"), &st), 0);
}

/* A request made again, for a renewal, is for the same key. */
static void keys_stay(void **state)
{
    (void)state;
    struct identity node = identity_node(CELL, 3);
    char *certificate, *request;
    cell_sign(t.dir, "node", &node, 1);
    assert_int_equal(identity_request(t.dir, "node", &request, &t.error), OK);
    assert_int_equal(authority_sign(t.dir, request, &node, &certificate, &t.error), OK);
    assert_int_equal(identity_keep(t.dir, "node", certificate, &t.error), OK);
    free(request);
    free(certificate);
}

static void authority_once(void **state)
{
    (void)state;
    uint8_t cell[16] = {1};
    assert_int_equal(authority_make(t.dir, cell, &t.error), ERR_EXIST);
    assert_non_null(strstr(t.error.text, "ca.crt"));
    assert_int_equal(unlink(file(t.dir, "ca.crt")), 0); /* as if it had been interrupted */
    assert_int_equal(authority_make(t.dir, cell, &t.error), OK);
}

/* The same key, asked for by a request that names someone else. */
static void request_says_nothing(void **state)
{
    (void)state;
    struct identity client = identity_client(CELL), found;
    char *request, *certificate;
    assert_int_equal(identity_request(t.dir, "administrator", &request, &t.error), OK);
    assert_int_equal(authority_sign(t.dir, request, &client, &certificate, &t.error), OK);
    assert_int_equal(identity_keep(t.dir, "administrator", certificate, &t.error), OK);
    assert_int_equal(identity_load(file(t.dir, "administrator.crt"), &found, &t.error), OK);
    same(&client, &found);
    free(request);
    free(certificate);
}

static void refused(const char *request, const struct identity *identity)
{
    char *certificate;
    t.error.text[0] = 0;
    assert_int_equal(authority_sign(t.dir, request, identity, &certificate, &t.error),
                     ERR_CERTIFICATE);
    assert_int_not_equal(t.error.text[0], 0);
}

static void signs_no_nonsense(void **state)
{
    (void)state;
    struct identity good = identity_node(CELL, 1), bad;
    char *request, *broken;
    assert_int_equal(identity_request(t.dir, "node", &request, &t.error), OK);
    refused("", &good);
    refused("-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n",
            &good);
    broken = calloc(1, IDENTITY_REQUEST_MAX + 2);
    memset(broken, 'A', IDENTITY_REQUEST_MAX + 1);
    refused(broken, &good);
    free(broken);
    bad = good, bad.node = 0, refused(request, &bad);
    bad = good, bad.node = 65536, refused(request, &bad);
    bad = good, bad.role = 0, refused(request, &bad);
    bad = good, bad.name[0] = '-', refused(request, &bad);
    bad = good, bad.name[0] = 0, refused(request, &bad);
    bad = good, bad.name[1] = '\n', refused(request, &bad);
    bad = good, bad.host[2] = ',', refused(request, &bad);
    bad = good, bad.cell[15] ^= 1, refused(request, &bad);
    bad = identity_client(CELL), bad.uid = -2, refused(request, &bad);
    bad = identity_client(CELL), bad.uid = UINT32_MAX, refused(request, &bad);
    free(request);
}

/* A request with another key's signature: nobody gets a certificate for a key that is not his. */
static void request_needs_its_key(void **state)
{
    (void)state;
    struct identity node = identity_node(CELL, 1);
    EVP_PKEY *mine = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    EVP_PKEY *theirs = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    EVP_PKEY *weak = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)1024);
    EVP_PKEY *const pairs[3][2] = {{theirs, mine}, {weak, weak}, {mine, mine}};
    for (int i = 0; i < 3; i++) {
        X509_REQ *request = X509_REQ_new();
        BIO *bio = BIO_new(BIO_s_mem());
        char *text, *certificate = NULL;
        X509_REQ_set_pubkey(request, pairs[i][0]);
        assert_true(X509_REQ_sign(request, pairs[i][1], i == 1 ? EVP_sha256() : NULL) > 0);
        PEM_write_bio_X509_REQ(bio, request);
        BIO_write(bio, "", 1);
        BIO_get_mem_data(bio, &text);
        assert_int_equal(authority_sign(t.dir, text, &node, &certificate, &t.error),
                         i == 2 ? OK : ERR_CERTIFICATE);
        free(certificate);
        BIO_free(bio);
        X509_REQ_free(request);
    }
    EVP_PKEY_free(mine);
    EVP_PKEY_free(theirs);
    EVP_PKEY_free(weak);
}

static void keeps_only_its_own(void **state)
{
    (void)state;
    struct identity node = identity_node(CELL, 1);
    char *request, *certificate;
    cell_make(t.other, CELL); /* the same cell by name, another authority */
    cell_sign(t.dir, "node", &node, 1);
    assert_int_equal(identity_request(t.dir, "node", &request, &t.error), OK);
    assert_int_equal(authority_sign(t.other, request, &node, &certificate, &t.error), OK);
    assert_int_equal(identity_keep(t.dir, "node", certificate, &t.error), ERR_CERTIFICATE);
    assert_non_null(strstr(t.error.text, "not signed by"));
    free(certificate);
    assert_int_equal(authority_sign(t.dir, request, &node, &certificate, &t.error), OK);
    free(request);
    assert_int_equal(identity_request(t.dir, "another", &request, &t.error), OK);
    assert_int_equal(identity_keep(t.dir, "another", certificate, &t.error), ERR_CERTIFICATE);
    assert_non_null(strstr(t.error.text, "not for the key"));
    assert_int_equal(identity_keep(t.dir, "node", "rubbish", &t.error), ERR_CERTIFICATE);
    assert_int_equal(identity_keep(t.dir, "unknown", certificate, &t.error), ERR_NOENT);
    free(request);
    free(certificate);
}

static char *text_of(const char *dir, const char *name)
{
    char *text = calloc(1, 8192);
    FILE *in = fopen(file(dir, name), "r");
    assert_non_null(in);
    assert_true(fread(text, 1, 8191, in) > 0);
    fclose(in);
    return text;
}

static void authority_moves(void **state)
{
    (void)state;
    uint8_t one[32], two[32];
    struct identity node = identity_node(CELL, 1);
    char *ca = text_of(t.dir, "ca.crt"), *key = text_of(t.dir, "ca.key");
    assert_int_equal(authority_keep(t.other, ca, NULL, &t.error), OK);
    assert_int_equal(access(file(t.other, "ca.key"), F_OK), -1);
    assert_int_equal(authority_keep(t.other, ca, key, &t.error), OK);
    assert_int_equal(authority_fingerprint(file(t.dir, "ca.crt"), one, &t.error), OK);
    assert_int_equal(authority_fingerprint(file(t.other, "ca.crt"), two, &t.error), OK);
    assert_memory_equal(one, two, 32);
    cell_sign(t.other, "node", &node, 1);
    char *leaf = text_of(t.other, "node.crt"), *wrong = text_of(t.other, "node.key");
    assert_int_equal(authority_keep(t.other, leaf, NULL, &t.error), ERR_CERTIFICATE);
    assert_int_equal(authority_keep(t.other, ca, wrong, &t.error), ERR_CERTIFICATE);
    folder_remove(t.dir);
    cell_make(t.dir, CELL);
    assert_int_equal(authority_keep(t.dir, ca, key, &t.error), ERR_EXIST);
    free(ca);
    free(key);
    free(leaf);
    free(wrong);
}

/* --- law I3 --- */

struct form {
    const char *common, *role, *cell, *names;
    long version;
    bool good;
};

static X509 *certificate_of(const struct form *form)
{
    X509 *out = X509_new();
    X509_NAME *name = X509_get_subject_name(out);
    const char *fields[] = {"CN", form->common, "OU", form->role, "O", form->cell};
    X509_set_version(out, form->version);
    ASN1_INTEGER_set_uint64(X509_get_serialNumber(out), 7);
    X509_gmtime_adj(X509_getm_notBefore(out), 0);
    X509_gmtime_adj(X509_getm_notAfter(out), 1000);
    for (int i = 0; i < 6; i += 2)
        if (fields[i + 1])
            X509_NAME_add_entry_by_txt(name, fields[i], MBSTRING_UTF8,
                                       (const unsigned char *)fields[i + 1], -1, -1, 0);
    if (form->names) {
        X509_EXTENSION *extension =
            X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, form->names);
        assert_non_null(extension);
        X509_add_ext(out, extension, -1);
        X509_EXTENSION_free(extension);
    }
    return out;
}

#define UUID "00112233445566778899aabbccddeeff"

static void reads_strictly(void **state)
{
    (void)state;
    static const struct form forms[] = {
        {"a", "node", UUID, "URI:pactfs:node=3", 2, true},
        {"a", "node", UUID, "URI:pactfs:node=3,DNS:a,IP:127.0.0.1", 2, true},
        {"a", "client", UUID, "URI:pactfs:uid=any", 2, true},
        {"a", "administrator", UUID, NULL, 2, true},
        {"a", "client", UUID, "URI:pactfs:node=3", 2, false},
        {"a", "node", UUID, "URI:pactfs:uid=any", 2, false},
        {"a", "administrator", UUID, "URI:pactfs:node=3", 2, false},
        {"a", "node", UUID, "URI:pactfs:node=3,URI:pactfs:node=4", 2, false},
        {"a", "client", UUID, "URI:pactfs:uid=1,URI:pactfs:uid=2", 2, false},
        {"a", "client", UUID, "URI:pactfs:uid=1,DNS:b", 2, false},
        {"a", "node", UUID, "URI:pactfs:node=3,DNS:a,DNS:b", 2, false},
        {"a", "node", UUID, "URI:pactfs:node=3,email:a@b", 2, false},
        {"a", "node", UUID, "URI:pactfs:node=0", 2, false},
        {"a", "node", UUID, "URI:pactfs:node=65536", 2, false},
        {"a", "node", UUID, "URI:pactfs:node=03", 2, false},
        {"a", "node", UUID, "URI:pactfs:node=", 2, false},
        {"a", "node", UUID, "URI:pactfs:node=3x", 2, false},
        {"a", "node", UUID, "URI:pactfs:node=99999999999999999999", 2, false},
        {"a", "client", UUID, "URI:pactfs:uid=-1", 2, false},
        {"a", "client", UUID, "URI:pactfs:uid=4294967295", 2, false},
        {"a", "node", UUID, NULL, 2, false},
        {"a", "client", UUID, NULL, 2, false},
        {"a", "god", UUID, "URI:pactfs:uid=any", 2, false},
        {"a", NULL, UUID, "URI:pactfs:uid=any", 2, false},
        {NULL, "client", UUID, "URI:pactfs:uid=any", 2, false},
        {"a/b", "client", UUID, "URI:pactfs:uid=any", 2, false},
        {"a", "client", NULL, "URI:pactfs:uid=any", 2, false},
        {"a", "client", UUID "0", "URI:pactfs:uid=any", 2, false},
        {"a", "client", "0011223344556677889XAABBCCDDEEFF", "URI:pactfs:uid=any", 2, false},
        {"a", "client", UUID, "URI:pactfs:uid=any", 0, false},
    };
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        struct identity found;
        X509 *certificate = certificate_of(&forms[i]);
        enum err err = identity_of(certificate, &found, &t.error);
        if (err != (forms[i].good ? OK : ERR_CERTIFICATE))
            fail_msg("form %zu: %s", i, err_name(err));
        X509_free(certificate);
    }
}

static void two_names(void **state)
{
    (void)state;
    struct form form = {"a", "client", UUID, "URI:pactfs:uid=any", 2, true};
    struct identity found;
    X509 *certificate = certificate_of(&form);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "OU", MBSTRING_UTF8,
                               (const unsigned char *)"administrator", -1, -1, 0);
    assert_int_equal(identity_of(certificate, &found, &t.error), ERR_CERTIFICATE);
    X509_free(certificate);
}

static void context_wants_what_fits(void **state)
{
    (void)state;
    struct identity node = identity_node(CELL, 1);
    SSL_CTX *ctx;
    assert_int_equal(identity_context(t.dir, "node", false, &ctx, &t.error), ERR_NOENT);
    assert_non_null(strstr(t.error.text, "node.crt"));
    cell_sign(t.dir, "node", &node, -1);
    assert_int_equal(identity_context(t.dir, "node", true, &ctx, &t.error), OK);
    SSL_CTX_free(ctx);
    cell_make(t.other, CELL);
    cell_forge(t.dir, "node", &node, t.other);
    assert_int_equal(identity_context(t.dir, "node", false, &ctx, &t.error), ERR_CERTIFICATE);
    assert_non_null(strstr(t.error.text, "do not belong together"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(says_what_was_signed, begin, end),
        cmocka_unit_test_setup_teardown(files_are_private, begin, end),
        cmocka_unit_test_setup_teardown(keys_stay, begin, end),
        cmocka_unit_test_setup_teardown(authority_once, begin, end),
        cmocka_unit_test_setup_teardown(request_says_nothing, begin, end),
        cmocka_unit_test_setup_teardown(signs_no_nonsense, begin, end),
        cmocka_unit_test_setup_teardown(request_needs_its_key, begin, end),
        cmocka_unit_test_setup_teardown(keeps_only_its_own, begin, end),
        cmocka_unit_test_setup_teardown(authority_moves, begin, end),
        cmocka_unit_test_setup_teardown(reads_strictly, begin, end),
        cmocka_unit_test_setup_teardown(two_names, begin, end),
        cmocka_unit_test_setup_teardown(context_wants_what_fits, begin, end),
    };
    return cmocka_run_group_tests_name("identity", tests, NULL, NULL);
}
