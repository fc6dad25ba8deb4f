/* SPDX-License-Identifier: MIT
 *
 * contract.h: what a volume promises, as `key = value` lines.
 *
 * A contract starts from a preset and may name single keys behind it. This version keeps one copy
 * of a volume on one node, so one preset is legal, `local`, and each key has the one value that is
 * true of it. Keys and values of the wider model are known by name, so that they can be refused
 * with the reason.
 *
 * Grammar: a line is empty, a comment from # to its end, or KEY = VALUE; blanks around both are
 * ignored. A key occurs once. `preset`, if named, comes first. Text is printable ASCII and tabs.
 *
 * Law
 *   C1  contract_parse accepts exactly the contracts that this version keeps; there is no other
 *       way to make one.
 *   C2  contract_parse(contract_print(c)) gives c.
 */
#ifndef PACTFS_CONTRACT_CONTRACT_H
#define PACTFS_CONTRACT_CONTRACT_H

#include <stddef.h>
#include <stdint.h>

#include "core/base/bytes.h"
#include "core/base/err.h"

#define CONTRACT_TEXT_MAX 16384u /* bytes of a contract's text */

enum contract_preset { PRESET_LOCAL, PRESET_STRONG };
enum contract_replicate { REPLICATE_PRIMARY };
enum contract_read { READ_PRIMARY, READ_ONE };
enum contract_share { SHARE_UNIX };
enum contract_versions { VERSIONS_NONE };

struct contract {
    enum contract_preset preset;
    enum contract_replicate replicate;
    enum contract_share share;
    enum contract_versions versions;
    enum contract_read read;
    uint32_t replicas;    /* copies of the volume: 1 for local, 2 to GROUP_MAX for strong */
    uint32_t least;       /* with fewer members in the view, writes wait: 1 to replicas */
    uint64_t failover_ns; /* see group/view.h */
    uint64_t replace_ns;  /* a replica away so long is replaced by a spare node; 0: never */
};

/* Why a text is not a contract. */
struct contract_fault {
    uint32_t line;  /* from 1; 0: the text as a whole */
    char text[480]; /* a sentence: what is wrong, and what would be right */
};

/* The contract of preset `local`. */
struct contract contract_default(void);

/* Reads a contract. CONTRACT: *fault says why, *out is untouched. */
enum err contract_parse(struct bytes text, struct contract *out, struct contract_fault *fault);

/* Writes the contract's full text, each key on its line, into buf with a NUL; returns its length.
 * 1024 bytes always suffice. */
size_t contract_print(const struct contract *contract, char *buf, size_t size);

#endif
