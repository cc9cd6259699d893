#pragma once

#include <array>
#include <cstddef>
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
  redraw_keeps_number,         // an old answer is taken for one to a later draw
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
};

inline constexpr std::array<std::string_view, 33> mutant_names = {
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
    "redraw_keeps_number",
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
};

#ifdef DYNAMO_MUTANTS
inline Mutant active_mutant = Mutant::none;
inline bool mutated(Mutant mutant) { return active_mutant == mutant; }
#else
constexpr bool mutated(Mutant) { return false; }
#endif

}  // namespace dynamo::core
