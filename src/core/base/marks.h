/* SPDX-License-Identifier: MIT
 *
 * marks.h: the names of all marks, each with what it stands for; those of mutants are in mutants.h.
 * See mark.h.
 */
#ifndef PACTFS_BASE_MARKS_H
#define PACTFS_BASE_MARKS_H

#include "core/base/mutants.h"

/* X(name, what has happened when the branch is taken) */
#define MARK_TABLE(X)                                                                           \
    /* the log */                                                                               \
    X(log_new_segment, "the log went on in another segment")                                    \
    X(log_waits_for_spare, "a commit found no segment ready and had to wait")                   \
    X(log_full, "a commit was refused: the disk is full")                                       \
    X(log_referenced, "a large payload went into the log without a copy")                       \
    X(log_zeros_ahead, "zeros were written ahead of the log")                                   \
    X(log_write_ahead, "much waited, and was written before the sync")                          \
    X(log_group_commit, "one sync answered several requests")                                   \
    X(log_timer, "what nobody waited for was synced after a while")                             \
    X(store_failed, "the disk reported an error, and the store stopped")                        \
    X(room_spare, "no room: a segment is being made")                                           \
    X(room_checkpoint, "no room: the checkpoint under way must end first")                      \
    X(room_pending, "no room: too much waits to be written")                                    \
    /* segments made ahead */                                                                   \
    X(spare_no_space, "no segment could be made: the disk is full")                             \
    X(spare_refused, "the last segments were kept from an ordinary commit")                     \
    X(spare_for_deletion, "a deletion or the cleaner took a segment that was held back")        \
    X(spare_given_up, "a segment made ahead was given up")                                      \
    X(spare_none_at_start, "a store was opened on a full disk, without a segment to write")     \
    X(spare_tried_again, "after a full disk another attempt was made")                          \
    /* checkpoints */                                                                           \
    X(checkpoint_by_limits, "a limit asked for a checkpoint")                                   \
    X(checkpoint_shared, "one checkpoint answered several requests")                            \
    X(checkpoint_asked_again, "another checkpoint was asked for during one")                    \
    X(checkpoint_beside_commits, "something was committed while a checkpoint was written")      \
    X(checkpoint_no_space, "a checkpoint found the disk full, and is tried again")              \
    X(checkpoint_not_at_close, "a store was closed without a checkpoint: the disk is full")     \
    /* recovery */                                                                              \
    X(recovery_clean, "nothing had to be replayed from a segment: the end was orderly")         \
    X(recovery_over_segments, "a replay went over several segments")                            \
    X(recovery_torn_record, "a torn record was the end of the log")                             \
    X(recovery_torn_payload, "a whole record with a torn payload was the end of the log")       \
    X(recovery_gap, "the end of the log was a gap, with a good record behind it")               \
    X(recovery_unfinished_segment, "a segment was met whose making had been cut short")         \
    X(recovery_spilled, "the overlay was written to the index in the middle of a replay")       \
    X(recovery_spare_kept, "a segment made ahead survived and was kept")                        \
    X(recovery_file_removed, "a useless segment file was removed")                              \
    X(recovery_payload_kept, "a payload that had been durable was damaged; the record stayed")  \
    X(recovery_refused, "a record that had been durable was damaged; the start was refused")    \
    X(recovery_passed_over, "a damaged record was passed over while the index was made again")  \
    X(recovery_began_again, "an index that was being made again was left unfinished")           \
    X(recovery_index_damaged, "a damaged index was made again from the log")                    \
    /* cleaning */                                                                              \
    X(cleaner_moved_value, "a value was moved")                                                 \
    X(cleaner_moved_chunks, "chunks of a block were moved")                                     \
    X(cleaner_moved_deletion, "a deletion was moved: older bytes may still be in the log")      \
    X(cleaner_moved_hole, "a hole was moved")                                                   \
    X(cleaner_forgot_deletion, "a deletion that hides nothing any more was forgotten")          \
    X(cleaner_forgot_hole, "a hole that hides nothing any more was forgotten")                  \
    X(cleaner_empty_segment, "a segment without live bytes went at once")                       \
    X(cleaner_deletions_last, "a segment of many deletions was cleaned, as the last")           \
    X(cleaner_waited, "the cleaner had to wait for room")                                       \
    X(cleaner_held, "a tail was opened at the segment that was being cleaned")                  \
    X(cleaner_before_guard, "a segment was cleaned because an adopted record hides some of it") \
    X(cleaner_gave_up, "the cleaner kept a segment that cannot be read")                        \
    /* reading */                                                                               \
    X(read_from_memory, "bytes were read that were not in a file yet")                          \
    X(read_later, "a read waited for the disk")                                                 \
    X(read_partly_at_hand, "the kernel had only the first part of a read at hand")              \
    X(read_part_of_chunk, "a part of a chunk was read, by way of the whole chunk")              \
    X(read_refused, "a chunk did not match its checksum and was refused")                       \
    X(tail_waited, "a tail met a record of which only a part was in the file")                  \
    X(lookup_frozen, "an answer came from the overlay that a checkpoint is writing")            \
    X(lookup_hidden, "an entry of the index on disk was hidden by memory")                      \
    X(commit_abolished, "a commit met a deletion of a past that was given up")                  \
    X(apply_moved, "a replay or the cleaner put a version at a later place")                    \
    /* the replica manager */                                                                   \
    X(fetch_later, "an operation waited for chunks to be read")                                 \
    X(conflict_rerun, "what an operation had read was changed meanwhile; it ran again")         \
    X(conflict_alone, "an operation that lost too often was left alone")                        \
    X(conflict_waited, "an operation waited for the one that was alone")                        \
    X(orphan_reclaimed, "an orphan of an earlier run was reclaimed")                            \
    X(orphan_in_use, "an orphan of this run was left to those who have it open")                \
    X(read_without_atime, "a read succeeded although its access time could not be written")     \
    /* the file service */                                                                      \
    X(undone, "an operation that failed had written, and was taken back")                       \
    X(unlink_last_name, "the last name of an inode went")                                       \
    X(link_nameless, "a file without a name was given one")                                     \
    X(reclaim_named, "an orphan was to be reclaimed that has a name by now")                    \
    X(rename_replaced, "a rename took the last name of what it replaced")                       \
    X(rename_replaced_dir, "a rename replaced a directory")                                     \
    X(rename_exchanged_dirs, "two directories with different parents were exchanged")           \
    X(rename_same_file, "a rename met two names of one file")                                   \
    X(rename_into_itself, "a directory was to be moved below itself")                           \
    X(read_hole_and_data, "a read met both a hole and data")                                    \
    X(write_over_edges, "a write began and ended inside chunks, with old bytes behind it")      \
    X(write_into_hole, "a part of a chunk was written where a hole was")                        \
    X(truncate_inside_chunk, "a file was cut inside a chunk")                                   \
    X(zero_inside_chunk, "zeros were made inside a single chunk")                               \
    X(zero_whole_block, "all that was left of a block became a hole")                           \
    X(copy_hole, "a hole was copied as a hole")                                                 \
    X(copy_apart, "bytes were copied between different places of their chunks")                 \
    X(xattr_long, "a long attribute value went into a block")                                   \
    /* primary copy */                                                                          \
    X(candidate, "a backup proposed itself as the primary")                                     \
    X(candidate_gave_up, "a candidate heard of the primary again, and follows it")              \
    X(candidate_yields, "of two candidates the one with the greater number gave way")           \
    X(flush_refused, "a candidate was refused: the primary is heard of from there")             \
    X(heartbeat_of_old_view, "a heartbeat came from the primary of an earlier view")            \
    X(primary_restarted, "a primary lost its memory, and begins a new view")                    \
    X(primary_resigned, "a backup was told that the primary has stopped")                       \
    X(replica_cannot_read, "a replica could not read something, and another answered")          \
    X(primary_stands_still, "a primary whose disk does not answer gave up")                     \
    X(proposal_lost, "another view was agreed on first")                                        \
    X(proposal_unsure, "it is not known whether a proposed view stands")                        \
    X(suspect_lost, "a replica was suspected because its connection had broken")                \
    X(suspect_slow, "a replica was suspected because its disk is slow")                         \
    X(member_diverged, "a member had records that no view has")                                 \
    X(member_lost_its_disk, "a member came back with less than everything")                     \
    X(record_gap, "a record came that does not follow the last")                                \
    X(stream_rewound, "records were lost on the way and sent again")                            \
    X(stream_from_log, "a replica was sent records from the log on the disk")                   \
    X(stream_log_gone, "the log does not reach back to what a replica has")                     \
    X(stream_left_behind, "a replica is further behind than the records in memory")             \
    X(copy_asked_less, "objects that came were more than a segment takes: fewer at once")       \
    X(snapshot_offered, "a replica that joins was given a snapshot to copy")                    \
    X(repair_gave_way, "a copy rested because there were calls")                                \
    X(donor_gave_up, "a replica that copied was not heard of for long")                         \
    X(copy_leaf_same, "a leaf of the hash tree was the same")                                   \
    X(copy_leaf_differs, "a leaf of the hash tree differed")                                    \
    X(mend_other_version, "a damaged object had another version elsewhere")                     \
    X(near_behind, "a copy that should have answered a read was behind its client")             \
    X(failure_repeated, "a failed change that came again was answered as before")               \
    X(reply_repeated, "a change that came again was answered as before, and not made")          \
    X(change_held, "a change had to wait for room")                                             \
    X(session_expired, "a session was not heard of for long")                                   \
    X(replica_broken, "the store of a replica failed")

enum mark {
#define X(name, text) MARK_##name,
    MARK_TABLE(X)
#undef X
        MARK_COUNT
};

enum mutant {
    MUTANT_NONE = 0,
#define X(name, text) MUTANT_##name,
    MUTANT_TABLE(X)
#undef X
        MUTANT_COUNT
};

#endif
