/* SPDX-License-Identifier: MIT
 *
 * contract.h: what a volume promises, as `key = value` lines.
 *
 * A contract starts from a preset and may name single keys behind it. Two presets are built:
 * `local`, one copy on one node, and `strong`, several copies by primary copy. Keys and values of
 * the wider model are known by name, so that they can be refused with the reason.
 *
 * Grammar: a line is empty, a comment from # to its end, or KEY = VALUE; blanks around both are
 * ignored. A key occurs once. `preset`, if named, comes first; it is `local` otherwise. Text is
 * printable ASCII and tabs. Durations are whole numbers with a unit: 500ms, 2s, 10m, 1h.
 *
 * Law
 *   C1  contract_parse and contract_compose accept exactly the contracts that this version keeps;
 *       there is no other way to make one.
 *   C2  contract_parse(contract_print(c)) gives c.
 */
#ifndef PACTFS_CONTRACT_CONTRACT_H
#define PACTFS_CONTRACT_CONTRACT_H

#include <stddef.h>
#include <stdint.h>

#include "core/base/bytes.h"
#include "core/base/err.h"

#define CONTRACT_TEXT_MAX  16384u /* bytes of a contract's text */
#define CONTRACT_PRINT_MAX 1024u  /* bytes that contract_print writes, at most, with the NUL */
#define CONTRACT_WORDS_MAX 32u    /* KEY=VALUE words on top of a text */

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
    uint64_t failover_ns; /* see group/view.h; 0 for local */
    uint64_t replace_ns;  /* a replica away so long is replaced by a spare node; 0: never */
};

/* Why a text is not a contract, or a change not legal. */
struct contract_fault {
    uint32_t line;  /* from 1; 0: the text as a whole, or a word on top of it */
    char text[480]; /* a sentence without its full stop: what is wrong, and what would be right */
};

/* The contract of a preset with nothing changed; contract_default: of `local`. */
struct contract contract_of(enum contract_preset preset);
struct contract contract_default(void);
const char *contract_preset_name(enum contract_preset preset); /* "strong"; static */
/* What `least` is when it is not given: half of the replicas, rounded up. */
uint32_t contract_default_least(uint32_t replicas);
/* False: there is no preset of that name in this version. */
bool contract_preset_find(const char *name, enum contract_preset *preset);

/* Reads a contract. CONTRACT: *fault says why, *out is untouched. */
enum err contract_parse(struct bytes text, struct contract *out, struct contract_fault *fault);

/* Reads a text and, on top of it, words KEY=VALUE (ended by NULL): each takes the place of the
 * text's line with that key. `preset` may be the first word when the text is empty. Words that
 * are not KEY=VALUE, two with the same key, and more than CONTRACT_WORDS_MAX are refused, too. */
enum err contract_compose(struct bytes text, const char *const *words, struct contract *out,
                          struct contract_fault *fault);

/* Writes the contract's full text, each key on its line, into buf with a NUL; returns its length.
 * CONTRACT_PRINT_MAX bytes always suffice. */
size_t contract_print(const struct contract *contract, char *buf, size_t size);

/* May a volume that lives go from one contract to the other? CONTRACT: *fault says which key may
 * not change, and why. */
enum err contract_change_legal(const struct contract *before, const struct contract *after,
                               struct contract_fault *fault);

#endif
