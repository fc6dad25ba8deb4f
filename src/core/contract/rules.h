/* SPDX-License-Identifier: MIT
 *
 * rules.h: each key of a contract: what it may say under each preset, and why nothing else.
 */
#ifndef PACTFS_CONTRACT_RULES_H
#define PACTFS_CONTRACT_RULES_H

#include "core/contract/contract.h"

#define RULE_PRESETS 2u
#define RULE_WORDS   10u

enum rule_kind {
    RULE_WORD,     /* one of some words */
    RULE_NUMBER,   /* a whole number */
    RULE_DURATION, /* a length of time */
};

struct rule {
    const char *key;
    enum rule_kind kind;
    struct {
        const char *legal[2]; /* the values that it may have; [0] NULL: it cannot be chosen. Of
                                 numbers and durations: one that is shown as an example. */
        const char *reason;   /* why nothing else */
    } under[RULE_PRESETS];
    const char *known[RULE_WORDS]; /* values of the wider model that are not built yet */
};

enum rule_key {
    KEY_PRESET,
    KEY_REPLICATE,
    KEY_REPLICAS,
    KEY_LEAST,
    KEY_READ,
    KEY_WRITE,
    KEY_SHARE,
    KEY_ACCESS,
    KEY_CACHE,
    KEY_FAILOVER,
    KEY_REPLACE,
    KEY_VERSIONS,
    KEY_SERVER,
    KEY_MOUNT,
    KEY_BUILT, /* those from here on are known and have nothing to say yet */
    RULES = KEY_BUILT + 9
};

extern const struct rule rules[RULES];

/* NULL: no such key. */
const struct rule *rule_find(const char *key);
/* The key nearest to one that is not there, or NULL; only of those that can be chosen. */
const char *rule_nearest(const char *key);

#endif
