/* SPDX-License-Identifier: MIT
 *
 * command_cell.c: making a cell and letting machines in: init, invite, join, nodes, leave,
 * certificates.
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/cell_client.h"
#include "core/base/assert.h"
#include "core/registry/invitation.h"
#include "node/cell/setup.h"

#define START_MS      60000
#define KNOWN_MS      20000
#define KNOWN_STEP_MS 50
#define JOIN_MS       10000u
#define MINUTES       30u    /* that an invitation is good for */
#define MINUTES_MOST  10080u /* a week */
#define UID_MOST      4294967294u

/* --- starting a node --- */

int cell_start(const char *home, bool quiet)
{
    const char *const words[] = {"serve", "--", home, NULL};
    json_t *answer = start_background(words, START_MS, NULL);
    int code = EXIT_DONE;
    if (!answer)
        code = complain("the node ended before it was usable; look at %s/log", home);
    else if (!answer_ok(answer))
        code = complain_answer(answer);
    if (code != EXIT_DONE && !quiet)
        printf("The home is whole. Start its node, when that is mended, with: pactfs up '%s'\n",
               home);
    else if (!quiet)
        printf("The node runs: process %llu, listening on %s.\n",
               (unsigned long long)answer_number(answer, "pid"), answer_text(answer, "address"));
    json_decref(answer);
    return code;
}

static int cannot(const struct store_error *error, enum err err)
{
    return complain("%s", error->text[0] ? error->text : err_text(err));
}

/* The home that is to be made. */
static int new_home(const struct arguments *arguments, const char *word, char home[HOME_PATH_MAX])
{
    struct store_error error = {""};
    const char *given = word ? word : option_value(arguments, "--home");
    enum err err = resolve_home(given, home, &error);
    if (err != OK)
        return cannot(&error, err);
    if (!given)
        make_default_parents(home);
    return EXIT_DONE;
}

static int made_json(const char *home, const struct setup_made *made)
{
    print_json(json_pack("{s:b, s:s, s:s, s:s, s:I, s:s, s:s}", "ok", 1, "home", home, "cell",
                         made->cell, "role", cell_role_name(made->role), "node",
                         (json_int_t)made->node, "name", made->name, "address", made->listen));
    return EXIT_DONE;
}

int command_init(const struct arguments *arguments)
{
    char home[HOME_PATH_MAX];
    struct store_error error = {""};
    struct setup_made made;
    bool json = option_given(arguments, "--json");
    const char *listen = option_value(arguments, "--listen");
    if (!listen) {
        complain("say where the other machines reach this one, as in: pactfs init --listen "
                 "10.0.0.1:4700");
        return EXIT_USAGE;
    }
    int code = new_home(arguments, arguments->words[0], home);
    if (code != EXIT_DONE)
        return code;
    struct setup_init init = {.home = home,
                              .listen = listen,
                              .name = option_value(arguments, "--name"),
                              .cell = option_value(arguments, "--cell"),
                              .etcd = option_value(arguments, "--etcd")};
    enum err err = setup_init(&init, &made, &error);
    if (err != OK)
        return cannot(&error, err);
    if (!json)
        printf("The cell '%s' is made. This machine is node %u, '%s'; its home is %s.\n", made.cell,
               made.node, made.name, home);
    if (!option_given(arguments, "--no-start"))
        code = cell_start(home, json);
    if (code != EXIT_DONE)
        return code;
    if (json)
        return made_json(home, &made);
    printf("\n  add a machine:  pactfs invite          # then, there: pactfs join CODE --listen "
           "ADDR:PORT\n"
           "  make a volume:  pactfs volume create NAME\n"
           "  look around:    pactfs status, pactfs nodes\n");
    return EXIT_DONE;
}

/* --- join --- */

