/* SPDX-License-Identifier: MIT
 *
 * invitation.c: see invitation.h for the law and the form.
 */
#include "core/registry/invitation.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/base/assert.h"

#define VERSION    1u
#define BYTES_MAX  (3u + INVITATION_ADDRESSES * RECORD_ADDR_MAX + 16u + 32u + 4u)
#define AFTER_LAST (INVITATION_SECRET + INVITATION_FINGERPRINT + 4u) /* behind the addresses */
STATIC_ASSERT((BYTES_MAX * 8u + 4u) / 5u + 3u <= INVITATION_TEXT_MAX, "the code fits");

static const char alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

struct packed {
    uint8_t data[BYTES_MAX];
    size_t len;
};

__attribute__((format(printf, 2, 3))) static enum err refuse(struct invitation_fault *fault,
                                                             const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(fault->text, sizeof fault->text, format, arguments);
    va_end(arguments);
    return ERR_DECODE;
}

/* --- addresses --- */

static bool sound_port(const char *text)
{
    uint32_t port = 0;
    size_t digits = strspn(text, "0123456789");
    if (digits == 0 || digits > 5 || text[digits])
        return false;
    for (; *text; text++)
        port = port * 10 + (uint32_t)(*text - '0');
    return port >= 1 && port <= 65535;
}

bool invitation_address_sound(const char *address)
{
    size_t len = strnlen(address, RECORD_ADDR_MAX);
    const char *colon = len && len < RECORD_ADDR_MAX ? strrchr(address, ':') : NULL;
    if (!colon || colon == address || !sound_port(colon + 1))
        return false;
    for (const char *at = address; at < colon; at++) {
        bool bracket = (at == address && *at == '[') || (at + 1 == colon && *at == ']');
        bool inner = address[0] == '[' && *at == ':';
        if (*at <= ' ' || *at > '~' || (!bracket && !inner && strchr(":[]\"'\\/@,", *at)))
            return false;
    }
    return (address[0] == '[') == (colon[-1] == ']');
}

/* --- letters --- */

static int value_of(int letter)
{
    if (letter >= 'a' && letter <= 'z')
        letter = letter - 'a' + 'A';
    if (letter == 'O')
        letter = '0';
    if (letter == 'I' || letter == 'L')
        letter = '1';
    const char *at = letter ? strchr(alphabet, letter) : NULL;
    return at ? (int)(at - alphabet) : -1;
}

static bool skipped(uint8_t letter)
{
    return letter == ' ' || letter == '\t' || letter == '\r' || letter == '\n' || letter == '-';
}

/* The next letter that counts, or -1 at the end; moves *text behind it. */
static int next_letter(struct bytes *text)
{
    while (text->len) {
        uint8_t letter = *text->data++;
        text->len--;
        if (!skipped(letter))
            return letter;
    }
    return -1;
}

/* Five bits a letter; the bits left over at the end must be zero and less than a letter (N2). */
static enum err unpack(struct bytes text, struct packed *out, struct invitation_fault *fault)
{
    uint32_t bits = 0, held = 0;
    const uint8_t *start = text.data;
    for (int letter; (letter = next_letter(&text)) >= 0;) {
        int value = value_of(letter);
        if (value < 0 && letter > ' ' && letter <= '~')
            return refuse(fault,
                          "the code holds '%c' at place %zu, which no code does; copy it again, "
                          "whole",
                          letter, (size_t)(text.data - start) + 2);
        if (value < 0)
            return refuse(fault, "the code holds a byte (0x%02x) that is not printable ASCII",
                          letter);
        bits = (bits << 5 | (uint32_t)value) & 0xfff;
        held += 5;
        if (held < 8)
            continue;
        if (out->len == BYTES_MAX)
            return refuse(fault, "the code is longer than any; was something else copied with it?");
        held -= 8;
        out->data[out->len++] = (uint8_t)(bits >> held);
    }
    if (held >= 5 || (bits & ((1u << held) - 1)) != 0)
        return refuse(fault, "the code is cut off or mistyped at its end; copy it again, whole");
    return OK;
}

