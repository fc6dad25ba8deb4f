/* SPDX-License-Identifier: MIT
 *
 * check_print.c: verdicts for people and for programs.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/check.h"
#include "core/base/assert.h"

static const char *const results[] = {"holds", "broken", "undecided", "not-applicable"};

/* --- for people --- */

void check_list(bool json)
{
    json_t *promises = json_array(), *anomalies = json_array();
    if (!json)
        print_heading("Promises");
    for (unsigned p = 0; p < PROMISE_COUNT; p++) {
        if (!json)
            printf("  %-20s %s\n", promise_word(p), promise_text(p));
        json_array_append_new(
            promises, json_pack("{s:s, s:s}", "word", promise_word(p), "text", promise_text(p)));
    }
    if (!json) {
        putchar('\n');
        print_heading("Anomalies");
    }
    for (unsigned a = 1; a < ANOMALY_COUNT; a++) {
        if (!json)
            printf("  %-26s %s (%s)\n", anomaly_name(a), anomaly_text(a), anomaly_source(a));
        json_array_append_new(anomalies,
                              json_pack("{s:s, s:s, s:s}", "name", anomaly_name(a), "text",
                                        anomaly_text(a), "source", anomaly_source(a)));
    }
    if (json)
        print_json(json_pack("{s:O, s:O}", "promises", promises, "anomalies", anomalies));
    json_decref(promises);
    json_decref(anomalies);
}

static const char *plural(uint64_t count)
{
    return count == 1 ? "" : "s";
}

static unsigned count_processes(const struct history *h)
{
    bool *seen = calloc(h->processes + 1, sizeof *seen);
    unsigned count = 0;
    INVARIANT(seen != NULL);
    for (uint32_t i = 0; i < h->txn_count; i++) {
        count += !seen[h->txns[i].process];
        seen[h->txns[i].process] = true;
    }
    free(seen);
    return count;
}

static void print_history(const struct check *check)
{
    const struct history *h = check->file.history;
    unsigned processes = count_processes(h);
    printf("%u transaction%s of %u process%s on %u object%s", h->txn_count, plural(h->txn_count),
           processes, processes == 1 ? "" : "es", h->key_count, plural(h->key_count));
    if (check->file.contract)
        printf(", contract: %s", check->file.contract);
    printf("\n");
    if (h->cut_off)
        printf(
            "The record is cut off behind line %llu. It is judged as far as it goes; what has no "
            "answer counts as unknown.\n",
            (unsigned long long)check->file.lines);
    putchar('\n');
}

static void print_line(const struct verdict *v)
{
    static const char *const words[] = {"holds", "BROKEN", "undecided", "not applicable"};
    bool colour = on_terminal();
    const char *on = !colour ? "" : v->result == CHECK_BROKEN ? "\033[1;31m" : "";
    const char *off = *on ? "\033[0m" : "";
    printf("%-20s %s%s%s", promise_word(v->promise), on, words[v->result], off);
    if (v->result == CHECK_BROKEN)
        printf(": %s", anomaly_name(v->anomaly));
    else if (v->result != CHECK_HOLDS && *v->text)
        printf(": %s", v->text);
    putchar('\n');
}

static void print_counts(const struct verdict *v)
{
    const char *between = "  Found: ";
    unsigned kinds = 0;
    for (unsigned a = 1; a < ANOMALY_COUNT; a++)
        kinds += v->anomalies[a] > 0;
    if (kinds < 2 && v->anomalies[v->anomaly] < 2)
        return;
    for (unsigned a = 1; a < ANOMALY_COUNT; a++) {
        if (!v->anomalies[a])
            continue;
        printf("%s%s (%u)", between, anomaly_name(a), v->anomalies[a]);
        between = ", ";
    }
    putchar('\n');
}

static void print_broken(const struct check *check, const struct finding *finding)
{
    const struct verdict *v = &finding->verdict;
    struct text text = {0};
    char line[512];
    putchar('\n');
    snprintf(line, sizeof line, "%s is broken: %s", promise_word(v->promise),
             anomaly_name(v->anomaly));
    print_heading(line);
    snprintf(line, sizeof line, "Promised: %s.", promise_text(v->promise));
    print_wrapped("  ", line);
    snprintf(line, sizeof line, "Found: %s (%s).", anomaly_text(v->anomaly),
             anomaly_source(v->anomaly));
    print_wrapped("  ", line);
    if (*v->text)
        print_wrapped("  ", v->text);
    verdict_tell(check->file.history, v, &text);
    if (text.len)
        printf("\n%s", text_string(&text));
    print_counts(v);
    if (finding->picture)
        printf("  The picture: %s\n", finding->picture);
    text_free(&text);
}

