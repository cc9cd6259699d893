#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdlib>
#include <string_view>

// Known mistakes of systems like this one (the traps), each of which a test-only build can make on
// purpose, one at a time: what a checker does not find when it is there, it does not check. Builds
// without DYNAMO_MUTANTS, which are all but that of `./dev sim --mutants`, contain none of it.
namespace dynamo::core {

enum class Mutant {
  none,
  no_dots,                        // a put replaces what its coordinator wrote before (trap A1)
  context_of_record,              // and whatever else the record holds
  actor_kept_over_close,          // a coordinator goes on under its name after a restart (A2)
  actor_kept_after_failed_write,  // and after a write that may not be on the disk
  actor_kept_after_loss,          // and when others know more of it than itself
  history_pruned_on_repair,       // merging forgets what was replaced (A6)
  repair_by_timestamp,            // read repair sends the latest version only
  lww_before_causality,        // a put does not beat what its writer saw if that has a later clock
  lww_retry_redraws,           // a retry draws a clock of its own
  retry_under_new_id,          // the next coordinator is given another write id
  forward_taken_twice,         // a put that a packet brings twice is coordinated twice
  foreign_context_accepted,    // the context of one key serves for another
  stand_in_not_found_counts,   // a stand-in's "not found" counts towards r (B1)
  stored_counts_as_synced,     // a coordinator counts memory as disk
  answered_before_synced,      // a replica says synced before it is
  coordinator_counts_twice,    // w is reached with one node less
  hint_dropped_when_full,      // a stand-in without room says it has taken the write
  hint_deleted_when_sent,      // and does not wait for the owner's word (E1)
  hint_deleted_at_first_word,  // or waits for one of several owners
  hint_before_introduction,    // a node that knows nobody coordinates for owners
  handoff_wakes_for_ever,      // hints are due though nothing can be sent
  tree_forgets_merges,         // a Merkle tree does not follow all writes
  exchange_from_memory,        // a comparison tells of what is on no disk yet
  damaged_is_absent,           // a record that has rotted is taken for none
  rebuilding_is_absent,        // and so is what a lost disk held
  old_copy_served,             // a disk that went back in time is believed (A9)
  reap_without_generations,    // deletes are dropped once all owners have them (B4)
  reap_by_timer,               // or after a while
  reap_without_hints,          // whoever keeps a hint is not waited for (B5)
  seal_left_out,               // owners take sets from before the deletes were dropped
  clock_never_set_right,       // a node that was ahead stays ahead
  answers_of_other_views,      // what was said in another view counts in this one
  w_of_old_side,               // of a partition that moves, w is counted on the side that it leaves
  w_of_new_side,               // or on the one that it goes to
  r_of_old_side,               // the same of r
  r_of_new_side,
  pending_owners_not_written,  // puts go to the old side only (F1)
  move_without_leaver,         // whoever leaves hands nothing over (F2, F3)
  move_from_new_side_only,     // the old side is not compared with
  move_ended_by_first,         // a move is over once one of the new owners is ready
  move_before_view_stored,  // a comparison is answered, and counts, before the view is on the disk
  stores_not_asked_for,     // a new owner compares the stores that it happens to know
  move_starts_over,         // a second change forgets who served before the first
  copy_dropped_at_once,     // whoever owns a partition no more does not offer what it has of it
  copy_ignored_by_reaping,  // and deletes do not wait for it
  hint_goes_with_owner,     // a hint for an owner that is none any more is dropped (E3)
  left_with_hints,          // a node has left before its hints are delivered
  left_with_copies,         // or what it owned
  gone_forgotten,           // views do not name those that have gone (F5)
  vote_not_stored,          // a vote is said before it is on the disk
  votes_forgotten,          // and is not there after a restart
  majority_of_reachable,    // those that can be reached decide alone (F14)
};

inline constexpr std::array<std::string_view, 53> mutant_names = {
    "none",
    "no_dots",
    "context_of_record",
    "actor_kept_over_close",
    "actor_kept_after_failed_write",
    "actor_kept_after_loss",
    "history_pruned_on_repair",
    "repair_by_timestamp",
    "lww_before_causality",
    "lww_retry_redraws",
    "retry_under_new_id",
    "forward_taken_twice",
    "foreign_context_accepted",
    "stand_in_not_found_counts",
    "stored_counts_as_synced",
    "answered_before_synced",
    "coordinator_counts_twice",
    "hint_dropped_when_full",
    "hint_deleted_when_sent",
    "hint_deleted_at_first_word",
    "hint_before_introduction",
    "handoff_wakes_for_ever",
    "tree_forgets_merges",
    "exchange_from_memory",
    "damaged_is_absent",
    "rebuilding_is_absent",
    "old_copy_served",
    "reap_without_generations",
    "reap_by_timer",
    "reap_without_hints",
    "seal_left_out",
    "clock_never_set_right",
    "answers_of_other_views",
    "w_of_old_side",
    "w_of_new_side",
    "r_of_old_side",
    "r_of_new_side",
    "pending_owners_not_written",
    "move_without_leaver",
    "move_from_new_side_only",
    "move_ended_by_first",
    "move_before_view_stored",
    "stores_not_asked_for",
    "move_starts_over",
    "copy_dropped_at_once",
    "copy_ignored_by_reaping",
    "hint_goes_with_owner",
    "left_with_hints",
    "left_with_copies",
    "gone_forgotten",
    "vote_not_stored",
    "votes_forgotten",
    "majority_of_reachable",
};

#ifdef DYNAMO_MUTANTS
// DYNAMO_MUTANT=<name> makes one in any program of such a build.
inline Mutant named_mutant(const char* name) {
  if (name == nullptr) return Mutant::none;
  const auto at = std::find(mutant_names.begin(), mutant_names.end(), name);
  return static_cast<Mutant>(at - mutant_names.begin());  // none of them, if it is unknown
}
inline Mutant active_mutant = named_mutant(std::getenv("DYNAMO_MUTANT"));
inline bool mutated(Mutant mutant) { return active_mutant == mutant; }
#else
constexpr bool mutated(Mutant) { return false; }
#endif

}  // namespace dynamo::core
