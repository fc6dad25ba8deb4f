/* SPDX-License-Identifier: MIT
 *
 * contract.c: reading and refusing contracts. What is legal is one table: a key, the value that is
 * true of this version (NULL: the key has nothing to say yet), and why anything else is refused.
 */
#include "core/contract/contract.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "core/base/assert.h"
#include "core/contract/nearest.h"

#define WORD_MAX 128u

struct rule {
    const char *key, *legal, *reason;
};

static const struct rule rules[] = {
    {"preset", "local", "this version keeps one copy of a volume on one node"},
    {"replicate", "primary", "there is one copy, and it is the primary"},
    {"read", "primary", "there is one copy to read"},
    {"write", "primary", "there is one copy to write"},
    {"share", "unix", "a read returns the latest write; other sharing semantics are not built yet"},
    {"access", "cache", "the kernel of the one mount caches what it reads"},
    {"cache", "write-back", "the kernel of the one mount writes back what programs wrote"},
    {"versions", "none", "only the newest version of a file is kept"},
    {"server", "stateful", "the node knows what its one mount has open"},
    {"mount", "explicit", "a volume is mounted by pactfs up or pactfs mount"},
    {"votes", NULL, "with one copy there is nobody to outvote"},
    {"witness", NULL, "a witness needs a group of replicas"},
    {"order", NULL, "with one copy there is one order"},
    {"isolate", NULL, "each operation is a transaction of its own, one after another"},
    {"commit", NULL, "a transaction has one participant"},
    {"conflict", NULL, "one copy cannot disagree with itself"},
    {"guarantee", NULL, "one copy gives every session guarantee already"},
    {"propagate", NULL, "there is no other copy to send changes to"},
    {"locate", NULL, "there is one node, and it has the volume"},
    {"failover", NULL, "with one copy nothing can take over"},
};
#define RULES (sizeof rules / sizeof *rules)

struct line {
    char key[WORD_MAX], value[WORD_MAX];
};

/* What one parse has seen so far. */
struct reading {
    uint32_t number; /* of the line, from 1 */
    uint32_t seen;   /* a bit for each rule */
    struct contract_fault *fault;
};
STATIC_ASSERT(RULES <= 32, "seen has a bit for each rule");

__attribute__((format(printf, 2, 3))) static enum err refuse(struct reading *r, const char *format,
                                                             ...)
{
    va_list arguments;
    va_start(arguments, format);
    r->fault->line = r->number;
    vsnprintf(r->fault->text, sizeof r->fault->text, format, arguments);
    va_end(arguments);
    return ERR_CONTRACT;
}

static bool blank(uint8_t c)
{
    return c == ' ' || c == '\t';
}

static struct bytes trim(struct bytes b)
{
    while (b.len && blank(b.data[0])) {
        b.data++;
        b.len--;
    }
    while (b.len && (blank(b.data[b.len - 1]) || b.data[b.len - 1] == '\r'))
        b.len--;
    return b;
}

/* The next line without its end, comment and outer blanks; moves *text behind it. */
static struct bytes next_line(struct bytes *text)
{
    const uint8_t *end = memchr(text->data, '\n', text->len);
    size_t len = end ? (size_t)(end - text->data) : text->len;
    struct bytes line = {text->data, len};
    text->data += end ? len + 1 : len;
    text->len -= end ? len + 1 : len;
    const uint8_t *comment = line.len ? memchr(line.data, '#', line.len) : NULL;
    if (comment)
        line.len = (size_t)(comment - line.data);
    return trim(line);
}

static bool copy_word(char out[WORD_MAX], struct bytes word)
{
    if (word.len == 0 || word.len >= WORD_MAX)
        return false;
    memcpy(out, word.data, word.len);
    out[word.len] = 0;
    return true;
}

