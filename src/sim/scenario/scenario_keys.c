/* SPDX-License-Identifier: MIT
 *
 * scenario_keys.c: the keys of a scenario: where each value lies and what it may be.
 */
#include <string.h>

#include "core/base/assert.h"
#include "sim/scenario/scenario_private.h"

#define SECOND UINT64_C(1000000000)
#define NONE   UINT32_MAX /* of faults-most: no bound */

enum key_kind {
    KEY_WORD = 1,
    KEY_TEXT,
    KEY_NUMBER,
    KEY_PERCENT,
    KEY_TIME,
    KEY_SWITCH, /* yes, no */
    KEY_EXPECT, /* holds, broken */
    KEY_WORKLOAD,
    KEY_FAULTS_MOST,
    KEY_CHECK,
    KEY_FAULT,
    KEY_OPTION,
};

struct key {
    const char *word;
    enum key_kind kind;
    size_t place, size; /* in the struct; size of texts */
    struct limits limits;
};

#define AT(field)   offsetof(struct scenario, field)
#define ROOM(field) AT(field), sizeof(((struct scenario *)0)->field)
#define NO_LIMITS \
    {             \
        0, 0      \
    }

/* In the order in which they are printed. */
static const struct key keys[] = {
    {"system", KEY_WORD, ROOM(system), NO_LIMITS},
    {"nodes", KEY_NUMBER, AT(nodes), 0, {1, SCENARIO_NODES_MAX}},
    {"contract", KEY_TEXT, ROOM(contract), NO_LIMITS},
    {"workload", KEY_WORKLOAD, AT(workload), 0, NO_LIMITS},
    {"clients", KEY_NUMBER, AT(clients), 0, {1, SCENARIO_CLIENTS_MAX}},
    {"keys", KEY_NUMBER, AT(keys), 0, {1, 1024}},
    {"acts", KEY_NUMBER, AT(acts), 0, {1, 64}},
    {"reads", KEY_PERCENT, AT(read_percent), 0, NO_LIMITS},
    {"durable", KEY_PERCENT, AT(durable_percent), 0, NO_LIMITS},
    {"syncs", KEY_PERCENT, AT(sync_percent), 0, NO_LIMITS},
    {"think", KEY_TIME, AT(think_ns), 0, {THINK_MIN, THINK_MAX}},
    {"length", KEY_TIME, AT(length_ns), 0, {SECOND / 1000, NS_MAX}},
    {"heal", KEY_TIME, AT(heal_ns), 0, {SECOND / 1000, NS_MAX}},
    {"operations", KEY_NUMBER, AT(operations), 0, {0, UINT32_MAX}},
    {"fault", KEY_FAULT, 0, 0, NO_LIMITS},
    {"faults-most", KEY_FAULTS_MOST, AT(faults_most), 0, NO_LIMITS},
    {"check", KEY_CHECK, 0, 0, NO_LIMITS},
    {"swarm", KEY_SWITCH, AT(swarm), 0, NO_LIMITS},
    {"option", KEY_OPTION, 0, 0, NO_LIMITS},
    {"expect", KEY_EXPECT, AT(expect_broken), 0, NO_LIMITS},
};
#define KEYS (sizeof keys / sizeof *keys)

unsigned key_count(void)
{
    return KEYS;
}

const char *key_word(unsigned key)
{
    return keys[key].word;
}

unsigned key_find(struct word word)
{
    unsigned i = 0;
    while (i < KEYS && !word_is(word, keys[i].word))
        i++;
    return i;
}

enum err key_unknown(struct reading *r, struct word word)
{
    const char *words[KEYS + 1];
    for (unsigned i = 0; i < KEYS; i++)
        words[i] = keys[i].word;
    words[KEYS] = NULL;
    return reading_unknown(r, word,
                           &(struct unknown){"key",
                                             "the keys are system, nodes, contract, workload, "
                                             "clients, keys, acts, reads, durable, syncs, think, "
                                             "length, heal, operations, fault, faults-most, check, "
                                             "swarm, option and expect",
                                             words});
}

