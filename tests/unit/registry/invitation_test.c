/* SPDX-License-Identifier: MIT
 *
 * invitation_test.c: codes come back as what they were made from, survive what copying does to
 * them, and a slip of the hand is noticed and named.
 */
#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/registry/invitation.h"

static struct invitation sample(uint32_t addresses)
{
    static const char *const hosts[] = {"127.0.0.1:4700", "[fe80::1]:4700", "a.example.org:1",
                                        "10.20.30.40:65535"};
    struct invitation in;
    memset(&in, 0, sizeof in);
    in.role = ROLE_CLIENT;
    in.address_count = addresses;
    for (uint32_t i = 0; i < addresses; i++)
        snprintf(in.addresses[i], sizeof in.addresses[i], "%s", hosts[i]);
    for (uint32_t i = 0; i < sizeof in.secret; i++)
        in.secret[i] = (uint8_t)(i * 37 + 1);
    for (uint32_t i = 0; i < sizeof in.fingerprint; i++)
        in.fingerprint[i] = (uint8_t)(255 - i * 11);
    return in;
}

static enum err parse(const char *text, struct invitation *out, struct invitation_fault *fault)
{
    memset(fault, 0, sizeof *fault);
    return invitation_parse((struct bytes){(const uint8_t *)text, strlen(text)}, out, fault);
}

static void round_trip(void **state)
{
    (void)state;
    char code[INVITATION_TEXT_MAX];
    struct invitation_fault fault;
    struct invitation out;
    for (uint32_t addresses = 1; addresses <= INVITATION_ADDRESSES; addresses++) {
        struct invitation in = sample(addresses);
        size_t len = invitation_print(&in, code);
        assert_int_equal(len, strlen(code));
        assert_int_equal(strspn(code, "0123456789ABCDEFGHJKMNPQRSTVWXYZ"), strlen(code));
        if (parse(code, &out, &fault) != OK)
            fail_msg("%s says: %s", code, fault.text);
        assert_memory_equal(&in, &out, sizeof in);
    }
}

static void longest(void **state)
{
    (void)state;
    char code[INVITATION_TEXT_MAX];
    struct invitation_fault fault;
    struct invitation in = sample(1), out;
    in.address_count = INVITATION_ADDRESSES;
    for (uint32_t i = 0; i < INVITATION_ADDRESSES; i++) {
        memset(in.addresses[i], 'a', RECORD_ADDR_MAX - 1);
        memcpy(in.addresses[i] + RECORD_ADDR_MAX - 3, ":1", 3);
    }
    invitation_print(&in, code);
    assert_int_equal(parse(code, &out, &fault), OK);
    assert_memory_equal(&in, &out, sizeof in);
}

/* What mail programs, terminals and people do to a code. */
static void survives_copying(void **state)
{
    (void)state;
    char code[INVITATION_TEXT_MAX], bent[2 * INVITATION_TEXT_MAX];
    struct invitation_fault fault;
    struct invitation in = sample(2), out;
    size_t used = 0;
    invitation_print(&in, code);
    used += (size_t)snprintf(bent, sizeof bent, " \n");
    for (size_t i = 0; code[i]; i++) {
        char letter = (char)tolower(code[i]);
        if (letter == '0')
            letter = i % 2 ? 'o' : 'O';
        if (letter == '1')
            letter = i % 3 ? (i % 2 ? 'l' : 'I') : 'i';
        bent[used++] = letter;
        if (i % 40 == 39)
            used += (size_t)snprintf(bent + used, sizeof bent - used, "\r\n  ");
        else if (i % 5 == 4)
            bent[used++] = '-';
    }
    bent[used] = 0;
    assert_int_equal(parse(bent, &out, &fault), OK);
    assert_memory_equal(&in, &out, sizeof in);
}

static void notices_slips(void **state)
{
    (void)state;
    static const char alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    char code[INVITATION_TEXT_MAX], bent[INVITATION_TEXT_MAX];
    struct invitation_fault fault;
    struct invitation in = sample(1), out;
    size_t len = invitation_print(&in, code);
    for (size_t at = 0; at < len; at++) {
        memcpy(bent, code, len + 1);
        for (size_t i = 0; i < 32; i++) {
            bent[at] = alphabet[i];
            bool same = bent[at] == code[at];
            assert_int_equal(parse(bent, &out, &fault), same ? OK : ERR_DECODE);
            assert_true(same || fault.text[0]);
        }
        memcpy(bent, code, len + 1); /* two letters exchanged */
        if (at + 1 < len && bent[at] != bent[at + 1]) {
            bent[at] = code[at + 1];
            bent[at + 1] = code[at];
            assert_int_equal(parse(bent, &out, &fault), ERR_DECODE);
        }
        memcpy(bent, code, at); /* cut off */
        bent[at] = 0;
        assert_int_equal(parse(bent, &out, &fault), ERR_DECODE);
    }
}

static void says_what_is_wrong(void **state)
{
    (void)state;
    struct invitation_fault fault;
    struct invitation in = sample(1), out;
    char code[INVITATION_TEXT_MAX], bent[INVITATION_TEXT_MAX + 8];
    size_t len = invitation_print(&in, code);
    const struct {
        const char *text, *says;
    } cases[] = {
        {"", "empty"},
        {" - \n", "empty"},
        {"hello", "begins"},
        {"P", "begins"},
        {"PF", "cut off"},
        {"PFZZZZZZZW", "newer"},
        {"PF04$", "'$' at place 5"},
        {"PF04\xc3\xa4", "0xc3"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(parse(cases[i].text, &out, &fault), ERR_DECODE);
        if (!strstr(fault.text, cases[i].says))
            fail_msg("'%s' says: %s", cases[i].text, fault.text);
    }
    snprintf(bent, sizeof bent, "%.*s", (int)len - 20, code);
    assert_int_equal(parse(bent, &out, &fault), ERR_DECODE);
    assert_non_null(strstr(fault.text, "cut off"));
    snprintf(bent, sizeof bent, "%s00000", code);
    assert_int_equal(parse(bent, &out, &fault), ERR_DECODE);
    assert_non_null(strstr(fault.text, "left over"));
}

static void addresses(void **state)
{
    (void)state;
    static const char *const sound[] = {"a:1", "10.0.0.1:4700", "[::1]:65535", "node-1.lan:80"};
    static const char *const unsound[] = {
        "",      "a",        ":4700", "a:",    "a:0",     "a:65536",   "a:99999999999",
        "a:+1",  "a:1 ",     "a b:1", "::1:1", "[::1:1",  "::1]:1",    "a:1\n",
        "a/b:1", "user@a:1", "a,b:1", "a:0x1", "a\x01:1", "\xc3\xa4:1"};
    char big[RECORD_ADDR_MAX + 8];
    for (size_t i = 0; i < sizeof sound / sizeof *sound; i++)
        assert_true(invitation_address_sound(sound[i]));
    for (size_t i = 0; i < sizeof unsound / sizeof *unsound; i++)
        if (invitation_address_sound(unsound[i]))
            fail_msg("'%s' passes", unsound[i]);
    memset(big, 'a', sizeof big);
    memcpy(big + sizeof big - 3, ":1", 3);
    assert_false(invitation_address_sound(big));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip),    cmocka_unit_test(longest),
        cmocka_unit_test(notices_slips), cmocka_unit_test(survives_copying),
        cmocka_unit_test(addresses),     cmocka_unit_test(says_what_is_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
