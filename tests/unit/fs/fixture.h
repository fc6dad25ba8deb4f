/* SPDX-License-Identifier: MIT
 *
 * fixture.h: a volume in memory: it answers the needs of a workspace and applies write sets to a
 * sorted array of objects.
 *
 * Every write set is checked against the rules of write_set.h before it is applied, and folded
 * into `trace`.
 */
#ifndef PACTFS_TESTS_FS_FIXTURE_H
#define PACTFS_TESTS_FS_FIXTURE_H

#include "core/fs/fs.h"

struct item {
    struct object_key key;
    struct stamp stamp;
    struct bytes value;
    uint32_t chunks;
    uint8_t *data[BLOCK_CHUNKS];
};

struct fixture {
    struct fs_volume volume;
    struct workspace ws;
    struct fs_result result; /* of the last operation */
    struct fs_cred cred;     /* of the next operations */
    struct item **items;
    size_t count, room;
    int64_t now;       /* grows by one second with each operation */
    uint64_t next_ino; /* what the next new inode gets */
    uint64_t stamps, trace;
    uint32_t rounds, most_rounds; /* runs of the last operation; most of any but renames */
    bool stingy;                  /* supplies only the first need each time */
};

void fixture_init(struct fixture *f); /* with a root directory, mode 0755, uid 0 */
void fixture_free(struct fixture *f);

/* Runs an operation to its end (again included); fills code-independent fields: cred, now. */
enum err fixture_apply(struct fixture *f, struct fs_op *op);
/* Fails the test when the structural check finds something. */
void fixture_check(struct fixture *f);
struct item *fixture_find(struct fixture *f, struct object_key key);
size_t fixture_count(const struct fixture *f, uint8_t kind);

/* Short forms; `name` is a C string. Those that make something put its number in *ino (may be
 * NULL). */
struct bytes text(const char *s);
enum err do_make(struct fixture *f, uint64_t dir, const char *name, uint32_t mode, uint64_t *ino);
enum err do_mkdir(struct fixture *f, uint64_t dir, const char *name, uint32_t mode, uint64_t *ino);
enum err do_remove(struct fixture *f, enum fs_code code, uint64_t dir, const char *name);
enum err do_lookup(struct fixture *f, uint64_t dir, const char *name);
enum err do_getattr(struct fixture *f, uint64_t ino);
enum err do_write(struct fixture *f, uint64_t ino, uint64_t offset, struct bytes data);
/* Reads into `out`; *got is the length. */
enum err do_read(struct fixture *f, uint64_t ino, uint64_t offset, struct bytes out, size_t *got);
enum err do_resize(struct fixture *f, uint64_t ino, uint64_t size);
enum err do_chmod(struct fixture *f, uint64_t ino, uint32_t mode);
enum err do_chown(struct fixture *f, uint64_t ino, uint32_t uid, uint32_t gid);
enum err do_setxattr(struct fixture *f, uint64_t ino, const char *name, struct bytes value);
enum err do_getxattr(struct fixture *f, uint64_t ino, const char *name);
struct names {
    uint64_t from_dir;
    const char *from;
    uint64_t to_dir;
    const char *to;
    uint32_t flags;
};
enum err do_rename(struct fixture *f, struct names names);

#endif
