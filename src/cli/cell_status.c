/* SPDX-License-Identifier: MIT
 *
 * cell_status.c: status, explain and scrub of a cell.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/cell_status.h"
#include "cli/mounts.h"
#include "cli/volume.h"

/* --- status --- */

static void add_mount(void *ctx, const struct mount_entry *entry)
{
    json_array_append_new(ctx, json_pack("{s:s, s:s, s:I, s:b}", "volume", entry->volume, "dir",
                                         entry->dir, "pid", (json_int_t)entry->pid, "running",
                                         entry->runs));
}

static void print_mounts(const json_t *mounts)
{
    size_t i;
    json_t *one;
    json_array_foreach(mounts, i, one)
    {
        printf("mount     %s at %s%s\n", answer_text(one, "volume"), answer_text(one, "dir"),
               json_is_true(json_object_get(one, "running"))
                   ? ""
                   : ": its process has DIED; clear it away with pactfs umount DIR");
    }
}

static void print_registry(const json_t *registry)
{
    size_t i;
    json_t *member;
    printf("registry  %s", answer_text(registry, "kind"));
    json_array_foreach(json_object_get(registry, "members"), i, member)
    {
        printf("%s%lld", i ? ", " : " on nodes ", (long long)json_integer_value(member));
    }
    if (json_is_false(json_object_get(registry, "reachable")))
        printf("; OUT OF REACH: %s", answer_text(registry, "trouble"));
    putchar('\n');
}

static void print_refused(const json_t *refused)
{
    uint64_t certificate = answer_number(refused, "certificate");
    uint64_t message = answer_number(refused, "message"), rights = answer_number(refused, "rights");
    if (certificate + message + rights)
        printf("refused   %llu without an accepted certificate, %llu malformed, %llu beyond the "
               "sender's rights\n",
               (unsigned long long)certificate, (unsigned long long)message,
               (unsigned long long)rights);
}

static void print_status(const json_t *status)
{
    char memory[32], day[32] = "";
    const json_t *cell = json_object_get(status, "cell"), *node = json_object_get(status, "node");
    uint64_t up = answer_number(status, "up_seconds");
    time_t until = (time_t)answer_number(json_object_get(status, "certificate"), "not_after");
    struct tm utc;
    printf("cell      %s (%s)\n", answer_text(cell, "name"), answer_text(cell, "uuid"));
    printf("node      %llu '%s', listening on %s%s\n",
           (unsigned long long)answer_number(node, "number"), answer_text(node, "name"),
           answer_text(node, "address"),
           json_is_true(json_object_get(status, "isolated")) ? ", CUT OFF as was asked for" : "");
    printf("running   process %llu, for %llu h %llu min, %s resident\n",
           (unsigned long long)answer_number(status, "pid"), (unsigned long long)(up / 3600),
           (unsigned long long)(up % 3600 / 60),
           print_bytes(answer_number(status, "resident_bytes"), memory, sizeof memory));
    print_registry(json_object_get(status, "registry"));
    if (until && gmtime_r(&until, &utc) && strftime(day, sizeof day, "%Y-%m-%d", &utc))
        printf("identity  its certificate is good until %s; it renews itself before\n", day);
    print_refused(json_object_get(status, "refused"));
}

static int print_whole(const struct arguments *arguments, const struct cell_home *home,
                       json_t *answer, json_t *mounts)
{
    json_t *volumes = json_object_get(answer, "volumes");
    if (option_given(arguments, "--json")) {
        json_object_set(answer, "mounts", mounts);
        print_json(json_incref(answer));
        return EXIT_DONE;
    }
    print_status(answer);
    print_mounts(mounts);
    if (json_array_size(volumes)) {
        putchar('\n');
        volume_name_primaries(home, volumes);
        volume_print_list(volumes);
    }
    return EXIT_DONE;
}

static int at_rest(const struct arguments *arguments, const struct cell_home *home,
                   const json_t *answer, json_t *mounts)
{
    const char *why = answer_text(answer, "error");
    if (option_given(arguments, "--json")) {
        print_json(json_pack("{s:b, s:b, s:s, s:s, s:s, s:O}", "ok", 1, "running", 0, "home",
                             home->path, "cell", home->file.name, "error", why, "mounts", mounts));
        return EXIT_STOPPED;
    }
    printf("cell      %s\nhome      %s, of %s\n", home->file.name, home->path,
           home->file.node ? "a node" : "a machine without a node");
    print_mounts(mounts);
    complain("%s", why);
    return EXIT_STOPPED;
}

int cell_status(const struct arguments *arguments, const struct cell_home *home)
{
    struct client client;
    json_t *mounts = json_array(), *answer;
    mounts_each(home->path, add_mount, mounts);
    if (!home->file.node) {
        answer = cell_ask(home, cell_request("status", NULL, NULL), CELL_ASK_MS);
    } else if (client_open(&client, home->path)) {
        answer = client_ask(&client, "status", ANSWER_MS);
        client_close(&client);
    } else {
        answer = json_pack("{s:b, s:s+%}", "ok", 0, "error",
                           "the node of this home is not running. Start it with: pactfs up ",
                           home->path, strlen(home->path));
    }
    int code = answer_ok(answer) ? print_whole(arguments, home, answer, mounts)
                                 : at_rest(arguments, home, answer, mounts);
    json_decref(answer);
    json_decref(mounts);
    return code;
}

