/* SPDX-License-Identifier: MIT
 *
 * parse.c: reading and refusing contracts. What each key may say is in rules.c; here is the
 * grammar, and what several keys must be together.
 */
#include "core/contract/contract.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "core/base/assert.h"
#include "core/contract/duration.h"
#include "core/contract/nearest.h"
#include "core/contract/rules.h"
#include "core/group/view.h"

#define WORD_MAX 128u

/* A new view has to be agreed by the registry. When a machine dies that has both the primary and
 * the registry's leader, the registry elects first; and a heartbeat that is late by a slow disk or
 * a busy processor must not count as a death. */
#define FAILOVER_LEAST (500 * DURATION_MS)
#define FAILOVER_MOST  (5 * DURATION_M)

struct line {
    char key[WORD_MAX], value[WORD_MAX];
};

/* What one reading has seen so far. */
struct reading {
    uint32_t number;       /* of the line, from 1; 0: a word on top of the text */
    uint32_t seen, worded; /* a bit for each rule: in the text, among the words */
    uint32_t where[RULES]; /* the line that said it last */
    struct contract contract;
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

/* --- values --- */

static enum err not_legal(struct reading *r, const struct line *line, const char *why,
                          const char *nearest)
{
    return refuse(r, "'%s = %s' is not legal: %s; the nearest legal line is '%s = %s'", line->key,
                  line->value, why, line->key, nearest);
}

static enum err check_word(struct reading *r, const struct rule *rule, const struct line *line)
{
    const char *const *legal = rule->under[r->contract.preset].legal;
    const char *reason = rule->under[r->contract.preset].reason;
    const char *words[RULE_WORDS + 3] = {NULL};
    char why[256];
    size_t count = 0;
    for (size_t i = 0; i < 2 && legal[i]; i++) {
        if (strcmp(legal[i], line->value) == 0)
            return OK;
        words[count++] = legal[i];
    }
    const char *near = nearest_word(line->value, words);
    for (size_t i = 0; i < RULE_WORDS && rule->known[i]; i++)
        if (strcmp(rule->known[i], line->value) == 0) {
            snprintf(why, sizeof why, "'%s' is known and not built yet; %s", line->value, reason);
            return not_legal(r, line, why, rule == &rules[KEY_PRESET] ? "strong" : legal[0]);
        }
    return not_legal(r, line, reason, near ? near : legal[0]);
}

/* A whole number of at most 9 digits. */
static bool read_number(const char *text, uint32_t *number)
{
    size_t digits = strspn(text, "0123456789");
    if (digits == 0 || digits > 9 || text[digits])
        return false;
    *number = 0;
    for (; *text; text++)
        *number = *number * 10 + (uint32_t)(*text - '0');
    return true;
}

static enum err take_replicas(struct reading *r, const struct line *line)
{
    uint32_t n;
    bool number = read_number(line->value, &n);
    if (r->contract.preset == PRESET_LOCAL)
        return number && n == 1
                   ? OK
                   : not_legal(r, line, rules[KEY_REPLICAS].under[PRESET_LOCAL].reason, "1");
    if (!number)
        return not_legal(r, line, "it is not a whole number", "3");
    if (n < 2)
        return not_legal(r, line,
                         "with one copy nothing is left when a machine is lost, and preset = local "
                         "is for that",
                         "2");
    if (n > GROUP_MAX)
        return not_legal(r, line, "each write goes to every replica, and 16 are the most", "16");
    r->contract.replicas = n;
    return OK;
}

static enum err take_least(struct reading *r, const struct line *line)
{
    uint32_t n;
    if (!read_number(line->value, &n))
        return not_legal(r, line, "it is not a whole number", "2");
    if (n < 1)
        return not_legal(r, line, "a write needs one disk at least", "1");
    if (n > GROUP_MAX)
        return not_legal(r, line, "a volume has at most 16 replicas", "16");
    r->contract.least = n;
    return OK;
}

static enum err take_failover(struct reading *r, const struct line *line)
{
    uint64_t ns;
    if (!duration_parse(line->value, &ns))
        return not_legal(r, line, "it is not a duration like 500ms, 2s or 1m", "2s");
    if (ns < FAILOVER_LEAST)
        return not_legal(r, line,
                         "the registry has to agree to a new view, and needs some hundred "
                         "milliseconds when it has lost its leader; healthy replicas would be "
                         "taken for dead",
                         "500ms");
    if (ns > FAILOVER_MOST)
        return not_legal(r, line, "programs would stand still for longer than they bear", "5m");
    r->contract.failover_ns = ns;
    return OK;
}

static enum err take_replace(struct reading *r, const struct line *line)
{
    uint64_t ns;
    if (strcmp(line->value, "never") == 0) {
        r->contract.replace_ns = 0;
        return OK;
    }
    if (!duration_parse(line->value, &ns))
        return not_legal(r, line, "it is neither a duration like 10m nor never", "10m");
    if (ns == 0)
        return not_legal(r, line, "whoever pauses for a moment would be replaced", "10m");
    r->contract.replace_ns = ns;
    return OK;
}

static enum err take_value(struct reading *r, const struct rule *rule, const struct line *line)
{
    switch ((enum rule_key)(rule - rules)) {
    case KEY_REPLICAS:
        return take_replicas(r, line);
    case KEY_LEAST:
        return take_least(r, line);
    case KEY_FAILOVER:
        return take_failover(r, line);
    case KEY_REPLACE:
        return take_replace(r, line);
    default:
        break;
    }
    enum err err = check_word(r, rule, line);
    if (err != OK)
        return err;
    if (rule == &rules[KEY_PRESET]) {
        enum contract_preset preset;
        INVARIANT(contract_preset_find(line->value, &preset));
        r->contract = contract_of(preset);
    } else if (rule == &rules[KEY_READ]) {
        r->contract.read = strcmp(line->value, "one") == 0 ? READ_ONE : READ_PRIMARY;
    }
    return OK;
}

/* --- lines --- */

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

static enum err unknown_key(struct reading *r, const char *key)
{
    char all[256];
    size_t used = 0;
    const char *near = rule_nearest(key);
    if (near)
        return refuse(r, "there is no key '%s'; did you mean '%s'?", key, near);
    for (size_t i = 0; i < KEY_BUILT; i++)
        used += (size_t)snprintf(all + used, sizeof all - used, "%s%s",
                                 i == 0               ? ""
                                 : i + 1 == KEY_BUILT ? " and "
                                                      : ", ",
                                 rules[i].key);
    return refuse(r, "there is no key '%s'; the keys are %s", key, all);
}

static enum err take_line(struct reading *r, const struct line *line)
{
    const struct rule *rule = rule_find(line->key);
    if (!rule)
        return unknown_key(r, line->key);
    uint32_t bit = UINT32_C(1) << (rule - rules);
    bool word = r->number == 0;
    if ((word ? r->worded : r->seen) & bit)
        return refuse(r, "'%s' is given twice; leave one of them out", line->key);
    if (rule == &rules[KEY_PRESET] && (r->seen || r->worded))
        return refuse(r, "'preset' must be the first key; move it to the front");
    *(word ? &r->worded : &r->seen) |= bit;
    r->where[rule - rules] = r->number;
    if (!rule->under[r->contract.preset].legal[0])
        return refuse(r, "'%s' cannot be chosen: %s; leave it out", line->key,
                      rule->under[r->contract.preset].reason);
    return take_value(r, rule, line);
}

/* What several keys must be together. */
static enum err check_whole(struct reading *r)
{
    struct contract *c = &r->contract;
    uint32_t given = r->seen | r->worded;
    char failover[DURATION_TEXT_MAX];
    if (c->preset != PRESET_STRONG)
        return OK;
    if (!(given >> KEY_LEAST & 1))
        c->least = contract_default_least(c->replicas);
    r->number = r->where[KEY_LEAST];
    if (c->least > c->replicas)
        return refuse(r,
                      "'least = %u' is not legal: there are only %u replicas, so no write would "
                      "ever be answered; the nearest legal line is 'least = %u'",
                      c->least, c->replicas, c->replicas);
    r->number = r->where[given >> KEY_REPLACE & 1 ? KEY_REPLACE : KEY_FAILOVER];
    duration_print(c->failover_ns, failover);
    if (c->replace_ns && c->replace_ns < c->failover_ns)
        return refuse(r,
                      "'replace' is not legal: it is shorter than failover, the time in which a "
                      "replica is found to be away at all; the nearest legal line is 'replace = "
                      "%s'",
                      failover);
    return OK;
}

static enum err read_text(struct reading *r, struct bytes text)
{
    struct line line;
    if (text.len > CONTRACT_TEXT_MAX)
        return refuse(r, "the text has %zu bytes; a contract has at most %u", text.len,
                      CONTRACT_TEXT_MAX);
    while (text.len) {
        r->number++;
        struct bytes one = next_line(&text);
        if (one.len == 0)
            continue;
        enum err err = split(r, one, &line);
        if (err == OK)
            err = take_line(r, &line);
        if (err != OK)
            return err;
    }
    return OK;
}

static enum err read_words(struct reading *r, const char *const *words)
{
    struct line line;
    r->number = 0;
    for (size_t i = 0; words[i]; i++) {
        size_t len = strnlen(words[i], 3 * WORD_MAX);
        if (i == CONTRACT_WORDS_MAX)
            return refuse(r, "there are more than %u words KEY=VALUE", CONTRACT_WORDS_MAX);
        if (!memchr(words[i], '=', len))
            return refuse(r, "'%.64s' is not of the form KEY=VALUE, like replicas=2", words[i]);
        enum err err = split(r, (struct bytes){(const uint8_t *)words[i], len}, &line);
        if (err == OK)
            err = take_line(r, &line);
        if (err != OK)
            return err;
    }
    return OK;
}

enum err contract_compose(struct bytes text, const char *const *words, struct contract *out,
                          struct contract_fault *fault)
{
    struct reading r = {.contract = contract_default(), .fault = fault};
    enum err err = read_text(&r, text);
    if (err == OK)
        err = read_words(&r, words);
    if (err == OK)
        err = check_whole(&r);
    if (err == OK)
        *out = r.contract;
    return err;
}

enum err contract_parse(struct bytes text, struct contract *out, struct contract_fault *fault)
{
    static const char *const none[] = {NULL};
    return contract_compose(text, none, out, fault);
}
