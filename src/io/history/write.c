/* SPDX-License-Identifier: MIT
 *
 * write.c: a history as JSON lines.
 *
 * Law
 *   F1  Lines stand in the order of the ranks. An unknown outcome has no rank: its line stands
 *       directly before the process's next beginning, or last; its time is never before that of the
 *       line above.
 *   F2  What is written is read as the same history: the header says of a key what it is when no
 *       act does.
 *   F3  A write without a value did not take place, and is left out with its answer.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/assert.h"
#include "io/history/history_file.h"

struct writer {
    const struct history_file *file;
    const struct history *history;
    FILE *out;
    uint64_t time;   /* of the last line */
    uint32_t *last;  /* of each process: 1 + its transaction under way or unknown, 0: none */
    uint32_t *order; /* transactions by the rank of their end */
    uint32_t ended;  /* how many have one */
};

/* --- values --- */

/* The length of well-formed UTF-8 at `text`, roughly: what is not, is written as U+FFFD. */
static size_t sequence(const unsigned char *text)
{
    size_t len = *text < 0x80 ? 1 : *text < 0xc2 ? 0 : *text < 0xe0 ? 2 : *text < 0xf0 ? 3 : 4;
    if (*text > 0xf4)
        return 0;
    for (size_t i = 1; i < len; i++)
        if ((text[i] & 0xc0) != 0x80)
            return 0;
    bool overlong = (*text == 0xe0 && text[1] < 0xa0) || (*text == 0xf0 && text[1] < 0x90);
    bool beyond = (*text == 0xed && text[1] > 0x9f) || (*text == 0xf4 && text[1] > 0x8f);
    return overlong || beyond ? 0 : len;
}

static void put_string(FILE *out, const char *text)
{
    putc('"', out);
    for (const unsigned char *at = (const unsigned char *)text; *at;) {
        size_t len = sequence(at);
        if (*at == '"' || *at == '\\')
            fprintf(out, "\\%c", *at);
        else if (*at < 0x20 || *at == 0x7f)
            fprintf(out, "\\u%04x", *at);
        else if (len == 0)
            fputs("\\ufffd", out);
        else
            fwrite(at, 1, len, out);
        at += len ? len : 1;
    }
    putc('"', out);
}

static bool is_number(const char *text)
{
    const char *digit = text + (*text == '-');
    size_t len = strspn(digit, "0123456789");
    return len > 0 && len < 19 && digit[len] == 0 && (*digit != '0' || (len == 1 && *text != '-'));
}

static void put_value(struct writer *w, uint32_t value)
{
    const char *text = history_text(w->history, value);
    if (value == VALUE_NONE)
        fputs("null", w->out);
    else if (is_number(text))
        fputs(text, w->out);
    else
        put_string(w->out, text);
}

static void put_key(struct writer *w, uint32_t key)
{
    const struct history_key *k = &w->history->keys[key];
    if (k->volume != w->history->volume) {
        putc('[', w->out);
        put_value(w, k->volume);
        putc(',', w->out);
    }
    put_value(w, k->name);
    if (k->volume != w->history->volume)
        putc(']', w->out);
}

/* --- lines --- */

static void put_time(struct writer *w, uint64_t time)
{
    if (time > w->time)
        w->time = time;
    fprintf(w->out, "{\"time\":%" PRIu64, w->time);
}

/* How many arguments an act is written with; the last ones may be null. */
static unsigned arg_count(enum act_code code)
{
    switch (code) {
    case ACT_READ:
    case ACT_SYNC:
        return 0;
    case ACT_WRITE:
    case ACT_APPEND:
    case ACT_ADD:
    case ACT_INCREMENT:
    case ACT_LIST:
    case ACT_GET:
    case ACT_LINKS:
        return 1;
    case ACT_CAS:
    case ACT_UNLINK:
    case ACT_RMDIR:
    case ACT_LOOKUP:
    case ACT_PUT:
        return 2;
    case ACT_MKDIR:
    case ACT_CREATE:
    case ACT_LINK:
        return 3;
    case ACT_RENAME:
        return 5;
    case ACT_CODE_COUNT:
        break;
    }
    INVARIANT(false);
    return 0;
}

/* F3: a transfer that ended before it had planned what to write. */
static bool left_out(const struct history_act *act)
{
    return act->code == ACT_WRITE && act->args[0] == VALUE_NONE;
}

