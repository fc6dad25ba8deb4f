/* SPDX-License-Identifier: MIT
 *
 * cell_client.c: which way a question takes.
 */
#include "cli/cell_client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/err.h"
#include "core/contract/nearest.h"
#include "io/tls/transport.h"

static json_t *refusal(const char *sentence)
{
    return json_pack("{s:b, s:s}", "ok", 0, "error", sentence);
}

/* --- the home --- */

static const char *home_word(const struct arguments *arguments, const char *word)
{
    return word ? word : option_value(arguments, "--home");
}

static struct cell_home *load(const char *word, bool silent)
{
    struct cell_home *home = calloc(1, sizeof *home);
    struct store_error error = {""};
    enum home_kind kind = HOME_MISSING;
    if (!home)
        return NULL;
    enum err err = resolve_home(word, home->path, &error);
    if (err == OK)
        err = home_inspect(home->path, &kind, &error);
    if (err == OK && kind == HOME_CELL)
        err = cell_file_load(home->path, &home->file, &error);
    if (err == OK && kind == HOME_CELL)
        return home;
    if (!silent && err == OK && kind == HOME_VOLUME)
        complain("the home %s is of one volume on this machine, not of a cell; name another with "
                 "--home, or make a cell with: pactfs init",
                 home->path);
    else if (!silent && err == OK)
        complain("there is no home of a cell at %s; name one with --home, make a cell with pactfs "
                 "init, or join one with pactfs join",
                 home->path);
    else if (!silent)
        complain("%s", error.text[0] ? error.text : err_text(err));
    free(home);
    return NULL;
}

struct cell_home *cell_home_find(const struct arguments *arguments, const char *word)
{
    return load(home_word(arguments, word), false);
}

struct cell_home *cell_home_look(const struct arguments *arguments)
{
    return load(home_word(arguments, NULL), true);
}

/* --- by the control socket --- */

static json_t *ask_here(struct client *client, json_t *request, const struct cell_work *work)
{
    json_t *answer = client_send(client, request) ? client_read(client, work->timeout_ms) : NULL;
    while (answer && !json_object_get(answer, "ok")) {
        if (work->line)
            work->line(work->ctx, answer);
        json_decref(answer);
        answer = client_read(client, work->timeout_ms);
    }
    return answer ? answer
                  : refusal("the node of this home did not answer in time, ended, or is not yours "
                            "to ask; its log is in the home.");
}

/* --- by TLS --- */

/* The certificate to show: of an administrator when there is one. */
static const char *certificate(const struct cell_home *home)
{
    char path[HOME_PATH_MAX + 32];
    snprintf(path, sizeof path, "%s/tls/admin.crt", home->path);
    if (access(path, R_OK) == 0)
        return "admin";
    snprintf(path, sizeof path, "%s/tls/client.crt", home->path);
    return access(path, R_OK) == 0 ? "client" : NULL;
}

static json_t *ask_far(const struct cell_home *home, json_t *request, int timeout_ms)
{
    const char *addresses[CELL_NODES_MAX + 1];
    char dir[HOME_PATH_MAX + 8], *answer = NULL;
    struct store_error error = {""};
    uint32_t count = 0;
    for (uint32_t i = 0; i < home->file.node_count; i++)
        if (home->file.nodes[i].number != home->file.node)
            addresses[count++] = home->file.nodes[i].address;
    addresses[count] = NULL;
    char *text = json_dumps(request, JSON_COMPACT);
    json_decref(request);
    snprintf(dir, sizeof dir, "%s/tls", home->path);
    struct transport_call call = {.dir = dir,
                                  .name = certificate(home),
                                  .addresses = addresses,
                                  .text = text,
                                  .timeout_ms = (uint32_t)timeout_ms};
    enum err err = text ? transport_call(&call, &answer, &error) : ERR_USAGE;
    free(text);
    json_t *json = err == OK ? json_loads(answer, 0, NULL) : NULL;
    free(answer);
    if (json)
        return json;
    if (err == OK)
        return refusal("a node gave an answer that is not understood.");
    return refusal(error.text[0] ? error.text : err_text(err));
}

static json_t *not_running(const struct cell_home *home)
{
    char sentence[HOME_PATH_MAX + 128];
    snprintf(sentence, sizeof sentence,
             "the node of this home is not running. Start it with: pactfs up '%s'", home->path);
    return refusal(sentence);
}

json_t *cell_ask_work(const struct cell_home *home, json_t *request, const struct cell_work *work)
{
    struct client client;
    if (!request)
        return refusal("the request is not valid UTF-8.");
    if (home->file.node && client_open(&client, home->path)) {
        json_t *answer = ask_here(&client, request, work);
        client_close(&client);
        return answer;
    }
    if ((home->file.node && home->file.node_count < 2) || !certificate(home)) {
        json_decref(request);
        return home->file.node ? not_running(home)
                               : refusal("this home has no certificate to ask the cell with; join "
                                         "the cell anew with: pactfs join");
    }
    return ask_far(home, request, work->timeout_ms);
}

json_t *cell_ask(const struct cell_home *home, json_t *request, int timeout_ms)
{
    struct cell_work work = {.timeout_ms = timeout_ms};
    return cell_ask_work(home, request, &work);
}

json_t *cell_request(const char *name, const char *key, const char *value)
{
    return key ? json_pack("{s:s, s:s}", "request", name, key, value)
               : json_pack("{s:s}", "request", name);
}

/* --- answers --- */

uint64_t answer_number(const json_t *object, const char *name)
{
    json_int_t number = json_integer_value(json_object_get(object, name));
    return number < 0 ? 0 : (uint64_t)number;
}

const char *answer_text(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text ? text : "";
}

uint32_t cell_node_number(const json_t *nodes, const char *word)
{
    const char *names[CELL_NODES_MAX + 1];
    size_t i, count = 0;
    json_t *node;
    char *end;
    unsigned long number = strtoul(word, &end, 10);
    json_array_foreach(json_object_get(nodes, "nodes"), i, node)
    {
        const char *name = answer_text(node, "name");
        if (strcmp(name, word) == 0 ||
            (*end == 0 && word[0] != '-' && answer_number(node, "number") == number))
            return (uint32_t)answer_number(node, "number");
        if (count < CELL_NODES_MAX)
            names[count++] = name;
    }
    names[count] = NULL;
    const char *near = nearest_word(word, names);
    if (near)
        complain("there is no node '%s' in the cell; did you mean '%s'?", word, near);
    else
        complain("there is no node '%s' in the cell; pactfs nodes lists them", word);
    return 0;
}

int print_answer(json_t *answer)
{
    if (answer_ok(answer)) {
        print_json(answer);
        return EXIT_DONE;
    }
    int code = complain_answer(answer);
    json_decref(answer);
    return code;
}
