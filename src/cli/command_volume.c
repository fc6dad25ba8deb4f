/* SPDX-License-Identifier: MIT
 *
 * command_volume.c: pactfs volume create, list, show, set, delete, restore, move.
 */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/volume.h"
#include "core/contract/nearest.h"
#include "core/group/view.h"

#define CREATE_MS 60000
#define WATCH_MS  500

/* --- create --- */

/* A preset's name, or a file: its text. */
static int contract_text(const char *word, char text[CONTRACT_TEXT_MAX + 1])
{
    enum contract_preset preset;
    const char *presets[] = {"strong", "local", NULL};
    if (!word || contract_preset_find(word, &preset)) {
        snprintf(text, CONTRACT_TEXT_MAX, "preset = %s\n", word ? word : "strong");
        return EXIT_DONE;
    }
    int fd = open(word, O_RDONLY | O_CLOEXEC);
    const char *near = fd < 0 ? nearest_word(word, presets) : NULL;
    if (near)
        return complain("there is no preset '%s'; did you mean '%s'?", word, near);
    if (fd < 0)
        return complain("'%s' is neither a preset (strong) nor a file that can be read; a file "
                        "holds KEY = VALUE lines, see pactfs(5)",
                        word);
    size_t len = 0;
    ssize_t got = 0;
    while (len < CONTRACT_TEXT_MAX && (got = read(fd, text + len, CONTRACT_TEXT_MAX - len)) > 0)
        len += (size_t)got;
    close(fd);
    if (got < 0 || len == CONTRACT_TEXT_MAX)
        return complain("%s cannot be read, or is longer than a contract can be (%u bytes)", word,
                        CONTRACT_TEXT_MAX);
    text[len] = 0;
    return EXIT_DONE;
}

static int compose(const char *from, const char *text, const char *const *words,
                   struct contract *out)
{
    struct contract_fault fault = {.line = 0};
    enum err err =
        contract_compose((struct bytes){(const uint8_t *)text, strlen(text)}, words, out, &fault);
    if (err != OK && fault.line && from)
        return complain("%s, line %u: %s", from, fault.line, fault.text);
    if (err != OK)
        return complain("%s", fault.text);
    return EXIT_DONE;
}

static int wished_contract(const struct volume_wish *wish, char text[CONTRACT_PRINT_MAX])
{
    char given[CONTRACT_TEXT_MAX + 1];
    struct contract contract;
    int code = contract_text(wish->contract, given);
    if (code == EXIT_DONE)
        code = compose(wish->contract, given, wish->words, &contract);
    if (code != EXIT_DONE)
        return code;
    if (contract.preset == PRESET_LOCAL)
        return complain("preset = local keeps one copy on one machine and needs no cell: make such "
                        "a volume with pactfs up; a cell's volumes have preset = strong");
    contract_print(&contract, text, CONTRACT_PRINT_MAX);
    return EXIT_DONE;
}

/* The nodes that are to have the copies; NULL after saying what is wrong. */
static json_t *wished_nodes(const struct cell_home *home, const char *const *words)
{
    json_t *nodes = cell_ask(home, cell_request("nodes", NULL, NULL), CELL_ASK_MS);
    json_t *numbers = answer_ok(nodes) ? json_array() : NULL;
    if (!numbers)
        complain_answer(nodes);
    for (; numbers && *words; words++) {
        uint32_t number = cell_node_number(nodes, *words);
        if (number) {
            json_array_append_new(numbers, json_integer(number));
        } else {
            json_decref(numbers);
            numbers = NULL;
        }
    }
    json_decref(nodes);
    return numbers;
}

static void print_sentence(void *ctx, enum explain_topic topic, const char *sentence)
{
    (void)ctx;
    (void)topic;
    print_wrapped("  ", sentence);
}

