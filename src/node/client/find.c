/* SPDX-License-Identifier: MIT
 *
 * find.c: a question to the cell's nodes, a few at a time, until one answers; and where the volume
 * is, by such questions.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/assert.h"
#include "node/client/client_private.h"

#define WAVE         4u /* nodes asked at once */
#define WAVE_NS      UINT64_C(300000000)
#define MS           UINT64_C(1000000)
#define FOLLOW_NS    (UINT64_C(60000) * MS)
#define LOST_NS      (UINT64_C(5000) * MS) /* between two questions while nobody answers */
#define FOLLOW_MS    5000u
#define TROUBLES_MAX 3u

/* --- one question --- */

static void finish(struct mounting *mounting, const json_t *answer)
{
    struct question question = mounting->question;
    mounting->question = (struct question){0};
    question.done(mounting, answer);
    free(question.text);
    json_decref(question.refusal);
}

static void ask_wave(struct mounting *mounting, uint64_t now)
{
    struct question *question = &mounting->question;
    struct message call = {.kind = MESSAGE_CALL,
                           .serial = question->serial,
                           .text = {(const uint8_t *)question->text, strlen(question->text)}};
    for (uint32_t i = 0; i < WAVE && question->asked < mounting->file->node_count; i++) {
        uint32_t at = (question->first + question->asked++) % mounting->file->node_count;
        enum err err = wire_send(mounting->net, mounting->file->nodes[at].number, &call, NULL, 0,
                                 &mounting->arena);
        question->refused += err != OK;
        arena_reset(&mounting->arena);
    }
    question->wave_ns = now + WAVE_NS;
}

void find_ask(struct mounting *mounting, json_t *request, uint32_t within_ms,
              void (*done)(struct mounting *mounting, const json_t *answer))
{
    struct question *question = &mounting->question;
    uint64_t now = mounting->env->ops->mono_ns(mounting->env);
    INVARIANT(!question->text && request);
    question->text = json_dumps(request, JSON_COMPACT);
    INVARIANT(question->text != NULL);
    question->serial = mounting->env->ops->random(mounting->env);
    question->deadline_ns = now + within_ms * MS;
    question->first = (uint32_t)(question->serial % mounting->file->node_count);
    question->done = done;
    json_decref(request);
    ask_wave(mounting, now);
}

void find_answered(struct mounting *mounting, const struct message *message)
{
    struct question *question = &mounting->question;
    if (!question->text || message->serial != question->serial)
        return;
    json_t *answer = json_loadb((const char *)message->text.data, message->text.len, 0, NULL);
    const char *code = json_string_value(json_object_get(answer, "code"));
    bool final = code && (strcmp(code, "NO_VOLUME") == 0 || strcmp(code, "PERM") == 0);
    if (json_is_true(json_object_get(answer, "ok")) || final) {
        finish(mounting, answer);
    } else {
        json_decref(question->refusal);
        question->refusal = json_incref(answer);
        question->refused++;
    }
    json_decref(answer);
}

/* All that were asked cannot be reached, or cannot answer. */
static bool hopeless(const struct mounting *mounting)
{
    const struct question *question = &mounting->question;
    uint32_t unreached = 0;
    for (uint32_t i = 0; i < question->asked; i++) {
        uint32_t at = (question->first + i) % mounting->file->node_count;
        unreached +=
            transport_trouble(mounting->transport, mounting->file->nodes[at].number)[0] != 0;
    }
    return question->asked == mounting->file->node_count &&
           question->refused + unreached >= question->asked;
}

void find_tick(struct mounting *mounting, uint64_t now)
{
    struct question *question = &mounting->question;
    if (!question->text)
        return;
    if (now >= question->deadline_ns || hopeless(mounting))
        finish(mounting, question->refusal);
    else if (now >= question->wave_ns && question->asked < mounting->file->node_count)
        ask_wave(mounting, now);
}

void find_stop(struct mounting *mounting)
{
    free(mounting->question.text);
    json_decref(mounting->question.refusal);
    mounting->question = (struct question){0};
}

/* The sentence about one node without its full stop; they are put together. */
static int print_trouble(const struct mounting *mounting, uint32_t i, char *buf, size_t size)
{
    const struct cell_place *place = &mounting->file->nodes[i];
    const char *trouble = transport_trouble(mounting->transport, place->number);
    int length = (int)strlen(trouble);
    if (length > 0 && trouble[length - 1] == '.')
        length--;
    if (length == 0)
        return snprintf(buf, size, "%s%.100s does not answer", i ? "; " : "", place->address);
    return snprintf(buf, size, "%s%.*s", i ? "; " : "", length < 120 ? length : 120, trouble);
}

void find_explain(struct mounting *mounting)
{
    char *text = mounting->error.text;
    size_t size = sizeof mounting->error.text;
    uint32_t count = mounting->file->node_count;
    size_t used = (size_t)snprintf(text, size,
                                   "no node of the cell '%s' is in reach: ", mounting->file->name);
    for (uint32_t i = 0; i < count && i < TROUBLES_MAX && used < size; i++)
        used += (size_t)print_trouble(mounting, i, text + used, size - used);
    if (used < size)
        snprintf(text + used, size - used, "%s.", count > TROUBLES_MAX ? "; nor the others" : "");
}