/* "-": the code is on standard input, so that it does not show in lists of processes. */
static char *read_code(const char *word)
{
    static char code[2 * INVITATION_TEXT_MAX];
    if (strcmp(word, "-") != 0)
        return strdup(word);
    size_t len = fread(code, 1, sizeof code - 1, stdin);
    code[len] = 0;
    return strdup(code);
}

static int check_code(const struct arguments *arguments, const char *code)
{
    struct invitation_fault fault = {""};
    struct invitation invitation;
    const char *listen = option_value(arguments, "--listen");
    if (invitation_parse((struct bytes){(const uint8_t *)code, strlen(code)}, &invitation,
                         &fault) != OK)
        return complain("%s", fault.text);
    if (invitation.role == ROLE_NODE && !listen) {
        complain("the invitation is for a node: say where the other machines reach this one, as "
                 "in: pactfs join CODE --listen 10.0.0.2:4700");
        return EXIT_USAGE;
    }
    if (invitation.role != ROLE_NODE && listen) {
        complain("the invitation is for %s, which takes no connections: leave --listen out",
                 invitation.role == ROLE_CLIENT ? "a client" : "an administrator");
        return EXIT_USAGE;
    }
    return EXIT_DONE;
}

/* The node has told the registry that it runs: from then on it gets replicas. */
static bool node_is_known(const json_t *nodes, uint32_t number)
{
    size_t i;
    json_t *node;
    json_array_foreach(json_object_get(nodes, "nodes"), i, node)
    {
        if (answer_number(node, "number") == number)
            return json_is_true(json_object_get(node, "alive"));
    }
    return false;
}

/* So that what is asked of the cell next finds the new node. */
static void wait_until_known(const struct arguments *arguments, const char *home, uint32_t number)
{
    struct cell_home *cell = cell_home_find(arguments, home);
    bool known = false;
    for (int waited = 0; cell && !known && waited < KNOWN_MS; waited += KNOWN_STEP_MS) {
        json_t *nodes = cell_ask(cell, cell_request("nodes", NULL, NULL), CELL_ASK_MS);
        known = node_is_known(nodes, number);
        json_decref(nodes);
        if (!known)
            poll(NULL, 0, KNOWN_STEP_MS);
    }
    if (cell && !known)
        complain("the node runs, but the cell's registry does not know of it yet; see: pactfs "
                 "nodes");
    free(cell);
}

static int joined(const struct arguments *arguments, const char *home,
                  const struct setup_made *made)
{
    bool json = option_given(arguments, "--json");
    int code = EXIT_DONE;
    if (!json && made->node)
        printf("This machine is node %u, '%s', of the cell '%s'; its home is %s.\n", made->node,
               made->name, made->cell, home);
    else if (!json)
        printf("This machine is %s of the cell '%s'; its home is %s.\n",
               made->role == ROLE_CLIENT ? "a client" : "an administrator's", made->cell, home);
    if (made->node && !option_given(arguments, "--no-start"))
        code = cell_start(home, json);
    if (code != EXIT_DONE)
        return code;
    if (made->node && !option_given(arguments, "--no-start"))
        wait_until_known(arguments, home, made->node);
    if (json)
        return made_json(home, made);
    printf("\n  mount a volume: pactfs mount VOLUME DIR\n");
    if (made->role != ROLE_CLIENT)
        printf("  look around:    pactfs nodes, pactfs volume list\n");
    return EXIT_DONE;
}

int command_join(const struct arguments *arguments)
{
    char home[HOME_PATH_MAX];
    struct store_error error = {""};
    struct setup_made made;
    char *invitation = read_code(arguments->words[0]);
    INVARIANT(invitation != NULL);
    int code = check_code(arguments, invitation);
    if (code == EXIT_DONE)
        code = new_home(arguments, arguments->words[1], home);
    if (code == EXIT_DONE) {
        struct setup_join join = {.home = home,
                                  .code = invitation,
                                  .listen = option_value(arguments, "--listen"),
                                  .name = option_value(arguments, "--name"),
                                  .timeout_ms = JOIN_MS};
        enum err err = setup_join(&join, &made, &error);
        code = err == OK ? joined(arguments, home, &made) : cannot(&error, err);
    }
    free(invitation);
    return code;
}

