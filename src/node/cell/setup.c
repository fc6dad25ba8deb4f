/* SPDX-License-Identifier: MIT
 *
 * setup.c: making a cell; see setup.h for the law.
 */
#include "node/cell/setup.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

#include "core/base/assert.h"
#include "core/registry/invitation.h"
#include "io/etcd/etcd.h"
#include "io/registry/embedded.h"
#include "io/tls/identity.h"
#include "io/tls/transport.h"
#include "node/cell/setup_private.h"

#define WORDS_MAX 4096u

enum err setup_refuse(struct store_error *error, enum err code, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error->text, sizeof error->text, format, arguments);
    va_end(arguments);
    return code;
}

/* --- addresses and names --- */

enum err setup_address(const char *text, char out[RECORD_ADDR_MAX], struct store_error *error)
{
    const char *colon = strrchr(text, ':'), *bracket = strrchr(text, ']');
    bool port = colon && (!bracket || colon > bracket) && (bracket || strchr(text, ':') == colon);
    if (!port && strchr(text, ':') && !bracket)
        return setup_refuse(error, ERR_USAGE,
                            "'%.200s': put an IPv6 address in brackets: [%.200s]:%u", text, text,
                            SETUP_PORT);
    int len = port ? snprintf(out, RECORD_ADDR_MAX, "%s", text)
                   : snprintf(out, RECORD_ADDR_MAX, "%s:%u", text, SETUP_PORT);
    if (len >= (int)RECORD_ADDR_MAX || !invitation_address_sound(out))
        return setup_refuse(error, ERR_USAGE,
                            "'%.200s' is not an address: HOST:PORT, as 10.0.0.1:%u", text,
                            SETUP_PORT);
    if (strncmp(out, "0.0.0.0:", 8) == 0 || strncmp(out, "[::]:", 5) == 0)
        return setup_refuse(error, ERR_USAGE,
                            "%s is every address of this machine, which tells others nothing: "
                            "name the one by which they reach it.",
                            out);
    return OK;
}

enum err setup_name(const char *name, char out[RECORD_NAME_MAX], struct store_error *error)
{
    char machine[256] = "";
    size_t used = 0;
    if (name) {
        if (!record_name_sound(name))
            return setup_refuse(error, ERR_USAGE,
                                "'%.80s' cannot be a name: up to %u letters, digits, '-', '_' and "
                                "'.', not beginning with '-' or '.'.",
                                name, RECORD_NAME_MAX - 1);
        snprintf(out, RECORD_NAME_MAX, "%s", name);
        return OK;
    }
    gethostname(machine, sizeof machine - 1);
    for (const char *at = machine; *at && *at != '.' && used + 1 < RECORD_NAME_MAX; at++)
        if (isalnum((unsigned char)*at) || (*at == '-' && used > 0))
            out[used++] = *at;
    out[used] = '\0';
    if (used == 0)
        snprintf(out, RECORD_NAME_MAX, "node");
    return OK;
}

/* --- a home that is being made --- */

static enum err read_making(const struct setup *setup, char *out, size_t size)
{
    int fd = openat(setup->home.fd, "making", O_RDONLY | O_CLOEXEC);
    ssize_t got = fd >= 0 ? read(fd, out, size - 1) : -1;
    if (fd >= 0)
        close(fd);
    out[got > 0 ? got : 0] = '\0';
    return got >= 0 ? OK : ERR_NOENT;
}

