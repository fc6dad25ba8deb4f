/* SPDX-License-Identifier: MIT
 *
 * command_status.c: status and explain, of a running volume and of one at rest.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cell_status.h"

static uint64_t number(const json_t *object, const char *name)
{
    return (uint64_t)json_integer_value(json_object_get(object, name));
}

static const char *bytes(const json_t *object, const char *name, char *buf)
{
    return print_bytes(number(object, name), buf, 32);
}

static void print_time(uint64_t s)
{
    if (s >= 86400)
        printf("%llu d %llu h", (unsigned long long)(s / 86400),
               (unsigned long long)(s % 86400 / 3600));
    else if (s >= 3600)
        printf("%llu h %llu min", (unsigned long long)(s / 3600),
               (unsigned long long)(s % 3600 / 60));
    else
        printf("%llu min %llu s", (unsigned long long)(s / 60), (unsigned long long)(s % 60));
}

static void print_status(const json_t *status)
{
    char a[32], b[32], c[32];
    const json_t *store = json_object_get(status, "store");
    const char *mount = json_string_value(json_object_get(status, "mount"));
    printf("volume    %s (preset %s)\n", json_string_value(json_object_get(status, "uuid")),
           json_string_value(json_object_get(status, "preset")));
    printf("home      %s\n", json_string_value(json_object_get(status, "home")));
    printf("mounted   %s\n", mount ? mount : "no; mount it with: pactfs mount DIR");
    printf("running   process %llu, for ", (unsigned long long)number(status, "pid"));
    print_time(number(status, "up_seconds"));
    printf(", %s resident (of the index at most %s)\n", bytes(status, "resident_bytes", a),
           bytes(status, "cache_bytes", b));
    printf("data      %s in a log of %s; index %s\n", bytes(store, "live_bytes", a),
           bytes(store, "log_bytes", b), bytes(store, "index_bytes", c));
    printf("disk      %s free of %s\n", bytes(store, "disk_available", a),
           bytes(store, "disk_total", b));
    if (json_is_true(json_object_get(store, "failed")))
        printf("state     STOPPED after a disk error: nothing more is written; see the log\n");
    else if (json_is_true(json_object_get(store, "full")))
        printf("state     FULL: only deleting is possible\n");
    else
        printf("state     healthy\n");
    if (number(store, "problems"))
        printf("damage    %llu places; pactfs scrub lists them\n",
               (unsigned long long)number(store, "problems"));
}

static int status_at_rest(const struct arguments *arguments, const char *home, enum home_kind kind)
{
    bool volume = kind == HOME_VOLUME;
    if (option_given(arguments, "--json"))
        print_json(json_pack("{s:b, s:b, s:s, s:b}", "ok", 1, "running", 0, "home", home, "volume",
                             volume));
    else if (volume)
        printf("the volume in %s is not running. Start it with: pactfs up '%s'\n", home, home);
    else
        printf("there is no volume in %s. Make and start one with: pactfs up '%s'\n", home, home);
    return EXIT_STOPPED;
}

static int status_of_cell(const struct arguments *arguments, const char *word)
{
    struct cell_home *home = cell_home_find(arguments, word);
    int code = home ? cell_status(arguments, home) : EXIT_FAILED;
    free(home);
    return code;
}

int command_status(const struct arguments *arguments)
{
    char home[HOME_PATH_MAX];
    const char *word =
        arguments->words[0] ? arguments->words[0] : option_value(arguments, "--home");
    struct store_error error = {""};
    struct client client;
    enum home_kind kind;
    if (resolve_home(word, home, &error) != OK || home_inspect(home, &kind, &error) != OK)
        return complain("%s", error.text);
    if (kind == HOME_CELL)
        return status_of_cell(arguments, word);
    if (!client_open(&client, home))
        return status_at_rest(arguments, home, kind);
    json_t *status = client_ask(&client, "status", ANSWER_MS);
    client_close(&client);
    int code = EXIT_DONE;
    if (!answer_ok(status))
        code = complain_answer(status);
    else if (option_given(arguments, "--json"))
        print_json(json_incref(status));
    else
        print_status(status);
    json_decref(status);
    return code;
}

/* --- explain --- */

static void add_sentence(void *ctx, enum explain_topic topic, const char *sentence)
{
    json_t *topics = ctx;
    json_t *last = json_array_get(topics, json_array_size(topics) - 1);
    const char *name = explain_topic_name(topic);
    const char *before = json_string_value(json_object_get(last, "topic"));
    if (!before || strcmp(before, name) != 0) {
        last = json_pack("{s:s, s:s, s:[]}", "topic", name, "heading", explain_topic_heading(topic),
                         "sentences");
        json_array_append_new(topics, last);
    }
    json_array_append_new(json_object_get(last, "sentences"), json_string(sentence));
}

static int explain_at_rest(const char *home, enum home_kind kind, json_t **out)
{
    struct contract contract;
    struct store_error error = {""};
    struct explain_state state = home_explain_state();
    if (kind == HOME_MISSING)
        return complain("there is no PactFS home at %s. Start one with: pactfs up '%s'", home,
                        home);
    if (home_contract(home, &contract, &error) != OK)
        return complain("%s", error.text);
    json_t *topics = json_array();
    explain(&contract, &state, add_sentence, topics);
    *out = json_pack("{s:b, s:o}", "ok", 1, "topics", topics);
    return EXIT_DONE;
}

static void print_topics(const json_t *answer)
{
    size_t i, j;
    json_t *topic, *sentence;
    json_array_foreach(json_object_get(answer, "topics"), i, topic)
    {
        if (i)
            putchar('\n');
        print_heading(json_string_value(json_object_get(topic, "heading")));
        json_array_foreach(json_object_get(topic, "sentences"), j, sentence)
        {
            print_wrapped("  ", json_string_value(sentence));
        }
    }
}

/* Of the one volume of a home. */
static int explain_home(const char *word, json_t **answer)
{
    char home[HOME_PATH_MAX];
    struct store_error error = {""};
    struct client client;
    enum home_kind kind;
    if (resolve_home(word, home, &error) != OK || home_inspect(home, &kind, &error) != OK)
        return complain("%s", error.text);
    if (!client_open(&client, home))
        return explain_at_rest(home, kind, answer);
    *answer = client_ask(&client, "explain", ANSWER_MS);
    client_close(&client);
    return EXIT_DONE;
}

int command_explain(const struct arguments *arguments)
{
    json_t *answer = NULL;
    int code = EXIT_DONE;
    bool wrong;
    struct cell_home *cell = cell_meant(arguments, &wrong);
    if (wrong)
        return EXIT_FAILED;
    if (cell)
        answer = cell_explain(cell, arguments->words[0]);
    else
        code = explain_home(arguments->words[0], &answer);
    free(cell);
    if (code == EXIT_DONE && !answer_ok(answer))
        code = complain_answer(answer);
    else if (code == EXIT_DONE && option_given(arguments, "--json"))
        print_json(json_incref(answer));
    else if (code == EXIT_DONE)
        print_topics(answer);
    json_decref(answer);
    return code;
}