/* --- invite --- */

static void print_invitation(const json_t *answer, enum node_role role)
{
    char until[64] = "";
    time_t expires = (time_t)answer_number(answer, "expires");
    struct tm local;
    if (expires && localtime_r(&expires, &local))
        strftime(until, sizeof until, "%H:%M", &local);
    printf("%s\n", answer_text(answer, "code"));
    if (!isatty(STDOUT_FILENO))
        return; /* for scripts: the code and nothing else */
    printf("\nGood once, until %s. On the other machine:\n\n  pactfs join CODE%s\n", until,
           role == ROLE_NODE ? " --listen ADDR:PORT" : "");
}

int command_invite(const struct arguments *arguments)
{
    uint64_t minutes = MINUTES, uid = 0;
    bool client = option_given(arguments, "--client");
    bool administrator = option_given(arguments, "--administrator");
    enum node_role role = client ? ROLE_CLIENT : administrator ? ROLE_ADMINISTRATOR : ROLE_NODE;
    if (!option_number(arguments, &(struct option_range){"--minutes", 1, MINUTES_MOST}, &minutes) ||
        !option_number(arguments, &(struct option_range){"--uid", 0, UID_MOST}, &uid))
        return EXIT_USAGE;
    if (client && administrator) {
        complain("a machine is a client or an administrator's: leave one of --client and "
                 "--administrator out");
        return EXIT_USAGE;
    }
    if (option_given(arguments, "--uid") && !client) {
        complain("--uid is for clients: it says as which user they act; add --client");
        return EXIT_USAGE;
    }
    struct cell_home *home = cell_home_find(arguments, NULL);
    if (!home)
        return EXIT_FAILED;
    json_t *answer =
        cell_ask(home,
                 json_pack("{s:s, s:s, s:I, s:I}", "request", "invite", "role",
                           cell_role_name(role), "minutes", (json_int_t)minutes, "uid",
                           option_given(arguments, "--uid") ? (json_int_t)uid : (json_int_t)-1),
                 CELL_ASK_MS);
    free(home);
    if (option_given(arguments, "--json") || !answer_ok(answer))
        return print_answer(answer);
    print_invitation(answer, role);
    json_decref(answer);
    return EXIT_DONE;
}

/* --- nodes --- */

static void print_nodes(const json_t *answer)
{
    static const char *const heads[] = {"NODE",     "NAME",     "ADDRESS", "STATE",
                                        "REGISTRY", "REPLICAS", "FREE"};
    struct table table = {.columns = 7};
    char a[32], b[32];
    size_t i;
    json_t *node;
    json_array_foreach(json_object_get(answer, "nodes"), i, node)
    {
        bool alive = json_is_true(json_object_get(node, "alive"));
        table_cell(&table, "%llu", (unsigned long long)answer_number(node, "number"));
        table_cell(&table, "%s", answer_text(node, "name"));
        table_cell(&table, "%s", answer_text(node, "address"));
        table_cell(&table, "%s%s", alive ? "running" : "away",
                   json_is_true(json_object_get(node, "leaving")) ? ", leaving" : "");
        table_cell(&table, "%s", json_is_true(json_object_get(node, "registry")) ? "member" : "");
        table_cell(&table, "%llu", (unsigned long long)answer_number(node, "replicas"));
        if (answer_number(node, "disk_total"))
            table_cell(&table, "%s of %s",
                       print_bytes(answer_number(node, "disk_available"), a, sizeof a),
                       print_bytes(answer_number(node, "disk_total"), b, sizeof b));
        else
            table_cell(&table, "%s", "");
    }
    table_print(&table, heads);
}