static enum err write_making(const struct setup *setup, const char *words,
                             struct store_error *error)
{
    int fd = openat(setup->home.fd, "making", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    size_t len = strlen(words);
    bool written = fd >= 0 && write(fd, words, len) == (ssize_t)len && fsync(fd) == 0 &&
                   fsync(setup->home.fd) == 0;
    int number = errno;
    if (fd >= 0)
        close(fd);
    return written ? OK
                   : setup_refuse(error, err_from_errno(number), "cannot write in %.300s: %s.",
                                  setup->home.path, strerror(number));
}

static void clear(const struct setup *setup)
{
    char registry[HOME_PATH_MAX + 16];
    snprintf(registry, sizeof registry, "%s/registry", setup->home.path);
    home_remove_tree(setup->tls);
    home_remove_tree(registry);
}

enum err setup_begin(struct setup *setup, const char *home, const char *words,
                     struct store_error *error)
{
    char before[WORDS_MAX];
    struct home_open_options options = {.path = home, .create = true, .cell = true};
    memset(setup, 0, sizeof *setup);
    enum err err = home_open(&options, &setup->home, error);
    if (err != OK)
        return err;
    snprintf(setup->tls, sizeof setup->tls, "%s/tls", setup->home.path);
    if (cell_file_there(setup->home.path)) {
        home_close(&setup->home);
        return setup_refuse(error, ERR_EXIST,
                            "%.300s is the home of a machine in a cell already. Start it with: "
                            "pactfs serve '%.100s'",
                            home, home);
    }
    setup->again = read_making(setup, before, sizeof before) == OK && strcmp(before, words) == 0;
    if (!setup->again) {
        clear(setup);
        err = write_making(setup, words, error);
    }
    if (err == OK && mkdir(setup->tls, 0700) != 0 && errno != EEXIST)
        err = setup_refuse(error, err_from_errno(errno), "cannot make %.300s.", setup->tls);
    if (err != OK)
        setup_leave(setup, true);
    return err;
}

void setup_leave(struct setup *setup, bool nothing_made)
{
    if (nothing_made) {
        clear(setup);
        unlinkat(setup->home.fd, "making", 0);
        unlinkat(setup->home.fd, "lock", 0);
        if (setup->home.made)
            rmdir(setup->home.path);
    }
    home_close(&setup->home);
}

enum err setup_end(struct setup *setup, const struct cell_file *file, struct store_error *error)
{
    enum err err = cell_file_save(setup->home.path, file, error);
    if (err == OK)
        unlinkat(setup->home.fd, "making", 0);
    return err;
}

/* --- the registry's first records --- */

struct first {
    uv_loop_t loop;
    struct registry *registry;
    struct registry_change change;
    bool done, closed;
};

static void change_done(struct registry_change *change)
{
    ((struct first *)change->ctx)->done = true;
}

static void registry_closed(void *ctx)
{
    ((struct first *)ctx)->closed = true;
}

static void close_first(struct first *first, bool embedded)
{
    if (embedded)
        registry_embedded_close(first->registry, registry_closed, first);
    else
        registry_etcd_close(first->registry, registry_closed, first);
    while (!first->closed)
        uv_run(&first->loop, UV_RUN_ONCE);
    uv_run(&first->loop, UV_RUN_DEFAULT);
    uv_loop_close(&first->loop);
}

static struct bytes text_bytes(const char *text)
{
    return (struct bytes){(const uint8_t *)text, strlen(text)};
}

/* What init knows of the certificates that it made. */
struct made_certificate {
    const char *file;
    struct identity identity;
    char key[REGISTRY_KEY_MAX + 1], text[512];
};

#define MADE 3u

struct making {
    struct setup setup;
    struct cell_file *file;
    struct made_certificate certificates[MADE];
    bool external;
};

static enum err write_first(struct first *first, const struct making *making,
                            struct store_error *error)
{
    const struct cell_file *file = making->file;
    struct arena arena;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    int64_t created = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
    struct record_cell cell = {.wire_version = 1, .created = created};
    struct record_node node = {.number = 1, .wire_version = 1, .joined = created};
    memcpy(cell.uuid, file->uuid, sizeof cell.uuid);
    memcpy(cell.name, file->name, sizeof cell.name);
    memcpy(node.name, file->self, sizeof node.name);
    memcpy(node.address, file->listen, sizeof node.address);
    arena_init(&arena);
    struct registry_condition conditions[] = {{"cell", 0}, {"node/1", 0}, {"next/node", 0}};
    struct registry_write writes[3 + MADE] = {{"cell", record_encode_cell(&cell, &arena), false},
                                              {"node/1", record_encode_node(&node, &arena), false},
                                              {"next/node", text_bytes("2"), false}};
    for (unsigned i = 0; i < MADE; i++)
        writes[3 + i] = (struct registry_write){making->certificates[i].key,
                                                text_bytes(making->certificates[i].text), false};
    first->change = (struct registry_change){.conditions = conditions,
                                             .condition_count = 3,
                                             .writes = writes,
                                             .write_count = 3 + MADE,
                                             .done = change_done,
                                             .ctx = first};
    first->registry->ops->change(first->registry, &first->change);
    while (!first->done)
        uv_run(&first->loop, UV_RUN_ONCE);
    arena_free(&arena);
    if (first->change.err == OK)
        return OK;
    return setup_refuse(error, first->change.err, "cannot begin the registry: %s.%s%.200s",
                        err_text(first->change.err), making->external ? " " : "",
                        making->external ? registry_etcd_trouble(first->registry) : "");
}

static enum err open_first(struct first *first, struct making *making, struct store_error *error)
{
    char dir[HOME_PATH_MAX + 32], urls[CELL_URLS_MAX * CELL_URL_MAX] = "", uuid[33], prefix[48];
    const struct cell_file *file = making->file;
    size_t used = 0;
    if (!making->external) {
        snprintf(dir, sizeof dir, "%s/registry", making->setup.home.path);
        home_remove_tree(dir); /* of a try that was cut off */
        return registry_embedded_open(&first->loop, dir, &first->registry, error);
    }
    for (uint32_t i = 0; i < file->url_count; i++)
        used +=
            (size_t)snprintf(urls + used, sizeof urls - used, "%s%s", i ? "," : "", file->urls[i]);
    record_uuid_print(file->uuid, uuid);
    snprintf(prefix, sizeof prefix, "pactfs/%s/", uuid);
    snprintf(dir, sizeof dir, "%s/registry/tls", making->setup.home.path);
    struct registry_etcd_options options = {.loop = &first->loop,
                                            .urls = urls,
                                            .dir = strncmp(urls, "https:", 6) != 0 ? NULL
                                                   : access(dir, F_OK) == 0        ? dir
                                                                            : making->setup.tls,
                                            .prefix = prefix,
                                            .deadline_ns = UINT64_C(3000000000)};
    return registry_etcd_open(&options, &first->registry, error);
}

static enum err begin_registry(struct making *making, struct store_error *error)
{
    struct first first = {.registry = NULL};
    INVARIANT(uv_loop_init(&first.loop) == 0);
    enum err err = open_first(&first, making, error);
    if (err != OK) {
        uv_run(&first.loop, UV_RUN_DEFAULT);
        uv_loop_close(&first.loop);
        return err;
    }
    err = write_first(&first, making, error);
    close_first(&first, !making->external);
    return err;
}

/* --- certificates --- */

static enum err make_certificate(struct making *making, unsigned at, struct store_error *error)
{
    const char *tls = making->setup.tls;
    struct made_certificate *made = &making->certificates[at];
    char *request = NULL, *certificate = NULL;
    enum err err = identity_request(tls, made->file, &request, error);
    if (err == OK)
        err = authority_sign(tls, request, &made->identity, &certificate, error);
    if (err == OK)
        err = identity_keep(tls, made->file, certificate, error);
    free(request);
    free(certificate);
    snprintf(made->key, sizeof made->key, "issued/%llu", (unsigned long long)made->identity.serial);
    snprintf(made->text, sizeof made->text,
             "{\"name\":\"%s\",\"role\":\"%s\",\"node\":%u,\"uid\":-1,\"not_after\":%lld}",
             made->identity.name, cell_role_name(made->identity.role), made->identity.node,
             (long long)made->identity.not_after);
    return err;
}

static enum err make_certificates(struct making *making, struct store_error *error)
{
    static const char *const names[MADE] = {"node", "client", "admin"};
    static const enum node_role roles[MADE] = {ROLE_NODE, ROLE_CLIENT, ROLE_ADMINISTRATOR};
    const struct cell_file *file = making->file;
    enum err err = authority_make(making->setup.tls, file->uuid, error);
    for (unsigned i = 0; i < MADE && err == OK; i++) {
        struct identity *identity = &making->certificates[i].identity;
        *identity = (struct identity){.role = roles[i], .uid = IDENTITY_UID_ANY};
        making->certificates[i].file = names[i];
        memcpy(identity->name, file->self, sizeof identity->name);
        memcpy(identity->cell, file->uuid, sizeof identity->cell);
        if (getrandom(&identity->serial, sizeof identity->serial, 0) < 0)
            return setup_refuse(error, ERR_IO, "the kernel gives no random numbers.");
        identity->serial = (identity->serial >> 1) | 1;
        identity->not_after = (int64_t)time(NULL) + IDENTITY_DAYS * INT64_C(86400);
        if (roles[i] == ROLE_NODE) {
            identity->node = 1;
            cell_address_host(file->listen, identity->host);
        }
        err = make_certificate(making, i, error);
    }
    return err;
}

/* --- init --- */

static enum err take_urls(const char *etcd, struct cell_file *file, struct store_error *error)
{
    for (const char *at = etcd; at && *at;) {
        size_t len = strcspn(at, ",");
        if (file->url_count == CELL_URLS_MAX || len == 0 || len >= CELL_URL_MAX ||
            (strncmp(at, "http://", 7) != 0 && strncmp(at, "https://", 8) != 0))
            return setup_refuse(error, ERR_USAGE,
                                "'%.200s' are not the urls of an etcd: https://HOST:2379, with "
                                "commas between several.",
                                etcd);
        snprintf(file->urls[file->url_count++], CELL_URL_MAX, "%.*s", (int)len, at);
        at += len + (at[len] == ',');
    }
    return OK;
}

static enum err describe(const struct setup_init *options, struct cell_file *file,
                         struct store_error *error)
{
    enum err err = setup_address(options->listen, file->listen, error);
    if (err == OK)
        err = setup_name(options->name, file->self, error);
    if (err == OK)
        err = setup_name(options->cell ? options->cell : "cell", file->name, error);
    if (err == OK)
        err = take_urls(options->etcd, file, error);
    if (err == OK && getrandom(file->uuid, sizeof file->uuid, 0) != sizeof file->uuid)
        err = setup_refuse(error, ERR_IO, "the kernel gives no random numbers.");
    file->role = ROLE_NODE;
    file->node = 1;
    file->registry = options->etcd ? CELL_REGISTRY_EXTERNAL : CELL_REGISTRY_EMBEDDED;
    struct cell_place self = {.number = 1};
    memcpy(self.name, file->self, sizeof self.name);
    memcpy(self.address, file->listen, sizeof self.address);
    INVARIANT(cell_file_place(file, &self) == OK);
    return err;
}

enum err setup_init(const struct setup_init *options, struct setup_made *made,
                    struct store_error *error)
{
    char path[HOME_PATH_MAX + 32];
    struct making making = {.external = options->etcd != NULL};
    making.file = calloc(1, sizeof *making.file);
    INVARIANT(making.file != NULL);
    memset(made, 0, sizeof *made);
    enum err err = describe(options, making.file, error);
    if (err == OK)
        err = setup_begin(&making.setup, options->home, "", error);
    if (err == OK) {
        /* What an earlier try left has another UUID: it is begun anew. */
        home_remove_tree(making.setup.tls);
        err = transport_can_listen(making.file->listen, error);
        if (err == OK)
            err = make_certificates(&making, error);
        if (err == OK)
            err = begin_registry(&making, error);
        if (err == OK)
            err = setup_end(&making.setup, making.file, error);
        snprintf(path, sizeof path, "%s/ca.crt", making.setup.tls);
        if (err == OK)
            err = authority_fingerprint(path, made->fingerprint, error);
        setup_leave(&making.setup, err != OK);
    }
    if (err == OK)
        error->text[0] = '\0';
    made->role = ROLE_NODE;
    made->node = 1;
    memcpy(made->cell, making.file->name, sizeof made->cell);
    memcpy(made->name, making.file->self, sizeof made->name);
    memcpy(made->listen, making.file->listen, sizeof made->listen);
    free(making.file);
    return err;
}
