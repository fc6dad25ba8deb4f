/* SPDX-License-Identifier: MIT
 *
 * volume_print.c: a volume of a cell, as its nodes describe it, for people.
 */
#include <stdio.h>
#include <string.h>

#include "cli/volume.h"
#include "core/contract/duration.h"
#include "core/group/view.h"
#include "node/client/client.h"

static bool yes(const json_t *object, const char *name)
{
    return json_is_true(json_object_get(object, name));
}

bool volume_contract(const json_t *volume, struct contract *out)
{
    const char *text = answer_text(volume, "contract");
    struct contract_fault fault;
    return text[0] &&
           contract_parse((struct bytes){(const uint8_t *)text, strlen(text)}, out, &fault) == OK;
}

static bool part_is(const json_t *replica, const char *part)
{
    return strcmp(answer_text(replica, "part"), part) == 0;
}

struct explain_state volume_state(const json_t *volume, struct explain_replica *replicas)
{
    struct explain_state state = {.running = true,
                                  .patience_ms = CLIENT_PATIENCE_S * UINT64_C(1000),
                                  .view = answer_number(json_object_get(volume, "view"), "number"),
                                  .serves = yes(volume, "serves"),
                                  .writes = yes(volume, "writes"),
                                  .registry = yes(volume, "registry"),
                                  .spares = (uint32_t)answer_number(volume, "spares"),
                                  .problems = answer_number(volume, "problems"),
                                  .live_bytes = answer_number(volume, "live_bytes"),
                                  .log_bytes = answer_number(volume, "log_bytes"),
                                  .replicas = replicas};
    size_t i;
    json_t *one;
    json_array_foreach(json_object_get(volume, "replicas"), i, one)
    {
        const json_t *repair = json_object_get(one, "repair");
        const json_t *left = json_object_get(repair, "left_ms");
        if (i == GROUP_MAX)
            break;
        replicas[state.replica_count++] = (struct explain_replica){
            .node = answer_text(one, "name"),
            .part = answer_text(one, "part"),
            .lag_bytes = answer_number(one, "lag_bytes"),
            .lag_ms = answer_number(one, "lag_ms"),
            .away_ms = answer_number(one, "away_ms"),
            .repair_left_ms = json_is_integer(left) && json_integer_value(left) >= 0
                                  ? (uint64_t)json_integer_value(left)
                                  : UINT64_MAX};
    }
    return state;
}

static uint32_t members(const json_t *volume)
{
    return (uint32_t)json_array_size(json_object_get(json_object_get(volume, "view"), "members"));
}

bool volume_whole(const json_t *volume)
{
    struct contract contract;
    return volume_contract(volume, &contract) && members(volume) >= contract.replicas &&
           yes(volume, "serves") && yes(volume, "writes");
}

const char *volume_health(const json_t *volume, char *buf, size_t size)
{
    struct contract c;
    uint32_t there = members(volume);
    if (!volume_contract(volume, &c))
        snprintf(buf, size, "its contract is not understood");
    else if (there == 0)
        snprintf(buf, size, "NO VIEW: nothing is answered yet");
    else if (json_object_get(volume, "serves") && !yes(volume, "serves"))
        snprintf(buf, size, "NO PRIMARY answers: calls wait");
    else if (there < c.least)
        snprintf(buf, size, "CHANGES WAIT: %u of %u copies, least = %u", there, c.replicas,
                 c.least);
    else if (there < c.replicas)
        snprintf(buf, size, "works with %u of %u copies", there, c.replicas);
    else
        snprintf(buf, size, "healthy");
    return buf;
}

/* "strong: 3 replicas, least 2, read primary, failover 2s, replace 10m" */
static void print_contract(const json_t *volume)
{
    struct contract c;
    char a[DURATION_TEXT_MAX], b[DURATION_TEXT_MAX];
    if (!volume_contract(volume, &c)) {
        printf("contract  of a newer version\n");
        return;
    }
    printf("contract  %s: %u replicas, least %u, read %s, failover %s, replace %s\n",
           contract_preset_name(c.preset), c.replicas, c.least,
           c.read == READ_ONE ? "one" : "primary", duration_print(c.failover_ns, a),
           c.replace_ns ? duration_print(c.replace_ns, b) : "never");
}

static void cell_lag(struct table *table, const json_t *replica)
{
    char bytes[32];
    uint64_t lag = answer_number(replica, "lag_bytes"), ms = answer_number(replica, "lag_ms");
    if (part_is(replica, "primary") || (lag == 0 && ms == 0))
        table_cell(table, "%s", "");
    else
        table_cell(table, "%s, %llu.%llu s", print_bytes(lag, bytes, sizeof bytes),
                   (unsigned long long)(ms / 1000), (unsigned long long)(ms % 1000 / 100));
}

static void cell_repair(struct table *table, const json_t *replica)
{
    char bytes[32], rate[32];
    const json_t *repair = json_object_get(replica, "repair");
    const json_t *left = json_object_get(repair, "left_ms");
    if (!repair || json_is_null(repair)) {
        table_cell(table, "%s", "");
        return;
    }
    print_bytes(answer_number(repair, "bytes"), bytes, sizeof bytes);
    print_bytes(answer_number(repair, "rate"), rate, sizeof rate);
    if (json_is_integer(left) && json_integer_value(left) >= 0)
        table_cell(table, "%llu objects, %s at %s/s, %llu s left",
                   (unsigned long long)answer_number(repair, "objects"), bytes, rate,
                   (unsigned long long)((answer_number(repair, "left_ms") + 999) / 1000));
    else
        table_cell(table, "%llu objects, %s at %s/s",
                   (unsigned long long)answer_number(repair, "objects"), bytes, rate);
}

