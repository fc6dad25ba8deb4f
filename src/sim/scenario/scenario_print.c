/* SPDX-License-Identifier: MIT
 *
 * scenario_print.c: a scenario as text, and what two scenarios differ in.
 */
#include <stdio.h>
#include <string.h>

#include "sim/scenario/scenario_private.h"

static void print_lists(const struct scenario *scenario, const char *word, struct text *text)
{
    if (strcmp(word, "fault") == 0)
        for (uint32_t i = 0; i < scenario->fault_count; i++) {
            text_add(text, "fault = %s ", fault_word(scenario->faults[i].kind));
            print_fault(&scenario->faults[i], text);
            text_add(text, "\n");
        }
    if (strcmp(word, "option") == 0)
        for (uint32_t i = 0; i < scenario->option_count; i++)
            text_add(text, "option = %s %s\n", scenario->options[i].key,
                     scenario->options[i].value);
}

void scenario_print(const struct scenario *scenario, struct text *text)
{
    for (unsigned key = 0; key < key_count(); key++) {
        struct text value = {0};
        key_print(scenario, key, &value);
        print_lists(scenario, key_word(key), text);
        if (value.len)
            text_add(text, "%s = %s\n", key_word(key), value.data);
        text_free(&value);
    }
}

/* --- differences --- */

struct differences {
    const struct scenario *from, *to;
    void (*each)(void *ctx, const char *key, const char *value);
    void *ctx;
};

static void compare_key(const struct differences *d, unsigned key)
{
    struct text from = {0}, to = {0};
    key_print(d->from, key, &from);
    key_print(d->to, key, &to);
    if (strcmp(text_string(&from), text_string(&to)) != 0)
        d->each(d->ctx, key_word(key), text_string(&to));
    text_free(&from);
    text_free(&to);
}

static const struct scenario_fault *same_fault(const struct scenario *scenario,
                                               enum fault_kind kind)
{
    for (uint32_t i = 0; i < scenario->fault_count; i++)
        if (scenario->faults[i].kind == kind)
            return &scenario->faults[i];
    return NULL;
}

static void compare_fault(const struct differences *d, const struct scenario_fault *to)
{
    const struct scenario_fault *from = same_fault(d->from, to->kind);
    char key[SCENARIO_WORD_MAX];
    struct text before = {0}, after = {0};
    struct scenario_fault turned = *to;
    snprintf(key, sizeof key, "fault.%s", fault_word(to->kind));
    if (from)
        print_fault(from, &before);
    print_fault(to, &after);
    turned.off = !to->off;
    struct text other = {0};
    print_fault(&turned, &other);
    if (from && strcmp(text_string(&before), text_string(&other)) == 0)
        d->each(d->ctx, key, to->off ? "off" : "on");
    else if (strcmp(text_string(&before), text_string(&after)) != 0)
        d->each(d->ctx, key, text_string(&after));
    text_free(&before);
    text_free(&after);
    text_free(&other);
}

static void compare_options(const struct differences *d)
{
    char key[SCENARIO_WORD_MAX + 8];
    for (uint32_t i = 0; i < d->from->option_count; i++) {
        snprintf(key, sizeof key, "option.%s", d->from->options[i].key);
        if (!scenario_option(d->to, d->from->options[i].key, NULL))
            d->each(d->ctx, key, "");
    }
    for (uint32_t i = 0; i < d->to->option_count; i++) {
        const char *value = scenario_option(d->from, d->to->options[i].key, NULL);
        snprintf(key, sizeof key, "option.%s", d->to->options[i].key);
        if (!value || strcmp(value, d->to->options[i].value) != 0)
            d->each(d->ctx, key, d->to->options[i].value);
    }
}

void scenario_differences(const struct scenario *from, const struct scenario *to,
                          void (*each)(void *ctx, const char *key, const char *value), void *ctx)
{
    const struct differences d = {from, to, each, ctx};
    for (unsigned key = 0; key < key_count(); key++)
        compare_key(&d, key);
    for (uint32_t i = 0; i < to->fault_count; i++)
        compare_fault(&d, &to->faults[i]);
    compare_options(&d);
}
