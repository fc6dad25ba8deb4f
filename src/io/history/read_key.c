/* SPDX-License-Identifier: MIT
 *
 * read_key.c: what a key is, as far as the lines so far tell.
 *
 * Law
 *   K1  A key's model in the history agrees with every act and every answer so far.
 *   K2  It changes only from a guess: list to set, register to counter.
 */
#include <stdlib.h>
#include <string.h>

#include "core/base/assert.h"
#include "io/history/reader.h"

static bool model_of_word(struct bytes word, enum history_model *model)
{
    for (unsigned i = MODEL_REGISTER; i <= MODEL_TREE; i++) {
        const char *name = model_word((enum history_model)i);
        if (strlen(name) == word.len && memcmp(name, word.data, word.len) == 0) {
            *model = (enum history_model)i;
            return true;
        }
    }
    return false;
}

static const char *model_acts(enum history_model model)
{
    switch (model) {
    case MODEL_REGISTER:
        return "write and cas";
    case MODEL_LIST:
        return "append";
    case MODEL_SET:
        return "add";
    case MODEL_COUNTER:
        return "increment";
    case MODEL_TREE:
        return "acts of files";
    }
    return "?";
}

static bool is_array(enum history_model model)
{
    return model == MODEL_LIST || model == MODEL_SET;
}

/* --- declared in the header --- */

static int compare_declared(const void *a, const void *b)
{
    const struct declared *x = a, *y = b;
    if (x->volume != y->volume)
        return x->volume < y->volume ? -1 : 1;
    return x->name < y->name ? -1 : x->name > y->name;
}

static void declare(struct reader *reader, uint32_t volume, uint32_t name, enum history_model model)
{
    if (reader->declared_count == reader->declared_room) {
        reader->declared_room = reader->declared_room ? reader->declared_room * 2 : 64;
        reader->declared =
            realloc(reader->declared, reader->declared_room * sizeof *reader->declared);
        INVARIANT(reader->declared != NULL);
    }
    reader->declared[reader->declared_count++] =
        (struct declared){.volume = volume, .name = name, .model = (uint8_t)model};
}

/* The members of one object: names of keys with words of models, or of volumes with objects. */
static enum err models_of(struct reader *reader, uint32_t volume, bool inner)
{
    struct scan *scan = &reader->scan;
    struct bytes text;
    enum history_model model;
    bool first = true;
    if (!scan_open(scan, '{'))
        return reader_scan_fault(reader);
    while (scan_more(scan, '}', &first)) {
        if (!scan_name(scan, &text))
            return reader_scan_fault(reader);
        uint32_t name = history_value(reader->history, (const char *)text.data, text.len);
        if (!inner && scan_kind(scan) == SCAN_OBJECT) {
            enum err err = models_of(reader, name, true);
            if (err != OK)
                return err;
            continue;
        }
        scan_kind(scan); /* over the blanks */
        const uint8_t *at = scan->at;
        if (!scan_string(scan, &text))
            return reader_scan_fault(reader);
        if (!model_of_word(text, &model))
            return reader_fault(reader, at,
                                "no such model; there are register, list, set, counter and tree");
        declare(reader, volume, name, model);
    }
    return scan->problem ? reader_scan_fault(reader) : OK;
}

enum err reader_models(struct reader *reader)
{
    enum err err = models_of(reader, reader->history->volume, false);
    if (reader->declared_count)
        qsort(reader->declared, reader->declared_count, sizeof *reader->declared, compare_declared);
    return err;
}

static const struct declared *find_declared(const struct reader *reader, uint32_t volume,
                                            uint32_t name)
{
    struct declared wanted = {.volume = volume, .name = name};
    if (!reader->declared_count)
        return NULL;
    return bsearch(&wanted, reader->declared, reader->declared_count, sizeof wanted,
                   compare_declared);
}

/* --- met in the lines --- */

static void key_init(struct reader *reader, uint32_t key, bool known)
{
    struct history_key *made = &reader->history->keys[key];
    if (key >= reader->key_room) {
        reader->key_room = reader->key_room ? reader->key_room * 2 : 64;
        reader->keys = realloc(reader->keys, reader->key_room * sizeof *reader->keys);
        INVARIANT(reader->keys != NULL);
    }
    const struct declared *declared = find_declared(reader, made->volume, made->name);
    reader->keys[key] =
        (struct key_state){.certainty = known ? KEY_FIXED : KEY_OPEN, .line = reader->line};
    if (declared) {
        made->model = declared->model;
        reader->keys[key].certainty = KEY_FIXED;
        reader->keys[key].line = 1;
    }
}