static void print_replicas(const json_t *volume)
{
    static const char *const heads[] = {"COPY ON", "PART", "BEHIND", "REPAIRED"};
    struct table table = {.columns = 4, .indent = "  "};
    size_t i;
    json_t *one;
    json_array_foreach(json_object_get(volume, "replicas"), i, one)
    {
        const char *name = answer_text(one, "name");
        if (name[0])
            table_cell(&table, "%s", name);
        else
            table_cell(&table, "node %llu", (unsigned long long)answer_number(one, "node"));
        if (part_is(one, "away") && answer_number(one, "away_ms") >= 1000)
            table_cell(&table, "away for %llu s",
                       (unsigned long long)(answer_number(one, "away_ms") / 1000));
        else
            table_cell(&table, "%s", answer_text(one, "part"));
        cell_lag(&table, one);
        cell_repair(&table, one);
    }
    table_print(&table, heads);
}

void volume_print(const json_t *volume)
{
    char health[128], a[32], b[32];
    printf("volume    %s (%s)\n", answer_text(volume, "name"), answer_text(volume, "uuid"));
    if (answer_number(volume, "deleted"))
        printf("deleted   it can be had back with: pactfs volume restore %s\n",
               answer_text(volume, "name"));
    print_contract(volume);
    if (answer_text(volume, "trouble")[0])
        printf("trouble   %s\n", answer_text(volume, "trouble"));
    /* Only the primary says whether it serves. */
    printf("state     %s\n", json_object_get(volume, "serves")
                                 ? volume_health(volume, health, sizeof health)
                                 : "its primary does NOT answer: calls wait");
    printf("view      %llu\n",
           (unsigned long long)answer_number(json_object_get(volume, "view"), "number"));
    if (json_object_get(volume, "live_bytes"))
        printf("data      %s in a log of %s\n",
               print_bytes(answer_number(volume, "live_bytes"), a, sizeof a),
               print_bytes(answer_number(volume, "log_bytes"), b, sizeof b));
    if (json_is_false(json_object_get(volume, "registry")))
        printf("registry  OUT OF REACH: the view stands, but cannot change\n");
    if (answer_number(volume, "problems"))
        printf("damage    %llu places; pactfs scrub has them mended\n",
               (unsigned long long)answer_number(volume, "problems"));
    print_replicas(volume);
}

void volume_name_primaries(const struct cell_home *home, json_t *volumes)
{
    size_t i;
    json_t *volume;
    json_array_foreach(volumes, i, volume)
    {
        json_t *view = json_object_get(volume, "view");
        uint64_t number = answer_number(view, "primary");
        const struct cell_place *place =
            number ? cell_file_node(&home->file, (uint32_t)number) : NULL;
        if (place)
            json_object_set_new(view, "primary_name", json_string(place->name));
    }
}

void volume_print_list(const json_t *volumes)
{
    static const char *const heads[] = {"NAME", "COPIES", "PRIMARY", "CONTRACT", "STATE"};
    struct table table = {.columns = 5};
    char health[128];
    size_t i;
    json_t *one;
    json_array_foreach(volumes, i, one)
    {
        struct contract c = contract_default();
        const json_t *view = json_object_get(one, "view");
        const char *primary = answer_text(view, "primary_name");
        bool known = volume_contract(one, &c);
        table_cell(&table, "%s", answer_text(one, "name"));
        table_cell(&table, "%u of %u", members(one), c.replicas);
        if (primary[0])
            table_cell(&table, "%s", primary);
        else if (answer_number(view, "primary"))
            table_cell(&table, "node %llu", (unsigned long long)answer_number(view, "primary"));
        else
            table_cell(&table, "%s", "");
        table_cell(&table, "%s", known ? contract_preset_name(c.preset) : "newer");
        table_cell(&table, "%s",
                   answer_number(one, "deleted") ? "deleted; pactfs volume restore brings it back"
                                                 : volume_health(one, health, sizeof health));
    }
    table_print(&table, heads);
}

static void add_sentence(void *ctx, enum explain_topic topic, const char *sentence)
{
    json_t *topics = ctx;
    json_t *last = json_array_get(topics, json_array_size(topics) - 1);
    const char *name = explain_topic_name(topic);
    if (strcmp(answer_text(last, "topic"), name) != 0) {
        last = json_pack("{s:s, s:s, s:[]}", "topic", name, "heading", explain_topic_heading(topic),
                         "sentences");
        json_array_append_new(topics, last);
    }
    json_array_append_new(json_object_get(last, "sentences"), json_string(sentence));
}

json_t *volume_explained(const json_t *volume)
{
    struct contract contract;
    struct explain_replica replicas[GROUP_MAX];
    if (!volume_contract(volume, &contract))
        return NULL;
    struct explain_state state = volume_state(volume, replicas);
    json_t *topics = json_array();
    explain(&contract, &state, add_sentence, topics);
    return json_pack("{s:b, s:o}", "ok", 1, "topics", topics);
}