static void print_created(const json_t *answer, const struct volume_wish *wish, const char *text)
{
    struct contract contract;
    struct contract_fault fault;
    struct explain_state state = {.running = false};
    size_t there = json_array_size(json_object_get(json_object_get(answer, "view"), "members"));
    if (contract_parse((struct bytes){(const uint8_t *)text, strlen(text)}, &contract, &fault) !=
        OK)
        return;
    printf("volume '%s' is made, with %zu of %u copies\n", wish->name, there, contract.replicas);
    explain_brief(&contract, &state, print_sentence, NULL);
    if (there < contract.replicas)
        printf("\n  the other copies follow: pactfs volume show %s --watch", wish->name);
    printf("\n  mount it:   pactfs mount %s DIR      # on any machine of the cell\n"
           "  in full:    pactfs explain %s\n",
           wish->name, wish->name);
}

int volume_create(const struct cell_home *home, const struct volume_wish *wish)
{
    char text[CONTRACT_PRINT_MAX];
    if (!record_name_sound(wish->name))
        return complain("'%s' cannot be the name of a volume: letters, digits, '-', '_' and '.', "
                        "at most %u, not beginning with '-' or '.'",
                        wish->name, RECORD_NAME_MAX - 1);
    int code = wished_contract(wish, text);
    if (code != EXIT_DONE)
        return code;
    json_t *request = json_pack("{s:s, s:s, s:s}", "request", "volume-create", "name", wish->name,
                                "contract", text);
    if (wish->nodes) {
        json_t *numbers = wished_nodes(home, wish->nodes);
        if (!numbers) {
            json_decref(request);
            return EXIT_FAILED;
        }
        json_object_set_new(request, "replicas", numbers);
    }
    struct cell_work work = {.line = wish->json ? NULL : print_progress, .timeout_ms = CREATE_MS};
    json_t *answer = cell_ask_work(home, request, &work);
    if (wish->json || !answer_ok(answer))
        return print_answer(answer);
    print_created(answer, wish, text);
    json_decref(answer);
    return EXIT_DONE;
}

static int do_create(const struct arguments *arguments, const struct cell_home *home)
{
    const char *nodes[GROUP_MAX + 1] = {NULL};
    char *list = NULL, *rest = NULL;
    unsigned count = 0;
    if (option_given(arguments, "--on")) {
        rest = list = strdup(option_value(arguments, "--on"));
        for (char *one; rest && (one = strsep(&rest, ",")) && count < GROUP_MAX;)
            if (*one)
                nodes[count++] = one;
    }
    struct volume_wish wish = {.name = arguments->words[1],
                               .contract = option_value(arguments, "--contract"),
                               .words = arguments->words + 2,
                               .nodes = count ? nodes : NULL,
                               .json = option_given(arguments, "--json")};
    int code = volume_create(home, &wish);
    free(list);
    return code;
}

/* --- list, show --- */

static int do_list(const struct arguments *arguments, const struct cell_home *home)
{
    json_t *answer = cell_ask(home, cell_request("volume-list", NULL, NULL), CELL_ASK_MS);
    if (option_given(arguments, "--json") || !answer_ok(answer))
        return print_answer(answer);
    json_t *volumes = json_object_get(answer, "volumes");
    volume_name_primaries(home, volumes);
    if (json_array_size(volumes))
        volume_print_list(volumes);
    else
        printf("the cell has no volume yet; make one with: pactfs volume create NAME\n");
    json_decref(answer);
    return EXIT_DONE;
}

/* Shows the volume again and again until it has all its copies. */
static int watch(const struct cell_home *home, const char *name)
{
    char last[128] = "", health[128];
    bool terminal = isatty(STDOUT_FILENO);
    for (;;) {
        json_t *answer = cell_ask(home, cell_request("volume-show", "volume", name), CELL_ASK_MS);
        if (!answer_ok(answer)) {
            int code = complain_answer(answer);
            json_decref(answer);
            return code;
        }
        bool whole = volume_whole(answer);
        volume_health(answer, health, sizeof health);
        if (terminal)
            fputs("\033[H\033[J", stdout);
        if (terminal)
            volume_print(answer);
        else if (strcmp(health, last) != 0)
            printf("%s\n", health);
        fflush(stdout);
        snprintf(last, sizeof last, "%s", health);
        json_decref(answer);
        if (whole)
            return EXIT_DONE;
        poll(NULL, 0, WATCH_MS);
    }
}

