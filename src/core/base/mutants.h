/* SPDX-License-Identifier: MIT
 *
 * mutants.h: the names of all deliberate bugs, each with what is wrong then. See mark.h.
 */
#ifndef PACTFS_BASE_MUTANTS_H
#define PACTFS_BASE_MUTANTS_H

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
    X(commit_without_all, "a change is committed when the primary alone has it")              \
    X(answer_before_committed, "a change is answered before it is committed")                 \
    X(read_not_waiting, "a read does not wait for what it rests on to be committed")          \
    X(ack_before_durable, "a backup acknowledges what is not on its disk")                    \
    X(record_over_gap, "a backup takes a record that does not follow the last")               \
    X(view_without_condition, "a view is written whatever stands in the registry")            \
    X(join_before_has_all,                                                                    \
      "a view with a new member is proposed before it has to have everything")                \
    X(join_too_early, "a replica joins that has not caught up")                               \
    X(candidate_takes_less, "a candidate counts on members whose last records it lacks")      \
    X(candidate_alone, "a candidate proposes a view of itself alone")                         \
    X(flush_gives_nothing, "a member gives a candidate none of the records it lacks")         \
    X(join_before_durable, "a replica joins that has everything, but not durably")            \
    X(request_of_old_view, "a request that was sent to an earlier primary is carried out")    \
    X(old_request_taken, "a request of long ago is carried out again")                        \
    X(failed_request_again, "a change that failed is tried again when it comes twice")        \
    X(reply_not_looked_up, "a request that comes again is carried out again")                 \
    X(reply_not_kept, "the reply to a change is not kept")                                    \
    X(commit_of_old_reign, "a request begun in an earlier reign commits in this one")         \
    X(copy_leaves_deleted, "one that copies keeps what the snapshot does not have")           \
    X(copy_trusts_counts, "leaves with as many objects are taken for equal")                  \
    X(torn_takes_part, "a replica that copies takes part as if it had everything")            \
    X(empty_is_whole, "a replica with an empty disk believes that it has everything")         \
    X(received_is_durable, "what a backup has received counts as durable there")              \
    X(sessions_forgotten, "a new primary does not know the sessions of the one before it")    \
    X(slots_share_replies, "all slots of a session keep their replies in one place")          \
    X(copy_ends_early, "a copy ends before everything that was asked for has come")           \
    X(request_gets_new_serial, "a request that is sent to another primary gets a new number") \
    X(torn_not_noted, "one that copies does not note that it is torn")                        \
    X(mend_any_version, "a damaged object is replaced by any version")                        \
    X(orphan_reclaimed_at_once, "an inode without a name is reclaimed at once")               \
    X(orphan_holders_not_asked, "nobody is asked who has an inode without a name open")

#endif