int command_nodes(const struct arguments *arguments)
{
    struct cell_home *home = cell_home_find(arguments, NULL);
    if (!home)
        return EXIT_FAILED;
    json_t *answer = cell_ask(home, cell_request("nodes", NULL, NULL), CELL_ASK_MS);
    free(home);
    if (option_given(arguments, "--json") || !answer_ok(answer))
        return print_answer(answer);
    print_nodes(answer);
    json_decref(answer);
    return EXIT_DONE;
}

/* --- leave --- */

void print_progress(void *ctx, const json_t *line)
{
    const json_t *progress = json_object_get(line, "progress");
    const char *text =
        json_is_string(progress) ? json_string_value(progress) : answer_text(progress, "text");
    (void)ctx;
    if (text[0]) {
        printf("%s\n", text);
        fflush(stdout);
    }
}

static int leave(const struct arguments *arguments, const struct cell_home *home)
{
    const char *word = arguments->words[0];
    uint32_t number = home->file.node;
    if (word) {
        json_t *nodes = cell_ask(home, cell_request("nodes", NULL, NULL), CELL_ASK_MS);
        bool ok = answer_ok(nodes);
        number = ok ? cell_node_number(nodes, word) : 0;
        if (!ok)
            complain_answer(nodes);
        json_decref(nodes);
    } else if (!number) {
        complain("this machine is no node; say which one shall leave, as in: pactfs leave 3");
    }
    if (!number)
        return EXIT_FAILED;
    struct cell_work work = {.line = option_given(arguments, "--json") ? NULL : print_progress,
                             .timeout_ms = CELL_WORK_MS};
    json_t *answer = cell_ask_work(
        home, json_pack("{s:s, s:I}", "request", "leave", "node", (json_int_t)number), &work);
    if (option_given(arguments, "--json") || !answer_ok(answer))
        return print_answer(answer);
    json_decref(answer);
    printf("node %u has left the cell: its replicas are elsewhere, and its certificate is not "
           "accepted any more\n",
           number);
    return EXIT_DONE;
}

int command_leave(const struct arguments *arguments)
{
    struct cell_home *home = cell_home_find(arguments, NULL);
    int code = home ? leave(arguments, home) : EXIT_FAILED;
    free(home);
    return code;
}

/* --- certificates --- */

static void print_certificates(const json_t *answer)
{
    static const char *const heads[] = {"SERIAL", "NAME", "ROLE", "UNTIL", "STATE"};
    struct table table = {.columns = 5};
    size_t i;
    json_t *one;
    json_array_foreach(json_object_get(answer, "certificates"), i, one)
    {
        time_t until = (time_t)answer_number(one, "not_after");
        struct tm utc;
        char day[32] = "";
        if (until && gmtime_r(&until, &utc))
            strftime(day, sizeof day, "%Y-%m-%d", &utc);
        table_cell(&table, "%s", answer_text(one, "serial"));
        table_cell(&table, "%s", answer_text(one, "name"));
        table_cell(&table, "%s", answer_text(one, "role"));
        table_cell(&table, "%s", day);
        table_cell(&table, "%s",
                   json_is_true(json_object_get(one, "revoked")) ? "revoked" : "good");
    }
    table_print(&table, heads);
}

int command_certificates(const struct arguments *arguments)
{
    const char *serial = option_value(arguments, "--revoke");
    struct cell_home *home = cell_home_find(arguments, NULL);
    if (!home)
        return EXIT_FAILED;
    json_t *request = serial ? cell_request("revoke", "serial", serial)
                             : cell_request("certificates", NULL, NULL);
    json_t *answer = cell_ask(home, request, CELL_ASK_MS);
    free(home);
    if (option_given(arguments, "--json") || !answer_ok(answer))
        return print_answer(answer);
    if (serial)
        printf("revoked: whoever shows this certificate is refused from now on\n");
    else
        print_certificates(answer);
    json_decref(answer);
    return EXIT_DONE;
}