void check_print(const struct check *check)
{
    print_history(check);
    for (unsigned i = 0; i < check->count; i++)
        print_line(&check->findings[i].verdict);
    for (unsigned i = 0; i < check->count; i++)
        if (check->findings[i].verdict.result == CHECK_BROKEN)
            print_broken(check, &check->findings[i]);
}

/* --- for programs --- */

static const char *const kinds[] = {"", "ww", "wr", "rw", "process", "real-time", "cause"};

static json_t *json_steps(const struct check *check, const struct verdict *v)
{
    const struct history *h = check->file.history;
    json_t *steps = json_array();
    char text[4096];
    for (uint32_t i = 0; i < v->step_count; i++) {
        const struct history_txn *txn = &h->txns[v->steps[i].txn];
        txn_print(h, v->steps[i].txn, text, sizeof text);
        json_t *step =
            json_pack("{s:I, s:I, s:I}", "transaction", (json_int_t)v->steps[i].txn, "process",
                      (json_int_t)txn->process, "began", (json_int_t)txn->began_ns);
        json_object_set_new(step, "text", json_string_nocheck(text));
        if (v->steps[i].note)
            json_object_set_new(step, "note", json_string_nocheck(v->steps[i].note));
        json_array_append_new(steps, step);
    }
    return steps;
}

static json_t *json_edges(const struct check *check, const struct verdict *v)
{
    const struct history *h = check->file.history;
    json_t *edges = json_array();
    for (uint32_t i = 0; i < v->edge_count; i++) {
        const struct witness_edge *e = &v->edges[i];
        json_t *edge = json_pack("{s:I, s:I, s:s}", "from", (json_int_t)e->from, "to",
                                 (json_int_t)e->to, "kind", kinds[e->kind]);
        if (e->kind == EDGE_WW || e->kind == EDGE_WR || e->kind == EDGE_RW) {
            json_object_set_new(edge, "key", json_string_nocheck(history_key_text(h, e->key)));
            if (e->value != VALUE_NONE)
                json_object_set_new(edge, "value", json_string_nocheck(history_text(h, e->value)));
        }
        json_array_append_new(edges, edge);
    }
    return edges;
}

static json_t *json_finding(const struct check *check, const struct finding *finding)
{
    const struct verdict *v = &finding->verdict;
    json_t *json =
        json_pack("{s:s, s:s}", "promise", promise_word(v->promise), "result", results[v->result]);
    if (*v->text)
        json_object_set_new(json, "text", json_string_nocheck(v->text));
    if (v->result != CHECK_BROKEN)
        return json;
    json_object_set_new(json, "anomaly", json_string(anomaly_name(v->anomaly)));
    json_object_set_new(json, "meaning", json_string(anomaly_text(v->anomaly)));
    json_object_set_new(json, "source", json_string(anomaly_source(v->anomaly)));
    json_t *counts = json_object();
    for (unsigned a = 1; a < ANOMALY_COUNT; a++)
        if (v->anomalies[a])
            json_object_set_new(counts, anomaly_name(a), json_integer(v->anomalies[a]));
    json_object_set_new(json, "anomalies", counts);
    json_object_set_new(json, "steps", json_steps(check, v));
    json_object_set_new(json, "edges", json_edges(check, v));
    if (finding->picture)
        json_object_set_new(json, "picture", json_string_nocheck(finding->picture));
    return json;
}

void check_print_json(const struct check *check)
{
    const struct history *h = check->file.history;
    json_t *verdicts = json_array();
    for (unsigned i = 0; i < check->count; i++)
        json_array_append_new(verdicts, json_finding(check, &check->findings[i]));
    json_t *json =
        json_pack("{s:I, s:I, s:I, s:I, s:b, s:o}", "transactions", (json_int_t)h->txn_count,
                  "acts", (json_int_t)h->act_count, "processes", (json_int_t)count_processes(h),
                  "objects", (json_int_t)h->key_count, "cut-off", h->cut_off, "verdicts", verdicts);
    if (check->file.contract)
        json_object_set_new(json, "contract", json_string_nocheck(check->file.contract));
    print_json(json);
}