static void put_begin(struct writer *w, const struct history_txn *txn)
{
    put_time(w, txn->began_ns);
    fprintf(w->out, ",\"process\":%u,\"event\":\"begin\",\"acts\":[", txn->process);
    const char *between = "";
    for (uint32_t i = 0; i < txn->count; i++) {
        const struct history_act *act = history_act(w->history, txn, i);
        if (left_out(act))
            continue;
        fprintf(w->out, "%s[\"%s\"", between, act_word(act->code));
        between = ",";
        if (act->code != ACT_SYNC) {
            putc(',', w->out);
            put_key(w, act->key);
        }
        for (unsigned a = 0; a < arg_count(act->code); a++) {
            putc(',', w->out);
            put_value(w, act->args[a]);
        }
        putc(']', w->out);
    }
    fputs("]}\n", w->out);
}

static void put_answer(struct writer *w, const struct history_act *act)
{
    enum history_model model = act->code == ACT_SYNC ? 0 : w->history->keys[act->key].model;
    if (act->fault) {
        fprintf(w->out, "{\"fault\":\"%s\"}", err_name(act->fault));
    } else if (act->code == ACT_LIST ||
               (act->code == ACT_READ && (model == MODEL_LIST || model == MODEL_SET))) {
        putc('[', w->out);
        for (uint32_t i = 0; i < act->count; i++) {
            if (i)
                putc(',', w->out);
            put_value(w, w->history->pool[act->list + i]);
        }
        putc(']', w->out);
    } else if (act->code == ACT_READ || act->code == ACT_LOOKUP || act->code == ACT_GET ||
               act->code == ACT_LINKS) {
        put_value(w, act->value);
    } else {
        fputs("null", w->out);
    }
}

static void put_end(struct writer *w, const struct history_txn *txn)
{
    static const char *const words[] = {"unknown", "done", "failed"};
    put_time(w, txn->ended_ns);
    fprintf(w->out, ",\"process\":%u,\"event\":\"%s\"", txn->process, words[txn->outcome]);
    if (txn->outcome == OUTCOME_DONE) {
        const char *between = "";
        fputs(",\"answers\":[", w->out);
        for (uint32_t i = 0; i < txn->count; i++) {
            const struct history_act *act = history_act(w->history, txn, i);
            if (left_out(act))
                continue;
            fputs(between, w->out);
            between = ",";
            put_answer(w, act);
        }
        putc(']', w->out);
        if (txn->durable)
            fputs(",\"durable\":true", w->out);
    }
    fputs("}\n", w->out);
}

static void put_event(struct writer *w, const struct history_event *event)
{
    static const char *const words[] = {"", "note", "crash", "healed", "converged"};
    put_time(w, event->at_ns);
    fprintf(w->out, ",\"event\":\"%s\"", words[event->kind]);
    if (*history_text(w->history, event->text)) {
        fputs(",\"text\":", w->out);
        put_string(w->out, history_text(w->history, event->text));
    }
    fputs("}\n", w->out);
}

/* --- the header --- */

static void put_models_of(struct writer *w, const bool *told, uint32_t volume)
{
    const struct history *h = w->history;
    bool first = true;
    putc('{', w->out);
    for (uint32_t key = 0; key < h->key_count; key++) {
        if (told[key] || h->keys[key].volume != volume)
            continue;
        if (!first)
            putc(',', w->out);
        first = false;
        put_string(w->out, history_text(h, h->keys[key].name));
        fprintf(w->out, ":\"%s\"", model_word(h->keys[key].model));
    }
    /* Behind the default volume's keys, each other volume once, at its first key. */
    for (uint32_t key = 0; volume == h->volume && key < h->key_count; key++) {
        uint32_t other = h->keys[key].volume, before = 0;
        while (before < key && (told[before] || h->keys[before].volume != other))
            before++;
        if (told[key] || other == volume || before < key)
            continue;
        if (!first)
            putc(',', w->out);
        first = false;
        put_string(w->out, history_text(h, other));
        putc(':', w->out);
        put_models_of(w, told, other);
    }
    putc('}', w->out);
}