size_t invitation_print(const struct invitation *in, char out[INVITATION_TEXT_MAX])
{
    uint8_t data[BYTES_MAX] = {0};
    struct cursor c = cursor_over(data, sizeof data);
    INVARIANT(in->address_count >= 1 && in->address_count <= INVITATION_ADDRESSES);
    put_u8(&c, VERSION);
    put_u8(&c, (uint8_t)in->role);
    put_u8(&c, (uint8_t)in->address_count);
    for (uint32_t i = 0; i < in->address_count; i++) {
        INVARIANT(invitation_address_sound(in->addresses[i]));
        put_u8(&c, (uint8_t)strlen(in->addresses[i]));
        put_bytes(&c, in->addresses[i], strlen(in->addresses[i]));
    }
    put_bytes(&c, in->secret, sizeof in->secret);
    put_bytes(&c, in->fingerprint, sizeof in->fingerprint);
    put_u32(&c, checksum32(data, sizeof data - cursor_left(&c)));
    INVARIANT(!c.bad);
    size_t len = sizeof data - cursor_left(&c), used = 2;
    uint32_t bits = 0, held = 0;
    memcpy(out, "PF", 2);
    for (size_t i = 0; i < len; i++) {
        bits = (bits << 8 | data[i]) & 0xffff;
        for (held += 8; held >= 5; held -= 5)
            out[used++] = alphabet[bits >> (held - 5) & 31];
    }
    if (held)
        out[used++] = alphabet[bits << (5 - held) & 31];
    out[used] = 0;
    return used;
}

/* --- reading --- */

static enum err cut_off(struct invitation_fault *fault)
{
    return refuse(fault, "the code is cut off: its end is missing; copy it again, whole");
}

static enum err take_address(struct cursor *c, char out[RECORD_ADDR_MAX],
                             struct invitation_fault *fault)
{
    size_t len = get_u8(c);
    const uint8_t *bytes = get_bytes(c, len);
    if (c->bad)
        return cut_off(fault);
    memcpy(out, bytes, len);
    out[len] = 0;
    if (strlen(out) != len || !invitation_address_sound(out))
        return refuse(fault, "the code is mistyped: an address in it makes no sense; copy it "
                             "again, whole");
    return OK;
}

static enum err take_fields(struct cursor *c, struct invitation *out,
                            struct invitation_fault *fault)
{
    uint8_t role = get_u8(c);
    out->address_count = get_u8(c);
    if (c->bad)
        return cut_off(fault);
    if (role < ROLE_NODE || role > ROLE_ADMINISTRATOR || out->address_count < 1 ||
        out->address_count > INVITATION_ADDRESSES)
        return refuse(fault, "the code is mistyped near its beginning; copy it again, whole");
    out->role = (enum node_role)role;
    for (uint32_t i = 0; i < out->address_count; i++) {
        enum err err = take_address(c, out->addresses[i], fault);
        if (err != OK)
            return err;
    }
    if (cursor_left(c) < AFTER_LAST)
        return cut_off(fault);
    if (cursor_left(c) > AFTER_LAST)
        return refuse(fault, "something is left over behind the code; copy only the code");
    memcpy(out->secret, get_bytes(c, sizeof out->secret), sizeof out->secret);
    memcpy(out->fingerprint, get_bytes(c, sizeof out->fingerprint), sizeof out->fingerprint);
    return OK;
}

enum err invitation_parse(struct bytes text, struct invitation *out, struct invitation_fault *fault)
{
    struct packed packed = {.len = 0};
    memset(out, 0, sizeof *out);
    int first = next_letter(&text), second = next_letter(&text);
    if (first < 0)
        return refuse(fault, "the code is empty; pactfs invite, on a machine of the cell, prints "
                             "one");
    if ((first != 'P' && first != 'p') || (second != 'F' && second != 'f'))
        return refuse(fault, "the code of an invitation begins with PF, and this does not; pactfs "
                             "invite, on a machine of the cell, prints one");
    enum err err = unpack(text, &packed, fault);
    if (err != OK)
        return err;
    struct cursor c = cursor_over(packed.data, packed.len);
    uint8_t version = get_u8(&c);
    if (c.bad)
        return cut_off(fault);
    if (version != VERSION)
        return refuse(fault, "the code is mistyped, or was made by a newer version of PactFS; copy "
                             "it again, whole");
    err = take_fields(&c, out, fault);
    if (err != OK)
        return err;
    if (get_u32(&c) != checksum32(packed.data, packed.len - 4))
        return refuse(fault, "the code is mistyped: its check digits do not fit the rest; copy it "
                             "again, whole");
    return OK;
}
