/* SPDX-License-Identifier: MIT
 *
 * explain_private.h: what the sentences of the presets share.
 */
#ifndef PACTFS_CONTRACT_EXPLAIN_PRIVATE_H
#define PACTFS_CONTRACT_EXPLAIN_PRIVATE_H

#include "core/contract/explain.h"

#define SENTENCE_MAX 512u

struct speaker {
    void (*say)(void *ctx, enum explain_topic topic, const char *sentence);
    void *ctx;
    enum explain_topic topic;
};

__attribute__((format(printf, 2, 3))) void say(const struct speaker *s, const char *format, ...);

void explain_strong(struct speaker *s, const struct contract *contract,
                    const struct explain_state *state);
void explain_strong_brief(struct speaker *s, const struct contract *contract);

#endif