static void *place_of(struct scenario *scenario, const struct key *key)
{
    return (char *)scenario + key->place;
}

/* --- one kind each --- */

static enum err read_text(struct reading *r, struct word value, const struct key *key)
{
    char *out = place_of(r->scenario, key);
    if (value.text.len >= key->size)
        return reading_refuse(r, value.column, "'%s' takes at most %zu letters", key->word,
                              key->size - 1);
    memset(out, 0, key->size);
    word_copy(value, out, key->size);
    return OK;
}

/* One of two words: `first` is false. */
static enum err read_either(struct reading *r, struct word value, const char *first,
                            const char *second)
{
    char buf[SCENARIO_WORD_MAX];
    if (word_is(value, first) || word_is(value, second))
        return OK;
    return reading_refuse(r, value.column, "'%s' is neither '%s' nor '%s'",
                          word_copy(value, buf, sizeof buf), first, second);
}

static enum err read_workload(struct reading *r, struct word value)
{
    static const char *const words[] = {"register", "list", "set", "counter", "bank", "tree", NULL};
    char buf[SCENARIO_WORD_MAX];
    if (value.text.len < sizeof buf &&
        workload_of_word(word_copy(value, buf, sizeof buf), &r->scenario->workload))
        return OK;
    return reading_unknown(
        r, value,
        &(struct unknown){"workload", "write register, list, set, counter, bank or tree", words});
}

static enum err read_faults_most(struct reading *r, struct word value)
{
    uint64_t number = NONE;
    enum err err =
        word_is(value, "any") ? OK : read_number(r, value, (struct limits){0, NONE - 1}, &number);
    if (err == OK)
        r->scenario->faults_most = (uint32_t)number;
    return err;
}

struct scenario_fault *fault_find(struct scenario *scenario, enum fault_kind kind)
{
    for (uint32_t i = 0; i < scenario->fault_count; i++)
        if (scenario->faults[i].kind == kind)
            return &scenario->faults[i];
    return NULL;
}

static enum err read_fault_line(struct reading *r, struct word value)
{
    struct scenario_fault fault;
    memset(&fault, 0, sizeof fault);
    struct word word = word_next(&value);
    enum err err = read_fault_kind(r, word, &fault.kind);
    if (err == OK && fault_find(r->scenario, fault.kind))
        return reading_refuse(r, word.column, "the fault '%s' is there already",
                              fault_word(fault.kind));
    if (err == OK)
        err = read_fault(r, value, &fault);
    if (err == OK) {
        INVARIANT(r->scenario->fault_count < SCENARIO_FAULTS_MAX);
        r->scenario->faults[r->scenario->fault_count++] = fault;
    }
    return err;
}
STATIC_ASSERT(FAULT_KIND_COUNT <= SCENARIO_FAULTS_MAX, "there is room for one of each kind");

/* --- options --- */

static uint32_t option_find(const struct scenario *scenario, struct word key)
{
    uint32_t i = 0;
    while (i < scenario->option_count && !word_is(key, scenario->options[i].key))
        i++;
    return i;
}

static void option_remove(struct scenario *scenario, uint32_t at)
{
    if (at == scenario->option_count)
        return;
    scenario->option_count--;
    memmove(&scenario->options[at], &scenario->options[at + 1],
            (scenario->option_count - at) * sizeof scenario->options[0]);
    memset(&scenario->options[scenario->option_count], 0, sizeof scenario->options[0]);
}

enum err option_set(struct reading *r, struct word key, struct word value)
{
    struct scenario *s = r->scenario;
    uint32_t at = option_find(s, key);
    if (!key.text.len || key.text.len >= SCENARIO_WORD_MAX || value.text.len >= SCENARIO_WORD_MAX)
        return reading_refuse(r, key.column, "an option is KEY VALUE, of 1 to %u letters each",
                              SCENARIO_WORD_MAX - 1);
    for (size_t i = 0; i < value.text.len; i++)
        if (value.text.data[i] == ' ' || value.text.data[i] == '\t')
            return reading_refuse(r, value.column + (uint32_t)i,
                                  "the value of an option is one word");
    if (!value.text.len) {
        option_remove(s, at);
        return OK;
    }
    if (at == SCENARIO_OPTIONS_MAX)
        return reading_refuse(r, key.column, "there are more than %u options",
                              SCENARIO_OPTIONS_MAX);
    memset(&s->options[at], 0, sizeof s->options[at]);
    word_copy(key, s->options[at].key, SCENARIO_WORD_MAX);
    word_copy(value, s->options[at].value, SCENARIO_WORD_MAX);
    s->option_count += at == s->option_count;
    return OK;
}