static enum err split(struct reading *r, struct bytes text, struct line *out)
{
    for (size_t i = 0; i < text.len; i++)
        if ((text.data[i] < 0x20 && text.data[i] != '\t') || text.data[i] > 0x7e)
            return refuse(r, "the line holds a byte (0x%02x) that is not printable ASCII",
                          text.data[i]);
    const uint8_t *equals = memchr(text.data, '=', text.len);
    if (!equals)
        return refuse(r, "the line is not of the form KEY = VALUE; write, for example, "
                         "preset = local");
    size_t at = (size_t)(equals - text.data);
    struct bytes key = trim((struct bytes){text.data, at});
    struct bytes value = trim((struct bytes){equals + 1, text.len - at - 1});
    if (!copy_word(out->key, key) || !copy_word(out->value, value))
        return refuse(r, "a key and a value have 1 to %u letters each", WORD_MAX - 1);
    return OK;
}

static const struct rule *find_rule(const char *key)
{
    for (size_t i = 0; i < RULES; i++)
        if (strcmp(rules[i].key, key) == 0)
            return &rules[i];
    return NULL;
}

static enum err unknown_key(struct reading *r, const char *key)
{
    const char *words[RULES + 1];
    size_t count = 0;
    for (size_t i = 0; i < RULES; i++)
        if (rules[i].legal)
            words[count++] = rules[i].key;
    words[count] = NULL;
    const char *near = nearest_word(key, words);
    if (near)
        return refuse(r, "there is no key '%s'; did you mean '%s'?", key, near);
    return refuse(r,
                  "there is no key '%s'; the keys are preset, replicate, read, write, share, "
                  "access, cache, versions, server and mount",
                  key);
}

static enum err check_line(struct reading *r, const struct line *line)
{
    const struct rule *rule = find_rule(line->key);
    if (!rule)
        return unknown_key(r, line->key);
    uint32_t bit = UINT32_C(1) << (rule - rules);
    if (r->seen & bit)
        return refuse(r, "'%s' is given twice; leave one of the lines out", line->key);
    if (rule == &rules[0] && r->seen)
        return refuse(r, "'preset' must be the first key; move it to the top");
    r->seen |= bit;
    if (!rule->legal)
        return refuse(r, "'%s' cannot be chosen: %s; leave the line out", line->key, rule->reason);
    if (strcmp(rule->legal, line->value) != 0)
        return refuse(r, "'%s = %s' is not legal: %s; the nearest legal line is '%s = %s'",
                      line->key, line->value, rule->reason, rule->key, rule->legal);
    return OK;
}

struct contract contract_default(void)
{
    return (struct contract){.preset = PRESET_LOCAL,
                             .replicate = REPLICATE_PRIMARY,
                             .share = SHARE_UNIX,
                             .versions = VERSIONS_NONE,
                             .replicas = 1,
                             .least = 1};
}

enum err contract_parse(struct bytes text, struct contract *out, struct contract_fault *fault)
{
    struct reading r = {.fault = fault};
    if (text.len > CONTRACT_TEXT_MAX)
        return refuse(&r, "the text has %zu bytes; a contract has at most %u", text.len,
                      CONTRACT_TEXT_MAX);
    while (text.len) {
        struct line line;
        r.number++;
        struct bytes one = next_line(&text);
        if (one.len == 0)
            continue;
        enum err err = split(&r, one, &line);
        if (err == OK)
            err = check_line(&r, &line);
        if (err != OK)
            return err;
    }
    *out = contract_default();
    INVARIANT(out->replicas == 1);
    return OK;
}

size_t contract_print(const struct contract *contract, char *buf, size_t size)
{
    INVARIANT(contract->preset == PRESET_LOCAL && contract->replicas == 1);
    size_t used = 0;
    for (size_t i = 0; i < RULES; i++) {
        if (!rules[i].legal)
            continue;
        int n = snprintf(buf + used, size - used, "%s = %s\n", rules[i].key, rules[i].legal);
        INVARIANT(n > 0 && (size_t)n < size - used);
        used += (size_t)n;
    }
    return used;
}