static int do_show(const struct arguments *arguments, const struct cell_home *home)
{
    const char *name = arguments->words[1];
    if (option_given(arguments, "--watch"))
        return watch(home, name);
    json_t *answer = cell_ask(home, cell_request("volume-show", "volume", name), CELL_ASK_MS);
    if (option_given(arguments, "--json") || !answer_ok(answer))
        return print_answer(answer);
    volume_print(answer);
    json_decref(answer);
    return EXIT_DONE;
}

/* --- set --- */

static int send_change(const struct arguments *arguments, const struct cell_home *home,
                       const char *was, const struct contract *after)
{
    char text[CONTRACT_PRINT_MAX];
    const char *name = arguments->words[1];
    contract_print(after, text, sizeof text);
    struct cell_work work = {.line = option_given(arguments, "--json") ? NULL : print_progress,
                             .timeout_ms = CREATE_MS};
    json_t *answer = cell_ask_work(home,
                                   json_pack("{s:s, s:s, s:s, s:s}", "request", "volume-set",
                                             "volume", name, "contract", text, "was", was),
                                   &work);
    if (option_given(arguments, "--json") || !answer_ok(answer))
        return print_answer(answer);
    json_decref(answer);
    printf("the contract of '%s' is changed; pactfs volume show %s says how far its copies are\n",
           name, name);
    return EXIT_DONE;
}

static int do_set(const struct arguments *arguments, const struct cell_home *home)
{
    struct contract before, after;
    struct contract_fault fault = {.line = 0};
    json_t *volume =
        cell_ask(home, cell_request("volume-show", "volume", arguments->words[1]), CELL_ASK_MS);
    int code = EXIT_DONE;
    if (!answer_ok(volume))
        code = complain_answer(volume);
    else if (!volume_contract(volume, &before))
        code = complain("the volume's contract was written by a newer version of PactFS; change "
                        "it with that");
    if (code == EXIT_DONE)
        code = compose(NULL, answer_text(volume, "contract"), arguments->words + 2, &after);
    if (code == EXIT_DONE && contract_change_legal(&before, &after, &fault) != OK)
        code = complain("%s", fault.text);
    if (code == EXIT_DONE)
        code = send_change(arguments, home, answer_text(volume, "contract"), &after);
    json_decref(volume);
    return code;
}

/* --- delete, restore, move --- */

/* True when the one who typed it means it. */
static bool confirmed(const struct arguments *arguments, const json_t *volume)
{
    char line[16] = "", bytes[32];
    const char *name = arguments->words[1];
    if (option_given(arguments, "--yes"))
        return true;
    if (!isatty(STDIN_FILENO)) {
        complain("deleting '%s' needs a yes: on a terminal, or --yes", name);
        return false;
    }
    printf(
        "Delete the volume '%s', with %s of data? Its mounts get errors from then on. Type yes: ",
        name, print_bytes(answer_number(volume, "live_bytes"), bytes, sizeof bytes));
    fflush(stdout);
    if (fgets(line, sizeof line, stdin) && strcmp(line, "yes\n") == 0)
        return true;
    complain("nothing is deleted");
    return false;
}

static int do_delete(const struct arguments *arguments, const struct cell_home *home)
{
    const char *name = arguments->words[1];
    char until[64] = "";
    json_t *volume = cell_ask(home, cell_request("volume-show", "volume", name), CELL_ASK_MS);
    int code = answer_ok(volume) ? EXIT_DONE : complain_answer(volume);
    if (code == EXIT_DONE && !confirmed(arguments, volume))
        code = EXIT_FAILED;
    json_decref(volume);
    if (code != EXIT_DONE)
        return code;
    json_t *answer = cell_ask(home, cell_request("volume-delete", "volume", name), CREATE_MS);
    if (option_given(arguments, "--json") || !answer_ok(answer))
        return print_answer(answer);
    time_t end = (time_t)answer_number(answer, "until");
    struct tm local;
    if (end && localtime_r(&end, &local))
        strftime(until, sizeof until, ", until %Y-%m-%d %H:%M", &local);
    printf("volume '%s' is deleted. It can be had back%s: pactfs volume restore %s\n", name, until,
           name);
    json_decref(answer);
    return EXIT_DONE;
}