/* --- where the volume is --- */

static bool take_contract(struct mounting *mounting, const json_t *answer)
{
    const char *text = json_string_value(json_object_get(answer, "contract"));
    struct contract_fault fault;
    struct contract contract;
    if (!text || contract_parse((struct bytes){(const uint8_t *)text, strlen(text)}, &contract,
                                &fault) != OK)
        return false;
    mounting->contract = contract;
    return true;
}

/* Nodes that are not named any more are forgotten. */
static void take_places(struct mounting *mounting, const json_t *answer)
{
    struct cell_file *fresh = calloc(1, sizeof *fresh);
    INVARIANT(fresh != NULL);
    *fresh = *mounting->file;
    fresh->node_count = 0;
    if (!cell_nodes_read(json_object_get(answer, "nodes"), fresh) || fresh->node_count == 0) {
        free(fresh);
        return;
    }
    for (uint32_t i = 0; i < mounting->file->node_count; i++)
        if (!cell_file_node(fresh, mounting->file->nodes[i].number))
            transport_place(mounting->transport, mounting->file->nodes[i].number, NULL);
    for (uint32_t i = 0; i < fresh->node_count; i++)
        transport_place(mounting->transport, fresh->nodes[i].number, fresh->nodes[i].address);
    /* A node looks after its own file; here nobody else does. */
    bool changed =
        fresh->node_count != mounting->file->node_count ||
        memcmp(fresh->nodes, mounting->file->nodes, sizeof *fresh->nodes * fresh->node_count) != 0;
    struct store_error error = {""};
    if (changed && fresh->node == 0 && cell_file_save(mounting->options->home, fresh, &error) != OK)
        journal("%s", error.text);
    free(mounting->file);
    mounting->file = fresh;
}

static void take_replicas(struct mounting *mounting, const json_t *answer)
{
    const json_t *replicas = json_object_get(answer, "replicas");
    mounting->replica_count = 0;
    for (size_t i = 0; i < json_array_size(replicas) && i < GROUP_MAX; i++) {
        json_int_t node = json_integer_value(json_array_get(replicas, i));
        if (node > 0 && node <= RECORD_NODE_LAST)
            mounting->replicas[mounting->replica_count++] = (uint32_t)node;
    }
}

bool find_take(struct mounting *mounting, const json_t *answer)
{
    uint8_t uuid[16];
    const char *text = json_string_value(json_object_get(answer, "uuid"));
    if (!text || !record_uuid(text, uuid) || !take_contract(mounting, answer))
        return false;
    memcpy(mounting->uuid, uuid, sizeof uuid);
    take_places(mounting, answer);
    take_replicas(mounting, answer);
    return mounting->replica_count > 0;
}

/* --- following it --- */

/* What is left where the least is left, of the replicas. */
static void took_nodes(struct mounting *mounting, const json_t *answer)
{
    const json_t *nodes = json_object_get(answer, "nodes"), *node;
    struct env_space space = {.total = UINT64_MAX, .available = UINT64_MAX};
    size_t i;
    json_array_foreach((json_t *)(uintptr_t)nodes, i, node)
    {
        json_int_t number = json_integer_value(json_object_get(node, "number"));
        uint64_t total = (uint64_t)json_integer_value(json_object_get(node, "disk_total"));
        uint64_t left = (uint64_t)json_integer_value(json_object_get(node, "disk_available"));
        for (uint32_t k = 0; k < mounting->replica_count; k++)
            if (mounting->replicas[k] == (uint32_t)number && total && left < space.available)
                space = (struct env_space){.total = total, .available = left};
    }
    if (space.total != UINT64_MAX)
        mounting->space = space;
}

static void found_again(struct mounting *mounting, const json_t *answer)
{
    uint8_t uuid[16];
    memcpy(uuid, mounting->uuid, sizeof uuid);
    if (!json_is_true(json_object_get(answer, "ok"))) {
        const char *error = json_string_value(json_object_get(answer, "error"));
        if (error && !mounting->vanished)
            journal("%s", error);
        mounting->vanished = error != NULL;
        return;
    }
    mounting->vanished = false;
    if (!find_take(mounting, answer) || memcmp(uuid, mounting->uuid, sizeof uuid) != 0) {
        memcpy(mounting->uuid, uuid, sizeof uuid);
        return;
    }
    remote_nodes(mounting->remote, mounting->replicas, mounting->replica_count);
    find_ask(mounting, json_pack("{s:s}", "request", "nodes"), FOLLOW_MS, took_nodes);
}

void find_follow(struct mounting *mounting, uint64_t now)
{
    struct remote_status status;
    char uuid[33];
    if (mounting->question.text || !mounting->ready)
        return;
    remote_status(mounting->remote, &status);
    uint64_t since = now - mounting->found_ns;
    bool silent = status.silent_ns > mounting->contract.failover_ns;
    if (mounting->found_ns && since < FOLLOW_NS && !(silent && since >= LOST_NS))
        return;
    mounting->found_ns = now;
    record_uuid_print(mounting->uuid, uuid);
    find_ask(mounting, json_pack("{s:s, s:s}", "request", "resolve", "volume", uuid), FOLLOW_MS,
             found_again);
}
