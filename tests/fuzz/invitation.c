/* SPDX-License-Identifier: MIT
 *
 * invitation.c: the code of an invitation, as somebody may type it: what is accepted is printed as
 * it was, but for what reading forgives (law N2). The same bytes serve as the fields of one that is
 * printed and read again (N1), because a guess never meets the check digits.
 */
#include "core/registry/invitation.h"

#include <string.h>

#include "core/base/assert.h"
#include "fuzz.h"

static char forgiven(uint8_t letter)
{
    if (letter >= 'a' && letter <= 'z')
        letter = (uint8_t)(letter - 'a' + 'A');
    return letter == 'O' ? '0' : letter == 'I' || letter == 'L' ? '1' : (char)letter;
}

static void check_same(const uint8_t *data, size_t size, const char *printed)
{
    for (size_t i = 0; i < size; i++) {
        if (data[i] <= ' ' || data[i] == '-')
            continue;
        INVARIANT(forgiven(data[i]) == *printed);
        printed++;
    }
    INVARIANT(*printed == 0);
}

static void check_fields(const uint8_t *data, size_t size)
{
    struct invitation in, out;
    struct invitation_fault fault;
    char code[INVITATION_TEXT_MAX];
    if (size < 64)
        return;
    memset(&in, 0, sizeof in);
    in.role = (enum node_role)(data[0] % 3 + 1);
    in.address_count = data[1] % INVITATION_ADDRESSES + 1;
    memcpy(in.secret, data + 2, sizeof in.secret);
    memcpy(in.fingerprint, data + 18, sizeof in.fingerprint);
    for (uint32_t i = 0; i < in.address_count; i++) {
        size_t len = data[50 + i] % 60 % (size - 63);
        memcpy(in.addresses[i], data + 60 - i, len);
        if (!invitation_address_sound(in.addresses[i])) {
            memset(in.addresses[i], 0, sizeof in.addresses[i]);
            memcpy(in.addresses[i], "h:1", 3);
        }
        len = strlen(in.addresses[i]);
        memset(in.addresses[i] + len, 0, sizeof in.addresses[i] - len);
    }
    size_t len = invitation_print(&in, code);
    INVARIANT(invitation_parse((struct bytes){(uint8_t *)code, len}, &out, &fault) == OK);
    INVARIANT(memcmp(&in, &out, sizeof in) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct invitation_fault fault = {""};
    struct invitation out;
    char code[INVITATION_TEXT_MAX];
    check_fields(data, size);
    if (invitation_parse((struct bytes){data, size}, &out, &fault) != OK) {
        INVARIANT(fault.text[0] != '\0' && memchr(fault.text, '\0', sizeof fault.text));
        return 0;
    }
    invitation_print(&out, code);
    check_same(data, size, code);
    return 0;
}

size_t fuzz_seed(unsigned number, uint8_t *out)
{
    struct invitation in = {.role = ROLE_NODE, .address_count = number % 4 + 1};
    for (uint32_t i = 0; i < in.address_count; i++)
        memcpy(in.addresses[i], "10.0.0.1:4700", 14);
    if (number >= 8)
        return 0;
    memset(in.secret, (int)number, sizeof in.secret);
    return invitation_print(&in, (char *)out);
}