static int do_restore(const struct arguments *arguments, const struct cell_home *home)
{
    const char *name = arguments->words[1];
    json_t *answer = cell_ask(home, cell_request("volume-restore", "volume", name), CREATE_MS);
    if (option_given(arguments, "--json") || !answer_ok(answer))
        return print_answer(answer);
    printf("volume '%s' is back\n", name);
    json_decref(answer);
    return EXIT_DONE;
}

static int do_move(const struct arguments *arguments, const struct cell_home *home)
{
    const char *name = arguments->words[1], *to = arguments->words[2];
    json_t *nodes = cell_ask(home, cell_request("nodes", NULL, NULL), CELL_ASK_MS);
    uint32_t number = 0;
    if (answer_ok(nodes))
        number = cell_node_number(nodes, to);
    else
        complain_answer(nodes);
    json_decref(nodes);
    if (!number)
        return EXIT_FAILED;
    json_t *answer = cell_ask(home,
                              json_pack("{s:s, s:s, s:I}", "request", "volume-move", "volume", name,
                                        "to", (json_int_t)number),
                              CREATE_MS);
    if (option_given(arguments, "--json") || !answer_ok(answer))
        return print_answer(answer);
    printf("the primary of '%s' is on %s now\n", name, to);
    json_decref(answer);
    return EXIT_DONE;
}

/* --- pactfs volume WORD --- */

static const struct verb {
    const char *name, *form;
    unsigned least, most;
    const char *options[4]; /* beside --home, --json and --help */
    int (*run)(const struct arguments *arguments, const struct cell_home *home);
} verbs[] = {
    {"create",
     "volume create NAME [--contract PRESET|FILE] [KEY=VALUE]...",
     2,
     2 + CONTRACT_WORDS_MAX,
     {"--contract", "--on"},
     do_create},
    {"list", "volume list", 1, 1, {NULL}, do_list},
    {"show", "volume show NAME [--watch]", 2, 2, {"--watch"}, do_show},
    {"set", "volume set NAME KEY=VALUE...", 3, 2 + CONTRACT_WORDS_MAX, {NULL}, do_set},
    {"delete", "volume delete NAME [--yes]", 2, 2, {"--yes"}, do_delete},
    {"restore", "volume restore NAME", 2, 2, {NULL}, do_restore},
    {"move", "volume move NAME NODE", 3, 3, {NULL}, do_move},
};
#define VERBS (sizeof verbs / sizeof *verbs)

static const struct verb *find_verb(const char *word)
{
    const char *names[VERBS + 1];
    for (size_t i = 0; i < VERBS; i++) {
        if (strcmp(verbs[i].name, word) == 0)
            return &verbs[i];
        names[i] = verbs[i].name;
    }
    names[VERBS] = NULL;
    const char *near = nearest_word(word, names);
    if (near)
        complain("there is no 'pactfs volume %s'; did you mean 'pactfs volume %s'?", word, near);
    else
        complain("there is no 'pactfs volume %s'; see: pactfs volume --help", word);
    return NULL;
}

static bool options_fit(const struct arguments *arguments, const struct verb *verb)
{
    for (unsigned i = 0; i < arguments->given_count; i++) {
        const char *name = arguments->given[i].option->name;
        bool fits = strcmp(name, "--home") == 0 || strcmp(name, "--json") == 0;
        for (unsigned j = 0; j < 4 && verb->options[j]; j++)
            fits = fits || strcmp(name, verb->options[j]) == 0;
        if (!fits) {
            complain("%s has no meaning for 'volume %s': pactfs %s", name, verb->name, verb->form);
            return false;
        }
    }
    return true;
}

int command_volume(const struct arguments *arguments)
{
    const struct verb *verb = find_verb(arguments->words[0]);
    if (!verb || !options_fit(arguments, verb))
        return EXIT_USAGE;
    if (arguments->word_count < verb->least) {
        complain("something is missing: pactfs %s", verb->form);
        return EXIT_USAGE;
    }
    if (arguments->word_count > verb->most) {
        complain("'%s' is one argument too many: pactfs %s", arguments->words[verb->most],
                 verb->form);
        return EXIT_USAGE;
    }
    struct cell_home *home = cell_home_find(arguments, NULL);
    int code = home ? verb->run(arguments, home) : EXIT_FAILED;
    free(home);
    return code;
}
