/* SPDX-License-Identifier: MIT
 *
 * check.h: does a volume hang together? A structural check over all its objects, outside the code
 * that it checks.
 *
 *     fs_check_begin(&check, &volume, problem, ctx);
 *     for every present object, in order of key:  fs_check_object(&check, &key, &version);
 *     fs_check_end(&check);                        check.problems, check.inodes, ... are valid
 *
 * The objects may come in as many steps as the caller likes, but from one version of the volume.
 * Each violation is reported once, as a sentence. Memory: about 100 bytes per inode, given back by
 * fs_check_end.
 *
 * What is checked: every object can be decoded and belongs to an inode; every name lies in the
 * bucket of its hash, and leads to an inode of the type it says; link counts, entry counts,
 * parents, chunk counts and attribute totals are exact; no data lies behind the end of a file;
 * every directory can be reached from the root; what has no name has an orphan mark, and nothing
 * else has one.
 */
#ifndef PACTFS_FS_CHECK_H
#define PACTFS_FS_CHECK_H

#include "core/base/arena.h"
#include "core/fs/fs.h"

struct fs_check_node; /* private */

struct fs_check {
    const struct fs_volume *volume;
    void (*problem)(void *ctx, const char *sentence); /* the sentence is valid during the call */
    void *ctx;
    uint64_t problems, inodes, names, blocks, chunks, orphans;
    /* private */
    struct fs_check_node *nodes; /* in order of inode number */
    size_t count, room;
    struct object_key last;
    struct arena arena;
};

void fs_check_begin(struct fs_check *check, const struct fs_volume *volume,
                    void (*problem)(void *ctx, const char *sentence), void *ctx);
void fs_check_object(struct fs_check *check, const struct object_key *key,
                     const struct object_version *version);
void fs_check_end(struct fs_check *check);

#endif
