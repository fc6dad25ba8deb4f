/* SPDX-License-Identifier: MIT
 *
 * holes.h: disk space of an LMDB file's free pages.
 */
#ifndef PACTFS_IO_LMDB_HOLES_H
#define PACTFS_IO_LMDB_HOLES_H

#include <lmdb.h>
#include <stdint.h>

/* Gives back the disk blocks of free pages until the file takes at most `keep` bytes on the disk,
 * or no more can be given back; the file's length and contents stay as they are. Nobody may write
 * to the environment meanwhile. A file system that cannot do it is left alone. Blocking. */
void lmdb_holes_make(MDB_env *env, uint64_t keep);

#endif
