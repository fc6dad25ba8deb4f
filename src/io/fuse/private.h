/* SPDX-License-Identifier: MIT
 *
 * private.h: what the files of this directory share.
 */
#ifndef PACTFS_IO_FUSE_PRIVATE_H
#define PACTFS_IO_FUSE_PRIVATE_H

#define FUSE_USE_VERSION 314
#include <fuse_lowlevel.h>
#include <linux/fuse.h>
#include <uv.h>

#include "io/fuse/awake.h"
#include "io/fuse/buffers.h"
#include "io/fuse/mount.h"

/* This is the only client: what the kernel knows stays true until it is told otherwise. */
#define FOREVER_S 31536000.0

/* A thread whose answer made the kernel count down the links of an inode, until it is heard of
 * again. */
struct loser {
    uint64_t ino;
    uint32_t who; /* 0: nobody */
};

#define LOSERS 64u /* a power of two */

/* One request of the kernel under way. */
struct call {
    struct request request;
    fuse_req_t req; /* NULL for opcodes that libfuse does not know: see wire.c */
    uint64_t unique;
    uint32_t who; /* the thread that asks, 0: not known; a worker of the kernel's, at times, for
                        reading ahead and writing back */
    struct mount *mount;
    struct buffer *buffer; /* holds the request's bytes, and the data of a read */
    void (*reply)(struct call *call);
    uint32_t *groups; /* of the caller, when they were needed */
    uv_work_t work;   /* of wire_write_back */
    void (*flushed)(struct call *call);
    size_t room; /* bytes the kernel has for the answer, where that counts */
    struct call *next;
    struct call *live_next, *live_prev; /* shared: of all under way */
    bool interrupted, answered;         /* answered before its end, see shared.c */
    bool looks;                         /* at the attributes of the root */
};

struct mount {
    struct env *env;
    uv_loop_t *loop;
    struct agent *agent;
    struct mount_options options;
    char *dir;
    uint32_t major, minor;        /* of the mounted device */
    int fd;                       /* owned by `session` */
    struct fuse_session *mounter; /* only mounts; owns a second descriptor */
    struct fuse_session *session; /* works */
    struct pool *pool;
    struct buffer *current; /* the request being dispatched, or ready for the next */
    struct call *free_calls;
    uint32_t calls; /* under way */
    uv_poll_t poll;
    uv_idle_t idle;
    uv_timer_t deadline;
    uv_timer_t interrupts; /* runs while a call is interrupted and not answered */
    struct call *live;
    struct fs_attr root; /* shared: its attributes as last told; ino 0: not yet */
    struct awake awake;
    uint32_t handles;    /* not yet closed */
    uint64_t spin_until; /* nanoseconds, uv_hrtime */
    bool polling, spinning, paused, started;
    bool direct;    /* shared: reads and writes of files go past the kernel's pages */
    bool kill_priv; /* the kernel leaves the clearing of set-id bits to us, and says when */
    bool severed;   /* nothing is read or answered any more */
    bool closing, unmounting, told, freeing;
    struct mount_closed how;
    void (*closed)(void *ctx, const struct mount_closed *how);
    void *closed_ctx;
    uv_work_t work;
    int work_error; /* errno of umount */
    struct loser losers[LOSERS];
    struct mount_status status;
};

/* --- call.c --- */

/* A call for the request in mount->current; its op has code, ino, the caller's ids. */
struct call *call_new(fuse_req_t req, enum fs_code code, uint64_t ino);
struct call *call_new_raw(struct mount *mount, enum fs_code code);
void call_name(struct call *call, const char *name);
void call_groups(struct call *call);
/* Hands it to the agent; reply(call) runs once and must answer, and then call_end it. */
void call_run(struct call *call, void (*reply)(struct call *call));
void call_sync(struct call *call, void (*reply)(struct call *call));
void call_end(struct call *call);

/* Replies that several operations share. Each ends the call. */
void reply_status(struct call *call); /* only the error */
void reply_attr(struct call *call);
void reply_entry(struct call *call);
/* Answers the error of a call that failed: true. */
bool reply_failed(struct call *call);

void attr_to_stat(const struct fs_attr *attr, struct stat *st);
void attr_to_wire(const struct fs_attr *attr, struct fuse_attr *out);
void entry_param(const struct mount *mount, const struct fs_attr *attr, struct fuse_entry_param *e);

/* --- change.c --- */

/* Before the answer of any call that names no other function here: tells the kernel of attributes
 * that changed with it. Nothing when it failed or changed none. */
void change_tell(struct call *call);
/* After the answer of a read: the same of the time of access. Ends the call. */
void change_accessed(struct call *call);
/* Before attributes are answered: notes it; how long the kernel may keep them, in seconds. */
double change_keep(struct call *call, const struct fs_attr *attr);
/* When a request has come. */
void change_heard(struct mount *mount, const struct fuse_in_header *in);

/* --- shared.c --- */

