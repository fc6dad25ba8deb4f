/* SPDX-License-Identifier: MIT
 *
 * err.h: every error PactFS can report, in one table.
 *
 * Functions return `enum err`; OK is zero. A code is raised in one place for one cause, carried
 * unchanged through the layers, and turned into an errno only at the edge that speaks POSIX (the
 * mount) by err_errno(). Each row: name, errno at the edge, a sentence for people.
 */
#ifndef PACTFS_BASE_ERR_H
#define PACTFS_BASE_ERR_H

#include <errno.h>

#define ERR_TABLE(X)                                                              \
    /* the file service: what POSIX calls the error */                            \
    X(NOENT, ENOENT, "no such file or directory")                                 \
    X(EXIST, EEXIST, "the name exists already")                                   \
    X(NOTDIR, ENOTDIR, "not a directory")                                         \
    X(ISDIR, EISDIR, "is a directory")                                            \
    X(NOTEMPTY, ENOTEMPTY, "the directory is not empty")                          \
    X(ACCES, EACCES, "permission denied")                                         \
    X(PERM, EPERM, "operation not permitted")                                     \
    X(INVAL, EINVAL, "invalid argument")                                          \
    X(NAMETOOLONG, ENAMETOOLONG, "the name is longer than 255 bytes")             \
    X(MLINK, EMLINK, "too many links")                                            \
    X(FBIG, EFBIG, "the file would be larger than the volume allows")             \
    X(NODATA, ENODATA, "no such attribute")                                       \
    X(RANGE, ERANGE, "the result does not fit the buffer")                        \
    X(XATTR_TOO_BIG, E2BIG, "the attribute's value is too large")                 \
    X(XATTR_NOSPC, ENOSPC, "the inode has no room for more attributes")           \
    X(DIR_COLLISION, ENOSPC, "too many names in the directory share one hash")    \
    X(NXIO, ENXIO, "no data or hole at or after that offset")                     \
    X(NOTSUP, EOPNOTSUPP, "not supported")                                        \
    X(NOSYS, ENOSYS, "not implemented")                                           \
    X(STALE, ESTALE, "the file no longer exists")                                 \
    X(LOOP, ELOOP, "a directory cannot be moved into itself")                     \
    X(BUSY, EBUSY, "in use")                                                      \
    X(TXTBSY, ETXTBSY, "the file is being executed")                              \
    /* resources */                                                               \
    X(NOSPC, ENOSPC, "the disk under the store is full")                          \
    X(NOMEM, ENOMEM, "out of memory")                                             \
    X(LIMIT, ENOBUFS, "a limit of the volume is reached")                         \
    X(AGAIN, EAGAIN, "not possible right now without waiting")                    \
    /* control flow inside the core; never reaches an edge */                     \
    X(NEED, EIO, "the workspace lacks an object")                                 \
    X(CONFLICT, EAGAIN, "the objects that were read have changed since")          \
    /* disks and stores */                                                        \
    X(IO, EIO, "the disk under the store reported an error")                      \
    X(CORRUPT, EIO, "stored bytes do not match their checksum")                   \
    X(NOT_A_STORE, EINVAL, "the directory is not a PactFS store")                 \
    X(NEWER_FORMAT, EINVAL, "the store was written by a newer version of PactFS") \
    X(MISSING_SEGMENT, EIO, "a segment file of the store is missing")             \
    X(SHORT_SEGMENT, EIO, "a segment file of the store is shorter than it was")   \
    X(DAMAGED_RECORD, EIO, "a record that had been made durable is damaged")      \
    X(INDEX, EIO, "the index of the store cannot be read")                        \
    X(LOCKED, EBUSY, "the store is in use by another process")                    \
    X(READ_ONLY, EROFS, "the store cannot be written")                            \
    X(FAILED, EIO, "the store stopped after a disk error")                        \
    X(SNAPSHOT_GONE, ESTALE, "that version is no longer kept")                    \
    X(CRASHED, EIO, "the machine crashed (simulated)")                            \
    /* input from outside */                                                      \
    X(DECODE, EPROTO, "the bytes are not a valid message")                        \
    X(USAGE, EINVAL, "the request is not understood")                             \
    X(CONTRACT, EINVAL, "the contract is not legal")                              \
    X(UNREACHABLE, ECONNREFUSED, "no PactFS is running there")                    \
    X(MOUNT, EIO, "the mount could not be made")                                  \
    X(TIMEOUT, ETIMEDOUT, "no answer in time")                                    \
    /* groups of replicas */                                                      \
    X(LOG_GONE, EIO, "the log does not reach back that far")                      \
    X(MOVED, EAGAIN, "another replica is the primary")                            \
    X(NO_VIEW, EIO, "too few replicas are in reach")                              \
    X(SESSION, ESTALE, "the session has ended")                                   \
    X(REGISTRY, EIO, "the registry is not in reach")                              \
    X(CERTIFICATE, EACCES, "the certificate is not accepted")                     \
    X(NO_VOLUME, ENOENT, "there is no such volume in the cell")

enum err {
    OK = 0,
#define X(name, number, text) ERR_##name,
    ERR_TABLE(X)
#undef X
        ERR_COUNT
};

/* The errno for the edge: a positive number, 0 for OK, EIO for a value not in the table. */
int err_errno(enum err e);

/* The code's name ("NOENT") and its sentence; static strings, never NULL. */
const char *err_name(enum err e);
const char *err_text(enum err e);

/* The code for an errno reported by the operating system. Codes of the file-service group map back
 * one to one; ENOSPC and EDQUOT give NOSPC, EROFS READ_ONLY, EINTR/EAGAIN AGAIN; anything else IO.
 */
enum err err_from_errno(int number);

#endif