/* An act says that the key is a `model`. */
static enum err key_must_be(struct reader *reader, uint32_t key, enum history_model model,
                            const uint8_t *at)
{
    struct key_state *state = &reader->keys[key];
    struct history_key *known = &reader->history->keys[key];
    bool same = known->model == model;
    bool family = model != MODEL_TREE && is_array(model) == is_array(known->model);
    bool open = state->certainty == KEY_OPEN && model != MODEL_TREE;
    if (!same && !open && !(state->certainty == KEY_GUESSED && family))
        return reader_fault(reader, at,
                            "%s is a %s since line %llu, and a %s does not take that; "
                            "it takes read, %s",
                            history_key_text(reader->history, key), model_word(known->model),
                            (unsigned long long)state->line, model_word(known->model),
                            model_acts(known->model));
    if (model == MODEL_COUNTER && state->not_number)
        return reader_fault(reader, at,
                            "%s was read before as what is no number, so it is no "
                            "counter",
                            history_key_text(reader->history, key));
    if (state->certainty != KEY_FIXED)
        state->line = reader->line;
    known->model = (uint8_t)model;
    state->certainty = KEY_FIXED;
    return OK;
}

enum err reader_key(struct reader *reader, uint32_t volume, enum history_model model, uint32_t *key)
{
    struct scan *scan = &reader->scan;
    bool pair = scan_kind(scan) == SCAN_ARRAY, first = true;
    const uint8_t *at = scan->at;
    uint32_t name;
    enum err err;
    if (pair) {
        if (!scan_open(scan, '[') || !scan_more(scan, ']', &first))
            return scan->problem ? reader_scan_fault(reader)
                                 : reader_fault(reader, at, "a key is \"key\" or [volume, key]");
        err = reader_value(reader, true, &volume);
        if (err != OK)
            return err;
        if (!scan_more(scan, ']', &first))
            return scan->problem ? reader_scan_fault(reader)
                                 : reader_fault(reader, at, "a key is \"key\" or [volume, key]");
    }
    err = reader_value(reader, false, &name);
    if (err != OK)
        return err;
    if (pair && scan_more(scan, ']', &first))
        return reader_fault(reader, at, "a key is \"key\" or [volume, key]");
    if (scan->problem)
        return reader_scan_fault(reader);
    uint32_t before = reader->history->key_count;
    /* CONFLICT: it is there with another model, and its number is given all the same. */
    (void)history_key(reader->history, volume, name, model ? model : MODEL_REGISTER, key);
    if (reader->history->key_count > before)
        key_init(reader, *key, model != 0);
    if (model)
        return key_must_be(reader, *key, model, at);
    if (reader->history->keys[*key].model == MODEL_TREE)
        return reader_fault(reader, at,
                            "%s is a tree of files, which is looked at by lookup, list, "
                            "get and links",
                            history_key_text(reader->history, *key));
    return OK;
}

enum err reader_key_answered(struct reader *reader, uint32_t key, bool array, const uint8_t *at)
{
    struct key_state *state = &reader->keys[key];
    struct history_key *known = &reader->history->keys[key];
    if (known->model == MODEL_TREE)
        return OK;
    if (state->certainty == KEY_OPEN) {
        known->model = array ? MODEL_LIST : MODEL_REGISTER;
        state->certainty = KEY_GUESSED;
        state->line = reader->line;
    }
    if (is_array(known->model) == array)
        return OK;
    return reader_fault(reader, at,
                        array ? "%s is a %s since line %llu: a read of it is answered "
                                "with one value, not with an array"
                              : "%s is a %s since line %llu: a read of it is answered "
                                "with an array, as in [1,2]",
                        history_key_text(reader->history, key), model_word(known->model),
                        (unsigned long long)state->line);
}

enum err reader_not_number(struct reader *reader, uint32_t key, const uint8_t *at)
{
    reader->keys[key].not_number = true;
    if (reader->history->keys[key].model != MODEL_COUNTER)
        return OK;
    return reader_fault(reader, at, "%s is a counter: a read of it is answered with a number",
                        history_key_text(reader->history, key));
}