/* For how long the kernel may keep what it is told, in seconds. */
double shared_or(const struct mount *mount, double seconds);
/* Adds to the answer to FUSE_INIT. */
void shared_init(struct mount *mount, const struct fuse_init_in *in, struct fuse_init_out *out);
/* FOPEN_* of a file that is opened. */
uint32_t shared_open_flags(const struct mount *mount);
void op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void op_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
/* A call has begun, has ended. */
void shared_begun(struct call *call);
void shared_ended(struct call *call);
/* FUSE_INTERRUPT. */
void shared_interrupt(struct mount *mount, uint64_t unique);
/* Before a GETATTR is run; before its result is answered. */
void shared_looks(struct call *call);
void shared_looked(struct call *call);
/* The flags of a write. */
uint32_t shared_write_flags(const struct fuse_file_info *fi);

/* --- mount.c --- */

/* Called when a call has ended: a mount that is closing may have waited for it. */
void mount_ended_call(struct mount *mount);

/* Called before an answer that took a while: whoever waited for it may soon ask for more. */
void mount_answers(struct mount *mount);

/* --- wire.c --- */

/* Gives the request in mount->current to libfuse, or handles it when libfuse 3.14 does not know it.
 */
void wire_dispatch(struct mount *mount, size_t size);
/* The session's way to the device; adds to the answer to FUSE_INIT what libfuse 3.14 cannot say. */
ssize_t wire_writev(int fd, struct iovec *iov, int count, void *userdata);
ssize_t wire_read(int fd, void *buf, size_t len, void *userdata);
/* Tells the kernel that its copy of an inode's attributes is out of date, and that answers on their
 * way are void. It waits for an inode that is being evicted: only for one that a request of which
 * the answer is still due holds on to. */
void wire_attributes_changed(struct mount *mount, uint64_t ino);
/* Answers a call that goes on with an errno / with attributes, past libfuse when it does not know
 * it. */
void wire_answer_error(struct call *call, int number);
void wire_answer_attr(struct call *call, const struct fs_attr *attr);
/* The same of the call's inode, on a worker, for one that nobody may hold. Ends the call, which has
 * been answered. */
void wire_attributes_changed_later(struct call *call);
/* Makes the kernel write back, and drop, the pages of the call's file; flushed(call) runs once,
 * later, on the loop. */
void wire_write_back(struct call *call, void (*flushed)(struct call *call));
/* The arguments of the request being dispatched. */
const void *wire_arguments(const struct mount *mount);

/* --- the families of operations --- */

extern const struct fuse_lowlevel_ops mount_ops;

void op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name);
void op_forget(fuse_req_t req, fuse_ino_t ino, uint64_t count);
void op_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *forgets);
void op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void op_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *st, int to_set,
                struct fuse_file_info *fi);
void op_statfs(fuse_req_t req, fuse_ino_t ino);

void op_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t rdev);
void op_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
               struct fuse_file_info *fi);
void op_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode);
void op_symlink(fuse_req_t req, const char *target, fuse_ino_t parent, const char *name);
void op_readlink(fuse_req_t req, fuse_ino_t ino);
void op_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t parent, const char *name);
void op_unlink(fuse_req_t req, fuse_ino_t parent, const char *name);
void op_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name);
void op_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t parent2,
               const char *name2, unsigned flags);

void op_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi);
void op_write(fuse_req_t req, fuse_ino_t ino, const char *data, size_t size, off_t offset,
              struct fuse_file_info *fi);
void op_fsync(fuse_req_t req, fuse_ino_t ino, int data_only, struct fuse_file_info *fi);
void op_fallocate(fuse_req_t req, fuse_ino_t ino, int mode, off_t offset, off_t length,
                  struct fuse_file_info *fi);
void op_lseek(fuse_req_t req, fuse_ino_t ino, off_t offset, int whence, struct fuse_file_info *fi);
void op_copy(fuse_req_t req, fuse_ino_t from, off_t from_offset, struct fuse_file_info *from_fi,
             fuse_ino_t to, off_t to_offset, struct fuse_file_info *to_fi, size_t length,
             int flags);

void op_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t cookie,
                struct fuse_file_info *fi);
void op_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t cookie,
                    struct fuse_file_info *fi);

void op_setxattr(fuse_req_t req, fuse_ino_t ino, const char *name, const char *value, size_t size,
                 int flags);
void op_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size);
void op_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size);
void op_removexattr(fuse_req_t req, fuse_ino_t ino, const char *name);

/* --- point.c --- */

/* A sentence and a code when nothing can be mounted on `dir`. */
enum err point_check(const char *dir, struct store_error *error);
/* Device number of what is mounted on `dir`, from the kernel's table. */
bool point_device(const char *dir, uint32_t *major, uint32_t *minor);
/* Blocking. 0 or an errno. `lazy`: also when it is in use, whose users get errors then, as far as
 * this user can bring that about. */
int point_unmount(const char *dir, bool lazy);

#endif
