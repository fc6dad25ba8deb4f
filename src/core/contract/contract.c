/* SPDX-License-Identifier: MIT
 *
 * contract.c: contracts as values: presets, printing, and which may follow which.
 */
#include "core/contract/contract.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/base/assert.h"
#include "core/contract/duration.h"
#include "core/contract/rules.h"

static const char *const presets[] = {[PRESET_LOCAL] = "local", [PRESET_STRONG] = "strong"};

uint32_t contract_default_least(uint32_t replicas)
{
    return (replicas + 1) / 2;
}

struct contract contract_of(enum contract_preset preset)
{
    struct contract c = {.preset = preset,
                         .replicate = REPLICATE_PRIMARY,
                         .share = SHARE_UNIX,
                         .versions = VERSIONS_NONE,
                         .read = READ_PRIMARY,
                         .replicas = 1,
                         .least = 1};
    if (preset == PRESET_STRONG) {
        c.replicas = 3;
        c.least = contract_default_least(c.replicas);
        c.failover_ns = 2 * DURATION_S;
        c.replace_ns = 10 * DURATION_M;
    }
    return c;
}

struct contract contract_default(void)
{
    return contract_of(PRESET_LOCAL);
}

const char *contract_preset_name(enum contract_preset preset)
{
    INVARIANT((unsigned)preset < RULE_PRESETS);
    return presets[preset];
}

bool contract_preset_find(const char *name, enum contract_preset *preset)
{
    for (unsigned i = 0; i < RULE_PRESETS; i++)
        if (strcmp(presets[i], name) == 0) {
            *preset = (enum contract_preset)i;
            return true;
        }
    return false;
}

/* The value of a key that this preset has. */
static const char *value_of(const struct contract *c, enum rule_key key,
                            char buf[DURATION_TEXT_MAX])
{
    switch (key) {
    case KEY_PRESET:
        return presets[c->preset];
    case KEY_REPLICAS:
        snprintf(buf, DURATION_TEXT_MAX, "%u", c->replicas);
        return buf;
    case KEY_LEAST:
        snprintf(buf, DURATION_TEXT_MAX, "%u", c->least);
        return buf;
    case KEY_READ:
        return c->read == READ_ONE ? "one" : "primary";
    case KEY_FAILOVER:
        return duration_print(c->failover_ns, buf);
    case KEY_REPLACE:
        return c->replace_ns ? duration_print(c->replace_ns, buf) : "never";
    default:
        return rules[key].under[c->preset].legal[0];
    }
}

size_t contract_print(const struct contract *contract, char *buf, size_t size)
{
    size_t used = 0;
    for (unsigned key = 0; key < KEY_BUILT; key++) {
        char value[DURATION_TEXT_MAX];
        if (!rules[key].under[contract->preset].legal[0])
            continue;
        int n = snprintf(buf + used, size - used, "%s = %s\n", rules[key].key,
                         value_of(contract, (enum rule_key)key, value));
        INVARIANT(n > 0 && (size_t)n < size - used);
        used += (size_t)n;
    }
    return used;
}

__attribute__((format(printf, 2, 3))) static enum err refuse(struct contract_fault *fault,
                                                             const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fault->line = 0;
    vsnprintf(fault->text, sizeof fault->text, format, arguments);
    va_end(arguments);
    return ERR_CONTRACT;
}

enum err contract_change_legal(const struct contract *before, const struct contract *after,
                               struct contract_fault *fault)
{
    if (before->preset != after->preset)
        return refuse(fault,
                      "'preset' cannot be changed while the volume lives, because its files are "
                      "kept in another way; make a volume with preset = %s and copy the files",
                      presets[after->preset]);
    if (before->failover_ns != after->failover_ns)
        return refuse(fault,
                      "'failover' cannot be changed while the volume lives: the leases of its "
                      "replicas derive from it, and while some knew the old one and some the new, "
                      "two could take themselves for the primary; make a new volume and copy the "
                      "files");
    INVARIANT(before->replicate == after->replicate && before->share == after->share);
    INVARIANT(before->versions == after->versions);
    return OK;
}