/* Of the keys that are only read: what they are. */
static void put_models(struct writer *w)
{
    const struct history *h = w->history;
    bool *told = malloc((h->key_count + 1) * sizeof *told); /* by an act, or of no interest */
    uint32_t left = 0;
    INVARIANT(told != NULL);
    memset(told, true, h->key_count);
    for (uint32_t i = 0; i < h->act_count; i++)
        if (h->acts[i].code == ACT_READ)
            told[h->acts[i].key] = false;
    for (uint32_t i = 0; i < h->act_count; i++)
        if (h->acts[i].code != ACT_READ && h->acts[i].code != ACT_SYNC)
            told[h->acts[i].key] = true;
    for (uint32_t key = 0; key < h->key_count; key++)
        left += !told[key];
    if (left) {
        fputs(",\"models\":", w->out);
        put_models_of(w, told, h->volume);
    }
    free(told);
}

static void put_promises(struct writer *w)
{
    const char *between = "";
    fputs(",\"promises\":[", w->out);
    for (unsigned p = 0; p < PROMISE_COUNT; p++) {
        if (!w->file->promised[p])
            continue;
        fprintf(w->out, "%s\"%s\"", between, promise_word(p));
        between = ",";
    }
    putc(']', w->out);
}

static void put_header(struct writer *w)
{
    const struct history_file *file = w->file;
    fprintf(w->out, "{\"pactfs-history\":%d", HISTORY_VERSION);
    if (w->history->volume != VALUE_NONE) {
        fputs(",\"volume\":", w->out);
        put_value(w, w->history->volume);
    }
    if (file->contract) {
        fputs(",\"contract\":", w->out);
        put_string(w->out, file->contract);
    }
    if (file->made_by) {
        fputs(",\"made-by\":", w->out);
        put_string(w->out, file->made_by);
    }
    if (file->promises)
        put_promises(w);
    put_models(w);
    fputs(",\"ends\":true}\n", w->out);
}

/* --- the order --- */

/* Sorts the ended transactions by the rank of their end: ranks are all below next_rank. */
static void sort_ends(struct writer *w)
{
    const struct history *h = w->history;
    uint32_t *at = calloc(h->next_rank + 1, sizeof *at);
    w->order = malloc((h->txn_count + 1) * sizeof *w->order);
    INVARIANT(at != NULL && w->order != NULL);
    for (uint32_t i = 0; i < h->txn_count; i++)
        if (h->txns[i].ended != RANK_NEVER)
            at[h->txns[i].ended] = i + 1;
    for (uint64_t rank = 0; rank < h->next_rank; rank++)
        if (at[rank])
            w->order[w->ended++] = at[rank] - 1;
    free(at);
}

static void put_unknown(struct writer *w, uint32_t process)
{
    if (w->last[process])
        put_end(w, &w->history->txns[w->last[process] - 1]);
    w->last[process] = 0;
}

static void put_lines(struct writer *w)
{
    const struct history *h = w->history;
    uint32_t txn = 0, end = 0, event = 0;
    while (txn < h->txn_count || end < w->ended || event < h->event_count) {
        uint64_t began = txn < h->txn_count ? h->txns[txn].began : RANK_NEVER;
        uint64_t ended = end < w->ended ? h->txns[w->order[end]].ended : RANK_NEVER;
        uint64_t at = event < h->event_count ? h->events[event].rank : RANK_NEVER;
        if (began < ended && began < at) {
            put_unknown(w, h->txns[txn].process);
            put_begin(w, &h->txns[txn]);
            w->last[h->txns[txn].process] = txn + 1;
            txn++;
        } else if (ended < at) {
            put_end(w, &h->txns[w->order[end]]);
            w->last[h->txns[w->order[end]].process] = 0;
            end++;
        } else {
            put_event(w, &h->events[event++]);
        }
    }
    /* Those that were given up; those that have no end at all have no line. */
    for (uint32_t process = 0; process < h->processes; process++)
        if (w->last[process] && h->txns[w->last[process] - 1].ended_ns)
            put_unknown(w, process);
}

enum err history_file_write(const struct history_file *file, FILE *out)
{
    struct writer w = {.file = file, .history = file->history, .out = out};
    w.last = calloc(file->history->processes + 1, sizeof *w.last);
    INVARIANT(w.last != NULL);
    put_header(&w);
    sort_ends(&w);
    put_lines(&w);
    fputs("{\"event\":\"end\"}\n", out);
    free(w.last);
    free(w.order);
    return fflush(out) == 0 && !ferror(out) ? OK : ERR_IO;
}