static enum err read_option_line(struct reading *r, struct word value)
{
    char buf[SCENARIO_WORD_MAX];
    struct word key = word_next(&value);
    value = word_trim(value);
    if (!value.text.len)
        return reading_refuse(r, key.column, "an option is KEY VALUE, as in: option = pad 6000");
    if (option_find(r->scenario, key) < r->scenario->option_count)
        return reading_refuse(r, key.column, "the option '%s' is there already",
                              word_copy(key, buf, sizeof buf));
    return option_set(r, key, value);
}

/* --- all --- */

enum err key_read(struct reading *r, unsigned index, struct word value)
{
    const struct key *key = &keys[index];
    uint64_t number = 0;
    uint32_t percent = 0;
    enum err err = OK;
    switch (key->kind) {
    case KEY_WORD:
    case KEY_TEXT:
        return read_text(r, value, key);
    case KEY_NUMBER:
        if ((err = read_number(r, value, key->limits, &number)) == OK)
            *(uint32_t *)place_of(r->scenario, key) = (uint32_t)number;
        return err;
    case KEY_PERCENT:
        if ((err = read_percent(r, value, &percent)) == OK)
            *(uint32_t *)place_of(r->scenario, key) = percent;
        return err;
    case KEY_TIME:
        if ((err = read_duration(r, value, key->limits, &number)) == OK)
            *(uint64_t *)place_of(r->scenario, key) = number;
        return err;
    case KEY_SWITCH:
        if ((err = read_either(r, value, "no", "yes")) == OK)
            *(bool *)place_of(r->scenario, key) = word_is(value, "yes");
        return err;
    case KEY_EXPECT:
        if ((err = read_either(r, value, "holds", "broken")) == OK)
            *(bool *)place_of(r->scenario, key) = word_is(value, "broken");
        return err;
    case KEY_WORKLOAD:
        return read_workload(r, value);
    case KEY_FAULTS_MOST:
        return read_faults_most(r, value);
    case KEY_CHECK:
        return read_checks(r, value);
    case KEY_FAULT:
        return read_fault_line(r, value);
    case KEY_OPTION:
        return read_option_line(r, value);
    }
    INVARIANT(false);
}

void key_print(const struct scenario *scenario, unsigned index, struct text *text)
{
    const struct key *key = &keys[index];
    const void *place = (const char *)scenario + key->place;
    switch (key->kind) {
    case KEY_WORD:
    case KEY_TEXT:
        text_add(text, "%s", (const char *)place);
        break;
    case KEY_NUMBER:
        text_add(text, "%u", *(const uint32_t *)place);
        break;
    case KEY_PERCENT:
        text_add(text, "%u%%", *(const uint32_t *)place);
        break;
    case KEY_TIME:
        print_duration(*(const uint64_t *)place, text);
        break;
    case KEY_SWITCH:
        text_add(text, "%s", *(const bool *)place ? "yes" : "no");
        break;
    case KEY_EXPECT:
        text_add(text, "%s", *(const bool *)place ? "broken" : "holds");
        break;
    case KEY_WORKLOAD:
        text_add(text, "%s", workload_word(scenario->workload));
        break;
    case KEY_FAULTS_MOST:
        if (scenario->faults_most == NONE)
            text_add(text, "any");
        else
            text_add(text, "%u", scenario->faults_most);
        break;
    case KEY_CHECK:
        print_checks(scenario, text);
        break;
    case KEY_FAULT:
    case KEY_OPTION:
        break;
    }
}
