/* SPDX-License-Identifier: MIT
 *
 * marks.h: the names of all marks and mutants, each with what it stands for. See mark.h.
 */
#ifndef PACTFS_BASE_MARKS_H
#define PACTFS_BASE_MARKS_H

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
    X(apply_supplanted, "a commit replaced a deletion of an abandoned past")                    \
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
    X(donor_gave_up, "a replica that copied was not heard of for long")                         \
    X(copy_leaf_same, "a leaf of the hash tree was the same")                                   \
    X(copy_leaf_differs, "a leaf of the hash tree differed")                                    \
    X(mend_other_version, "a damaged object had another version elsewhere")                     \
    X(near_behind, "a copy that should have answered a read was behind its client")             \
    X(failure_repeated, "a failed change that came again was answered as before")               \
    X(reply_repeated, "a change that came again was answered as before, and not made")          \
    X(session_expired, "a session was not heard of for long")                                   \
    X(replica_broken, "the store of a replica failed")

/* X(name, what the program does wrong) */
#define MUTANT_TABLE(X)                                                                       \
    /* the log */                                                                             \
    X(log_skip_sync, "the log is written but not synced")                                     \
    X(log_syncs_last_file, "of several segments written, only the last is synced")            \
    X(log_error_ignored, "a failed write or sync of the log is taken for a good one")         \
    X(log_durable_ahead, "records say that the log was durable up to themselves")             \
    X(log_loses_entry, "the last entry of a record is left out of the log")                   \
    X(log_timer_lost, "what nobody waits for is never synced")                                \
    X(sync_waits_for_less, "a sync covers only what had been written when it began")          \
    X(frame_unchecked, "the checksum of a frame is not looked at")                            \
    X(spare_dir_unsynced, "new segment files are used before their directory was synced")     \
    X(spare_unreserved, "segment files are made without disk space")                          \
    /* checkpoints */                                                                         \
    X(checkpoint_before_log, "a checkpoint is written before the log is durable")             \
    X(checkpoint_noted_late, "the place to replay from is taken after the log was synced")    \
    X(checkpoint_loses_object, "a checkpoint leaves its last object out")                     \
    X(checkpoint_drops_new, "what was committed during a checkpoint is dropped with it")      \
    X(checkpoint_keeps_dropped, "a checkpoint leaves superseded versions in the index")       \
    X(checkpoint_forgets_segment, "a checkpoint leaves the last segment out of its table")    \
    /* recovery */                                                                            \
    X(recovery_one_segment, "a replay ends with the first segment")                           \
    X(recovery_skips_deletes, "a replay passes over deletions")                               \
    X(recovery_keeps_index, "a replay does not change what the index has already")            \
    X(recovery_stamp_lost, "the greatest stamp is forgotten with a restart")                  \
    X(recovery_ino_lost, "the greatest inode number is forgotten with a restart")             \
    X(recovery_tail_kept, "what lies behind the end of the log stays there")                  \
    X(recovery_cuts_early, "the log is cut a little before its end")                          \
    X(recovery_skips_sync, "what a replay read is taken for durable as it is")                \
    X(recovery_trusts_cache, "what a replay read is synced, but not written again")           \
    X(recovery_payload_unchecked, "a replay takes a record whose payload is torn")            \
    /* the index, reading and cleaning */                                                     \
    X(lookup_skips_frozen, "lookups pass over the overlay that a checkpoint is writing")      \
    X(walk_skips_memory, "scans pass over what only memory has")                              \
    X(apply_loses_chunk, "the last chunk of a longer write is not put into the index")        \
    X(read_unchecked, "chunks are served whatever their checksum says")                       \
    X(cleaner_forgets_live, "the cleaner forgets objects that still exist")                   \
    X(cleaner_forgets_deletions, "the cleaner forgets deletions while old bytes are there")   \
    X(cleaner_moves_dead, "the cleaner writes overwritten values again, as the newest")       \
    X(cleaner_removes_early, "a cleaned file goes before a checkpoint without it is durable") \
    /* replicas */                                                                            \
    X(note_not_logged, "the note is kept in memory only")                                     \
    X(recovery_base_lost, "where a readable log begins is forgotten with a restart")          \
    X(tail_skips_gap, "a tail passes over records that are gone")                             \
    X(tail_ignores_adopted, "a tail passes over adopted records")                             \
    X(tail_holds_nothing, "the cleaner takes segments that a tail has yet to read")           \
    X(adopt_keeps_newer, "an adopted object does not replace a newer one")                    \
    X(apply_keeps_divergent, "a commit does not replace deletions of an abandoned past")      \
    X(adopt_guards_nothing, "the cleaner takes adopted records before what they replace")     \
    X(digest_without_stamp, "digests of objects leave their stamps out")                      \
    X(ship_payload_unchecked, "a record from elsewhere is taken with a damaged payload")      \
    /* the replica manager */                                                                 \
    X(reply_before_durable, "a request is answered before its commit is durable")             \
    X(read_set_unchecked, "an operation commits although what it read has changed")           \
    X(commit_in_two, "the write set of an operation is committed in two halves")              \
    X(nospc_half, "a commit that the full disk refuses leaves its first half")                \
    X(write_set_loses_holes, "holes are not part of the write set")                           \
    /* the file service */                                                                    \
    X(rename_keeps_old, "a rename leaves the old name where it was")                          \
    X(rename_keeps_replaced, "what a rename replaced keeps its link count")                   \
    X(rename_loses_link, "a directory moved under another is not counted there")              \
    X(rename_loop, "a directory can be moved below itself")                                   \
    X(unlink_keeps_count, "unlink does not decrease the link count")                          \
    X(rmdir_keeps_count, "rmdir does not decrease the link count of the parent")              \
    X(orphan_mark_lost, "what loses its last name is not marked as an orphan")                \
    X(link_keeps_mark, "a file without a name that is given one stays marked as an orphan")   \
    X(reclaim_leaves_data, "an orphan's data stay behind")                                    \
    X(append_at_offset, "O_APPEND writes at the offset that came with the request")           \
    X(write_cuts_chunk, "a write inside a chunk loses the bytes behind it")                   \
    X(truncate_keeps_tail, "a file that is cut and grown again shows the old bytes")          \
    X(punch_too_much, "a hole takes one chunk more than it should")                           \
    X(read_wrong_block, "a read that enters a second block gets the first one again")         \
    X(listing_loses_name, "a listing leaves out the last of several names")                   \
    /* primary copy: views, leases, agreement, requests, repair */                            \
    X(primary_serves_without_lease, "a primary answers whatever its lease says")              \
    X(takeover_within_lease, "a backup takes over while the primary may hold its lease")      \
    X(serve_before_settled, "a new primary serves before its members have what it has")       \
    X(commit_without_all, "a change is committed when the primary alone has it")              \
    X(answer_before_committed, "a change is answered before it is committed")                 \
    X(read_not_waiting, "a read does not wait for what it rests on to be committed")          \
    X(ack_before_durable, "a backup acknowledges what is not on its disk")                    \
    X(record_over_gap, "a backup takes a record that does not follow the last")               \
    X(answer_while_frozen, "one that gave a candidate its records goes on following")         \
    X(candidate_takes_less, "a candidate does not wait for records that others have more")    \
    X(candidate_alone, "a candidate proposes itself without waiting for the others")          \
    X(flush_gives_nothing, "a candidate is not given the records that it lacks")              \
    X(view_without_condition, "a view is written whatever stands in the registry")            \
    X(join_before_has_all,                                                                    \
      "a view with a new member is proposed before it has to have everything")                \
    X(join_too_early, "a replica joins that has not caught up")                               \
    X(join_before_durable, "a replica joins that has everything, but not durably")            \
    X(request_of_old_view, "a request that was sent to an earlier primary is carried out")    \
    X(old_request_taken, "a request of long ago is carried out again")                        \
    X(failed_request_again, "a change that failed is tried again when it comes twice")        \
    X(reply_not_looked_up, "a request that comes again is carried out again")                 \
    X(reply_not_kept, "the reply to a change is not kept")                                    \
    X(commit_of_old_reign, "a request begun in an earlier reign commits in this one")         \
    X(copy_leaves_deleted, "one that copies keeps what the snapshot does not have")           \
    X(copy_trusts_counts, "leaves with as many objects are taken for equal")                  \
    X(torn_not_noted, "one that copies does not note that it is torn")                        \
    X(mend_any_version, "a damaged object is replaced by any version")                        \
    X(orphan_reclaimed_at_once, "an inode without a name is reclaimed at once")               \
    X(orphan_holders_not_asked, "nobody is asked who has an inode without a name open")

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
