#include "node/cluster_status.h"

#include <algorithm>
#include <set>
#include <string_view>

#include <fmt/format.h>

namespace dynamo::core {

namespace {

// How many copies of partitions each member holds, for a store of n replicas.
std::vector<int> copies_held(const PartitionMap& ring, int n) {
  std::vector<int> copies(ring.members().size());
  for (int partition = 0; partition < ring.partitions(); ++partition) {
    for (const MemberIndex owner : ring.preference_list(partition, n)) ++copies[owner];
  }
  return copies;
}

void note_shortfalls(const NodeState& state, ClusterStatus& status) {
  int owning = 0;
  std::set<std::string_view> zones;
  bool zoned = true;
  for (const Member& member : state.ring->members()) {
    if (member.weight <= 0) continue;
    ++owning;
    zones.insert(member.zone);
    zoned = zoned && !member.zone.empty();
  }
  for (const auto& [name, entry] : state.stores.entries()) {
    const int n = entry.facts.n;
    if (owning < n) {
      status.notes.push_back(
          fmt::format("store \"{}\" has n={}, but only {} members own data: keys have {} replicas",
                      name, n, owning, owning));
    } else if (zoned && static_cast<int>(zones.size()) < n) {
      status.notes.push_back(
          fmt::format("store \"{}\" has n={}, but there are only {} zones: some hold two replicas",
                      name, n, zones.size()));
    }
  }
}

// So much older than it ever is when all owners can be reached.
constexpr TimePoint horizon_expected = std::chrono::minutes(20);

void note_repair(const NodeState& state, TimePoint now, ClusterStatus& status) {
  status.damaged_records = state.trees.damaged_records();
  if (state.trees.damaged_records() > 0) {
    status.notes.push_back(
        fmt::format("{} records of this node are damaged and wait to be repaired from their other "
                    "owners",
                    state.trees.damaged_records()));
  }
  if (state.horizon.empty()) return;
  const RepairHorizon::Oldest oldest = state.horizon.oldest();
  const TimePoint age = now - oldest.at;
  status.repair_horizon = std::chrono::duration_cast<std::chrono::milliseconds>(age);
  if (age <= horizon_expected) return;
  status.notes.push_back(
      fmt::format("partition {} was last found equal on all its owners {} min ago",
                  oldest.partition, std::chrono::duration_cast<std::chrono::minutes>(age).count()));
}

// So long the cluster may take from one generation to the next.
constexpr TimePoint generation_expected = std::chrono::seconds(30);

void note_generation(const NodeState& state, TimePoint now, ClusterStatus& status) {
  if (state.generation.rebuilding) {
    status.notes.push_back(
        fmt::format("this node's disk was lost: {} partitions are being fetched from their other "
                    "owners, and not answered for",
                    state.rebuilding.size()));
  }
  if (now - state.generation_since <= generation_expected) return;
  std::vector<std::string> absent;  // the first member knows; the others, who is unreachable
  for (const Member& member : state.ring->members()) {
    const bool unsettled = std::ranges::find(state.unsettled, member.name) != state.unsettled.end();
    if (unsettled || !state.unreachable_reason(member.name, now).empty()) {
      absent.push_back(member.name);
    }
  }
  if (absent.empty()) return;
  status.notes.push_back(fmt::format("deletes are kept until {} has settled in generation {}",
                                     fmt::join(absent, ", "), state.generation.current));
}

void note_background(const NodeState& state, ClusterStatus& status) {
  if (state.background.slowdown_now() == 1) return;
  status.notes.push_back(
      fmt::format("requests take long, so background work makes pauses {} times as long as usual",
                  state.background.slowdown_now()));
}

void list_transfers(const NodeState& state, TimePoint now, ClusterStatus& status) {
  const int n = std::min(state.largest_n(), state.ring->depth());
  for (const auto& [partition, transfer] : state.transfers) {
    if (!state.ring->is_moving(partition)) continue;
    status.transfers.push_back(
        {.partition = partition,
         .from = state.names(state.ring->preference_list(partition, n)),
         .to = state.names(state.ring->pending_owners(partition, n)),
         .ready = transfer.is_ready,
         .attempts = static_cast<int>(transfer.begun),
         .bytes = transfer.bytes,
         .age = std::chrono::duration_cast<std::chrono::milliseconds>(now - transfer.since),
         .trouble = transfer.trouble});
  }
}

void note_moves(const NodeState& state, ClusterStatus& status) {
  if (status.moves == 0 && state.former.empty()) return;
  std::string text = fmt::format("{} partitions are moving", status.moves);
  const auto ready = std::ranges::count_if(status.transfers, &TransferStatus::ready);
  if (!status.transfers.empty()) {
    text += fmt::format("; this node gets {} and has {} of them", status.transfers.size(), ready);
  }
  const auto troubled = std::ranges::find_if(status.transfers, [](const TransferStatus& transfer) {
    return !transfer.ready && !transfer.trouble.empty();
  });
  if (troubled != status.transfers.end()) {
    text +=
        fmt::format(", and is held up by partition {}: {}", troubled->partition, troubled->trouble);
  }
  if (!state.former.empty()) {
    text += fmt::format("; it gives up {} that it owns no more", state.former.size());
  }
  status.notes.push_back(std::move(text));
}

bool keeps_quorum(const NodeState& state, std::span<const MemberIndex> owners) {
  std::size_t reachable = 0;
  for (const std::string& name : state.names(owners)) {
    reachable += !state.is_self(name) && state.detector.reachable(name) ? 1U : 0U;
  }
  return owners.empty() || reachable > owners.size() / 2;
}

}  // namespace

bool can_stop(const NodeState& state) {
  if (state.ring == nullptr) return true;
  for (const auto& [name, entry] : state.stores.entries()) {
    const int n = std::min(entry.facts.n, state.ring->depth());
    for (int partition = 0; partition < state.ring->partitions(); ++partition) {
      const bool current = keeps_quorum(state, state.ring->preference_list(partition, n));
      if (!current || !keeps_quorum(state, state.ring->pending_owners(partition, n))) return false;
    }
  }
  return true;
}

ClusterStatus cluster_status(const NodeState& state, const Now& at) {
  const TimePoint now = at.steady;
  ClusterStatus status{.cluster = state.settings.cluster_label};
  status.hints = state.hints.hints().size();
  status.hint_bytes = state.hints.bytes();
  if (status.hints > 0) {
    const std::int64_t age_us = std::max<std::int64_t>(0, at.wall_us - state.hints.oldest_us());
    status.oldest_hint = std::chrono::milliseconds(age_us / 1000);
  }
  for (const absl::Status& trouble : {state.out_of_service, state.storage_failed}) {
    if (!trouble.ok()) status.notes.emplace_back(trouble.message());
  }
  if (state.ring == nullptr) {
    status.notes.emplace_back("waiting for the first view of the cluster");
    return status;
  }
  const PartitionMap& ring = *state.ring;
  status.view = ring.view_number();
  const std::vector<int> copies = copies_held(ring, state.largest_n());
  int total = 0;
  for (const int held : copies) total += held;
  for (std::size_t i = 0; i < ring.members().size(); ++i) {
    const Member& member = ring.members()[i];
    const std::string unreachable = state.unreachable_reason(member.name, now);
    status.members.push_back({.name = member.name,
                              .address = member.address,
                              .zone = member.zone,
                              .weight = member.weight,
                              .state = member.state,
                              .reachable = unreachable.empty(),
                              .owned = total == 0 ? 0 : static_cast<double>(copies[i]) / total,
                              .hints_owed = state.hints.owed_to(state.identity_of(member.name)),
                              .round_trip = std::chrono::duration_cast<std::chrono::milliseconds>(
                                  state.detector.round_trip_of(member.name))});
    if (!unreachable.empty()) {
      status.notes.push_back(fmt::format("{} is unreachable: {}", member.name, unreachable));
    }
  }
  for (int partition = 0; partition < ring.partitions(); ++partition) {
    status.moves += ring.is_moving(partition) ? 1 : 0;
  }
  list_transfers(state, now, status);
  note_shortfalls(state, status);
  note_repair(state, now, status);
  note_generation(state, now, status);
  note_moves(state, status);
  note_background(state, status);
  return status;
}

}  // namespace dynamo::core