/* --- explain --- */

json_t *cell_explain(const struct cell_home *home, const char *name)
{
    json_t *answer = cell_ask(home, cell_request("volume-show", "volume", name), CELL_ASK_MS);
    if (!answer_ok(answer))
        return answer;
    bool deleted = answer_number(answer, "deleted") != 0;
    json_t *explained = volume_explained(answer);
    json_decref(answer);
    if (deleted) {
        json_decref(explained);
        return json_pack("{s:b, s:s}", "ok", 0, "error",
                         "the volume is deleted; pactfs volume restore brings it back.");
    }
    return explained ? explained
                     : json_pack("{s:b, s:s}", "ok", 0, "error",
                                 "the volume's contract was written by a newer version of PactFS; "
                                 "ask that to explain it.");
}

/* --- scrub --- */

struct scrub {
    bool json, bar, drawn;
    json_t *problems;
};

static void scrub_line(void *ctx, const json_t *line)
{
    struct scrub *scrub = ctx;
    char a[32], b[32];
    json_t *problem = json_object_get(line, "problem");
    const json_t *progress = json_object_get(line, "progress");
    if (problem)
        json_array_append(scrub->problems, problem);
    if (problem && !scrub->json)
        printf("%sdamaged: node %llu, %s at %llu: %s\n", scrub->drawn ? "\r\033[K" : "",
               (unsigned long long)answer_number(problem, "node"), answer_text(problem, "file"),
               (unsigned long long)answer_number(problem, "offset"), answer_text(problem, "what"));
    if (problem)
        scrub->drawn = false;
    if (progress && scrub->bar && answer_number(progress, "bytes_total")) {
        printf("\r%s of %s verified\033[K",
               print_bytes(answer_number(progress, "bytes_done"), a, sizeof a),
               print_bytes(answer_number(progress, "bytes_total"), b, sizeof b));
        fflush(stdout);
        scrub->drawn = true;
    }
}

static void print_repair(const json_t *row)
{
    uint64_t objects = answer_number(row, "objects"), mended = answer_number(row, "mended");
    uint64_t left = answer_number(row, "left");
    printf("node %llu: %llu damaged places, %llu damaged objects",
           (unsigned long long)answer_number(row, "node"),
           (unsigned long long)answer_number(row, "problems"), (unsigned long long)objects);
    if (mended)
        printf("; repaired %llu from node %llu", (unsigned long long)mended,
               (unsigned long long)answer_number(row, "from"));
    if (left)
        printf("; %llu could not be repaired", (unsigned long long)left);
    printf("\n");
}

static int print_scrub(const struct scrub *scrub, json_t *answer)
{
    char bytes[32];
    uint64_t problems = answer_number(answer, "problems");
    const json_t *repairs = json_object_get(answer, "repairs");
    if (scrub->drawn)
        fputs("\r\033[K", stdout);
    if (!answer_ok(answer))
        return complain_answer(answer);
    if (scrub->json) {
        json_object_set(answer, "damaged", scrub->problems);
        print_json(json_incref(answer));
    } else if (problems == 0) {
        printf("clean: %s in %llu records were verified, on all copies\n",
               print_bytes(answer_number(answer, "bytes"), bytes, sizeof bytes),
               (unsigned long long)answer_number(answer, "records"));
    } else {
        for (size_t i = 0; i < json_array_size(repairs); i++)
            print_repair(json_array_get(repairs, i));
    }
    return problems ? EXIT_DAMAGE : EXIT_DONE;
}

int cell_scrub(const struct arguments *arguments, const struct cell_home *home, const char *name)
{
    struct scrub scrub = {.json = option_given(arguments, "--json"),
                          .problems = json_array(),
                          .bar = !option_given(arguments, "--json") && on_terminal()};
    struct cell_work work = {.line = scrub_line, .ctx = &scrub, .timeout_ms = CELL_WORK_MS};
    json_t *answer = cell_ask_work(home, cell_request("scrub", "volume", name), &work);
    int code = print_scrub(&scrub, answer);
    json_decref(answer);
    json_decref(scrub.problems);
    return code;
}

/* --- which is meant --- */

struct cell_home *cell_meant(const struct arguments *arguments, bool *wrong)
{
    const char *word = arguments->words[0];
    bool named = option_given(arguments, "--home");
    *wrong = false;
    if (!named && word && (is_volume_home(word) || !record_name_sound(word)))
        return NULL;
    struct cell_home *home = named ? cell_home_find(arguments, NULL) : cell_home_look(arguments);
    *wrong = named && !home;
    if (home && !word) {
        complain("say which volume: pactfs %s NAME; pactfs volume list says which there are",
                 arguments->command);
        *wrong = true;
    }
    if (*wrong) {
        free(home);
        return NULL;
    }
    return home;
}
