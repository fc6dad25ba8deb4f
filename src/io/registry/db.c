/* SPDX-License-Identifier: MIT
 *
 * db.c: the embedded registry's keys and values in LMDB. The law is in db.h.
 */
#include "io/registry/db.h"

#include <fcntl.h>
#include <lmdb.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/assert.h"
#include "core/base/grow.h"
#include "io/lmdb/header.h"
#include "io/registry/copy.h"

#define MAP_BYTES   ((size_t)1 << 30) /* of address space; the file is as its contents */
#define MARGIN      ((uint64_t)1 << 20)
#define HEAD        13u /* revision, flags, checksum */
#define FLAG_LEASED 1u
#define FLAG_SEALED 1u /* of the state */
#define PATH_MOST   4096u

/* Less than every printable key. */
static const char state_key[] = "\x01";

struct registry_db {
    MDB_env *env;
    MDB_dbi dbi;
    MDB_txn *reader;
    bool reading;
    int lock;
};

static enum err say(struct store_error *error, enum err err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static enum err say(struct store_error *error, enum err err, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(error->text, sizeof error->text, format, args);
    va_end(args);
    return err;
}

static enum err from_mdb(int rc)
{
    if (rc == 0)
        return OK;
    if (rc == MDB_NOTFOUND)
        return ERR_NOENT;
    if (rc == MDB_MAP_FULL)
        return ERR_NOSPC;
    return rc > 0 ? err_from_errno(rc) : ERR_INDEX;
}

/* --- entries --- */

struct entry {
    uint64_t revision;
    uint8_t flags;
    struct bytes value;
};

static MDB_val key_of(const char *key)
{
    return (MDB_val){strlen(key) + 1, (void *)(uintptr_t)key};
}

static uint32_t entry_checksum(const MDB_val *key, const struct entry *entry)
{
    uint64_t seed = checksum64(key->mv_data, key->mv_size, entry->revision ^ entry->flags);
    return (uint32_t)checksum64(entry->value.data, entry->value.len, seed);
}

/* D1. */
static bool entry_read(const MDB_val *key, const MDB_val *found, struct entry *out)
{
    struct cursor c = cursor_over(found->mv_data, found->mv_size);
    const char *text = key->mv_data;
    out->revision = get_u64(&c);
    out->flags = get_u8(&c);
    uint32_t checksum = get_u32(&c);
    out->value.len = cursor_left(&c);
    out->value.data = get_bytes(&c, out->value.len);
    return !c.bad && key->mv_size > 1 && !memchr(text, 0, key->mv_size - 1) &&
           text[key->mv_size - 1] == 0 && checksum == entry_checksum(key, out);
}

static enum err entry_get(MDB_txn *txn, MDB_dbi dbi, const char *key, struct entry *out)
{
    MDB_val k = key_of(key), found;
    enum err err = from_mdb(mdb_get(txn, dbi, &k, &found));
    if (err)
        return err;
    return entry_read(&k, &found, out) ? OK : ERR_INDEX;
}

static enum err entry_put(MDB_txn *txn, MDB_dbi dbi, const char *key, const struct entry *entry)
{
    MDB_val k = key_of(key), place = {HEAD + entry->value.len, NULL};
    int rc = mdb_put(txn, dbi, &k, &place, MDB_RESERVE);
    if (rc)
        return from_mdb(rc);
    struct cursor c = cursor_over(place.mv_data, place.mv_size);
    put_u64(&c, entry->revision);
    put_u8(&c, entry->flags);
    put_u32(&c, entry_checksum(&k, entry));
    put_bytes(&c, entry->value.data, entry->value.len);
    INVARIANT(!c.bad && cursor_left(&c) == 0);
    return OK;
}

static enum err state_get(MDB_txn *txn, MDB_dbi dbi, struct entry *state)
{
    enum err err = entry_get(txn, dbi, state_key, state);
    return err == ERR_NOENT ? ERR_INDEX : err;
}

/* --- transactions --- */

static enum err guard_put(MDB_txn *txn, MDB_dbi dbi)
{
    uint8_t name[LMDB_GUARD_LEN], raw[LMDB_GUARD_BYTES];
    struct cursor c = cursor_over(raw, sizeof raw);
    memset(name, 0xff, sizeof name);
    put_u64(&c, mdb_txn_id(txn));
    put_u64(&c, 0);
    MDB_val key = {sizeof name, name}, value = {sizeof raw, raw};
    return from_mdb(mdb_put(txn, dbi, &key, &value, 0));
}

/* D3. What cannot be made longer now is tried again at the next commit; until then, a file that was
 * cut by a little would be refused although it is whole, or not be noticed. */
static void lengthen(struct registry_db *db)
{
    MDB_envinfo info;
    MDB_stat stat;
    struct stat st;
    int fd;
    INVARIANT(mdb_env_info(db->env, &info) == 0 && mdb_env_stat(db->env, &stat) == 0);
    INVARIANT(mdb_env_get_fd(db->env, &fd) == 0);
    uint64_t want = (info.me_last_pgno + 1) * stat.ms_psize;
    if (fstat(fd, &st) == 0 && (uint64_t)st.st_size < want + MARGIN / 2 &&
        ftruncate(fd, (off_t)(want + MARGIN)) < 0)
        return;
}

/* State and guard, then the commit. TIMEOUT: it is not known whether it is on the disk. */
static enum err finish(struct registry_db *db, MDB_txn *txn, const struct entry *state)
{
    enum err err = entry_put(txn, db->dbi, state_key, state);
    if (!err)
        err = guard_put(txn, db->dbi);
    if (err) {
        mdb_txn_abort(txn);
        return ERR_REGISTRY;
    }
    if (mdb_txn_commit(txn) != 0)
        return ERR_TIMEOUT;
    lengthen(db);
    return OK;
}

/* --- changes --- */

static enum err check_conditions(struct registry_db *db, MDB_txn *txn,
                                 const struct registry_change *change)
{
    for (size_t i = 0; i < change->condition_count; i++) {
        const struct registry_condition *condition = &change->conditions[i];
        struct entry entry = {0};
        enum err err = entry_get(txn, db->dbi, condition->key, &entry);
        if (err && err != ERR_NOENT)
            return err;
        if (condition->revision != (err ? 0 : entry.revision))
            return ERR_CONFLICT;
    }
    return OK;
}

static enum err make_write(struct registry_db *db, MDB_txn *txn, struct registry_write *write,
                           uint64_t revision, bool *took)
{
    struct entry entry = {revision, write->leased ? FLAG_LEASED : 0, write->value};
    if (write->value.data) {
        *took = true;
        return entry_put(txn, db->dbi, write->key, &entry);
    }
    MDB_val key = key_of(write->key);
    int rc = mdb_del(txn, db->dbi, &key, NULL);
    if (rc == MDB_NOTFOUND)
        write->key = NULL;
    else
        *took = true;
    return rc == MDB_NOTFOUND ? OK : from_mdb(rc);
}

/* Anything but OK and CONFLICT: the transaction has to be given up. */
static enum err make_change(struct registry_db *db, MDB_txn *txn, struct entry *state,
                            struct registry_change *change)
{
    bool took = false;
    enum err err = check_conditions(db, txn, change);
    for (size_t i = 0; i < change->write_count && !err; i++)
        err = make_write(db, txn, (struct registry_write *)(uintptr_t)&change->writes[i],
                         state->revision + 1, &took);
    if (!err && took)
        state->revision++;
    change->err = err;
    change->revision = state->revision;
    return err;
}

static void set_outcome(struct db_change *first, enum err err)
{
    for (struct db_change *c = first; c; c = c->next)
        c->change->err = err;
}

void registry_db_apply(struct registry_db *db, struct db_change *first)
{
    MDB_txn *txn;
    struct entry state;
    if (mdb_txn_begin(db->env, NULL, 0, &txn) != 0) {
        set_outcome(first, ERR_REGISTRY);
        return;
    }
    enum err err = state_get(txn, db->dbi, &state);
    for (struct db_change *c = first; c && !err; c = c->next) {
        err = make_change(db, txn, &state, c->change);
        if (err == ERR_CONFLICT)
            err = OK;
    }
    if (err) {
        mdb_txn_abort(txn);
        set_outcome(first, ERR_REGISTRY);
        return;
    }
    err = finish(db, txn, &state);
    for (struct db_change *c = first; c && err; c = c->next)
        if (!c->change->err)
            c->change->err = err;
}

static enum err remove_leased(struct registry_db *db, MDB_txn *txn, struct entry *state)
{
    MDB_cursor *cursor;
    MDB_val key, found;
    struct entry entry;
    bool any = false;
    int rc = mdb_cursor_open(txn, db->dbi, &cursor);
    if (rc)
        return from_mdb(rc);
    for (rc = mdb_cursor_get(cursor, &key, &found, MDB_FIRST); rc == 0;
         rc = mdb_cursor_get(cursor, &key, &found, MDB_NEXT)) {
        const uint8_t *first = key.mv_data;
        if (*first <= ' ' || *first > '~') /* the state, the guard */
            continue;
        if (!entry_read(&key, &found, &entry)) {
            rc = MDB_CORRUPTED;
            break;
        }
        if (!(entry.flags & FLAG_LEASED))
            continue;
        any = true;
        rc = mdb_cursor_del(cursor, 0);
        if (rc)
            break;
    }
    mdb_cursor_close(cursor);
    state->revision += any;
    return rc == MDB_NOTFOUND ? OK : from_mdb(rc);
}

enum err registry_db_drop_leased(struct registry_db *db)
{
    MDB_txn *txn;
    struct entry state;
    if (mdb_txn_begin(db->env, NULL, 0, &txn) != 0)
        return ERR_REGISTRY;
    enum err err = state_get(txn, db->dbi, &state);
    if (!err)
        err = remove_leased(db, txn, &state);
    if (!err)
        return finish(db, txn, &state);
    mdb_txn_abort(txn);
    return err;
}

enum err registry_db_seal(struct registry_db *db)
{
    MDB_txn *txn;
    struct entry state;
    if (mdb_txn_begin(db->env, NULL, 0, &txn) != 0)
        return ERR_REGISTRY;
    if (state_get(txn, db->dbi, &state) != OK) {
        mdb_txn_abort(txn);
        return ERR_REGISTRY;
    }
    state.flags |= FLAG_SEALED;
    return finish(db, txn, &state);
}

/* --- reading --- */

static void take_item(struct db_items *out, uint32_t *room, const MDB_val *key,
                      const struct entry *entry)
{
    size_t index = out->count;
    out->items = grow(out->items, (uint32_t)index, room, sizeof *out->items);
    out->leased = realloc(out->leased, *room * sizeof *out->leased);
    INVARIANT(out->leased != NULL);
    out->items[index] = (struct registry_item){key->mv_data, entry->value, entry->revision};
    out->leased[index] = (entry->flags & FLAG_LEASED) != 0;
    out->count++;
}

static enum err read_range(MDB_cursor *cursor, const char *key, bool prefix, struct db_items *out)
{
    MDB_val at = *key ? key_of(key) : key_of("!"), found;
    uint32_t room = 0;
    size_t bytes = 0;
    if (prefix && *key)
        at.mv_size--; /* the least that begins so */
    int rc = mdb_cursor_get(cursor, &at, &found, MDB_SET_RANGE);
    for (; rc == 0; rc = mdb_cursor_get(cursor, &at, &found, MDB_NEXT)) {
        struct entry entry;
        const uint8_t *first = at.mv_data;
        if (*first > '~')
            return OK;
        if (!entry_read(&at, &found, &entry))
            return ERR_REGISTRY;
        bool here = prefix ? registry_key_begins(at.mv_data, key) : strcmp(at.mv_data, key) == 0;
        if (!here)
            return OK;
        bytes += at.mv_size + entry.value.len;
        if (bytes > REGISTRY_READ_MAX)
            return ERR_LIMIT;
        take_item(out, &room, &at, &entry);
        if (!prefix)
            return OK;
    }
    return rc == MDB_NOTFOUND ? OK : ERR_REGISTRY;
}

enum err registry_db_read(struct registry_db *db, const char *key, bool prefix,
                          struct db_items *out)
{
    MDB_cursor *cursor;
    struct entry state;
    INVARIANT(!db->reading);
    *out = (struct db_items){0};
    if (mdb_txn_renew(db->reader) != 0)
        return ERR_REGISTRY;
    db->reading = true;
    if (state_get(db->reader, db->dbi, &state) != OK ||
        mdb_cursor_open(db->reader, db->dbi, &cursor) != 0)
        return ERR_REGISTRY;
    out->revision = state.revision;
    enum err err = read_range(cursor, key, prefix, out);
    mdb_cursor_close(cursor);
    if (err)
        out->count = 0;
    return err;
}

void registry_db_done(struct registry_db *db, struct db_items *items)
{
    free(items->items);
    free(items->leased);
    *items = (struct db_items){0};
    if (db->reading)
        mdb_txn_reset(db->reader);
    db->reading = false;
}

/* --- opening --- */

static enum err take_lock(struct registry_db *db, const char *dir, struct store_error *error)
{
    char path[PATH_MOST];
    if ((size_t)snprintf(path, sizeof path, "%s/lock", dir) >= sizeof path)
        return say(error, ERR_NAMETOOLONG, "%s: the path is too long.", dir);
    if (mkdir(dir, 0700) < 0 && errno != EEXIST)
        return say(error, err_from_errno(errno), "%s cannot be made: %s.", dir, strerror(errno));
    db->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (db->lock < 0)
        return say(error, err_from_errno(errno), "%s cannot be opened: %s.", path, strerror(errno));
    if (flock(db->lock, LOCK_EX | LOCK_NB) < 0)
        return say(error, ERR_LOCKED, "The registry in %s is in use by another process.", dir);
    return OK;
}

static enum err open_env(struct registry_db *db, const char *dir)
{
    MDB_txn *txn;
    int fd, rc = mdb_env_create(&db->env);
    if (!rc)
        rc = mdb_env_set_mapsize(db->env, MAP_BYTES);
    if (!rc)
        rc = mdb_env_open(db->env, dir, MDB_NOTLS, 0600);
    if (rc)
        return from_mdb(rc);
    INVARIANT(mdb_env_get_fd(db->env, &fd) == 0);
    fcntl(fd, F_SETFD, FD_CLOEXEC); /* LMDB leaves it open to programs we start */
    lengthen(db);
    rc = mdb_txn_begin(db->env, NULL, 0, &txn);
    if (!rc) {
        rc = mdb_dbi_open(txn, NULL, 0, &db->dbi);
        if (rc)
            mdb_txn_abort(txn);
        else
            rc = mdb_txn_commit(txn);
    }
    return from_mdb(rc);
}

/* A directory's entries are durable only when it was synced (E3 of env.h). */
static enum err sync_dirs(const char *dir)
{
    static const char *const steps[] = {"", "/.."};
    for (size_t i = 0; i < 2; i++) {
        char path[PATH_MOST];
        snprintf(path, sizeof path, "%s%s", dir, steps[i]);
        int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
            return err_from_errno(errno);
        enum err err = fsync(fd) < 0 ? err_from_errno(errno) : OK;
        close(fd);
        if (err)
            return err;
    }
    return OK;
}

static enum err make_state(struct registry_db *db, const char *dir)
{
    MDB_txn *txn;
    const struct entry state = {0};
    int rc = mdb_txn_begin(db->env, NULL, 0, &txn);
    enum err err = rc ? from_mdb(rc) : finish(db, txn, &state);
    return err ? err : sync_dirs(dir);
}

static enum err open_checked(struct registry_db *db, const char *dir, struct store_error *error)
{
    char file[PATH_MOST];
    struct lmdb_header header = {0};
    struct db_items items = {0};
    struct entry state;
    snprintf(file, sizeof file, "%s/data.mdb", dir);
    enum err err = lmdb_header_read(file, &header);
    if (err && err != ERR_NOENT)
        return say(error, err, "The registry in %s is damaged: %s.", dir, err_text(err));
    err = open_env(db, dir);
    if (!err && header.txn == 0)
        err = make_state(db, dir);
    if (!err)
        err = from_mdb(mdb_txn_begin(db->env, NULL, MDB_RDONLY, &db->reader));
    if (!err)
        err = state_get(db->reader, db->dbi, &state);
    if (db->reader)
        mdb_txn_reset(db->reader);
    if (!err && (state.flags & FLAG_SEALED))
        return say(error, ERR_MOVED, "The registry in %s has grown into etcd.", dir);
    if (!err)
        err = registry_db_drop_leased(db);
    if (!err) {
        err = registry_db_read(db, "", true, &items);
        registry_db_done(db, &items);
    }
    if (err == ERR_REGISTRY)
        err = ERR_INDEX;
    return err ? say(error, err, "The registry in %s cannot be opened: %s.", dir, err_text(err))
               : OK;
}

enum err registry_db_open(const char *dir, struct registry_db **out, struct store_error *error)
{
    struct registry_db *db = calloc(1, sizeof *db);
    INVARIANT(db != NULL);
    db->lock = -1;
    enum err err = take_lock(db, dir, error);
    if (!err)
        err = open_checked(db, dir, error);
    if (err) {
        registry_db_close(db);
        return err;
    }
    *out = db;
    return OK;
}

void registry_db_close(struct registry_db *db)
{
    INVARIANT(!db->reading);
    if (db->reader)
        mdb_txn_abort(db->reader);
    if (db->env)
        mdb_env_close(db->env);
    if (db->lock >= 0)
        close(db->lock);
    free(db);
}
