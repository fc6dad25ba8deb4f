/* SPDX-License-Identifier: MIT
 *
 * invitation.h: the code that lets a machine into a cell, as text that survives copying.
 *
 * It says where the cell is, by which authority it is recognised (so that the newcomer knows whom
 * it talks to before it trusts anybody), and a secret that can be used once. What is inside:
 *
 *     version (1 byte), role (1), count of addresses (1), each address: length (1), bytes;
 *     secret (16), fingerprint of the authority's certificate (32), checksum (4)
 *
 * written as "PF" and base 32 in Crockford's alphabet: digits and letters without I, L, O and U.
 * Reading forgives small letters, O for 0, I and L for 1, blanks, line breaks and hyphens.
 *
 * Law
 *   N1  invitation_parse(invitation_print(i)) gives i.
 *   N2  Whatever text it is given, invitation_parse reads none outside it, and accepts one text,
 *       but for what is forgiven, for each invitation.
 */
#ifndef PACTFS_REGISTRY_INVITATION_H
#define PACTFS_REGISTRY_INVITATION_H

#include <stdbool.h>

#include "core/base/bytes.h"
#include "core/base/err.h"
#include "core/registry/records.h"

#define INVITATION_ADDRESSES   4u
#define INVITATION_SECRET      16u
#define INVITATION_FINGERPRINT 32u
#define INVITATION_TEXT_MAX    2048u /* bytes of the code, with its NUL */

struct invitation {
    enum node_role role;
    uint32_t address_count; /* 1 to INVITATION_ADDRESSES, the nearest first */
    char addresses[INVITATION_ADDRESSES][RECORD_ADDR_MAX];
    uint8_t secret[INVITATION_SECRET];
    uint8_t fingerprint[INVITATION_FINGERPRINT]; /* SHA-256 of the authority's certificate */
};

struct invitation_fault {
    char text[240]; /* a sentence without its full stop: what is wrong, and what to do */
};

/* "host:port" or "[v6]:port" with a port from 1 to 65535, printable and without blanks. */
bool invitation_address_sound(const char *address);

/* Writes the code with its NUL; returns its length. The invitation must be sound. */
size_t invitation_print(const struct invitation *invitation, char out[INVITATION_TEXT_MAX]);

/* DECODE: *fault says why; *out is not to be used. Fields that are not used are zero. */
enum err invitation_parse(struct bytes text, struct invitation *out,
                          struct invitation_fault *fault);

#endif
