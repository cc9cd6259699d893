#include "node/former_copies.h"

#include <algorithm>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/mutant.h"
#include "node/engine_keys.h"
#include "node/record.h"

namespace dynamo::core {

void FormerCopies::find() {
  if (found_in_ == state_.ring) return;
  found_in_ = state_.ring;
  state_.former.clear();
  for (const auto& [name, entry] : state_.stores.entries()) {
    const std::uint64_t place = store_place(name);
    const int n = std::min(entry.facts.n, state_.ring->depth());
    for (int partition = 0; partition < state_.ring->partitions(); ++partition) {
      const auto index = static_cast<std::uint32_t>(partition);
      if (state_.owns(state_.self.name, n, index) || !state_.trees.holds(place, index)) continue;
      state_.former.insert(partition);
    }
  }
  std::erase_if(offered_, [&](const auto& one) { return !state_.former.contains(one.first); });
  state_.former_known = state_.view.number;
  due_ = {};
}

void FormerCopies::tick(const Turn& turn) {
  if (state_.ring == nullptr || !state_.trees.complete() || !state_.takes_writes().ok()) return;
  find();
  const TimePoint now = turn.now.steady;
  if (state_.former.empty() || due_ > now) return;
  due_ = now + again;
  constexpr TimePoint hurry = std::chrono::seconds(10);
  const std::set<int> former = state_.former;
  for (const int partition : former) {
    const auto offered = offered_.find(partition);
    if (mutated(Mutant::copy_dropped_at_once)) {
      drop(turn, partition);
    } else if (offered == offered_.end()) {
      offered_[partition] = rounds_.hurry(partition, now, now + hurry);
    } else if (rounds_.completed(partition) > offered->second) {
      drop(turn, partition);
    } else if (rounds_.idle(partition)) {
      rounds_.hurry(partition, now, now + hurry);
    }
  }
}

// As much as one turn may; the rest follows at once.
void FormerCopies::drop(const Turn& turn, int partition) {
  std::size_t budget = dropped_max;
  for (const auto& [name, entry] : state_.stores.entries()) {
    const int n = std::min(entry.facts.n, state_.ring->depth());
    if (state_.owns(state_.self.name, n, static_cast<std::uint32_t>(partition))) continue;
    if (drop(turn, entry.facts, partition, budget)) continue;
    due_ = turn.now.steady;
    return;
  }
  state_.former.erase(partition);
  offered_.erase(partition);
}

// Returns whether nothing is left of the store.
bool FormerCopies::drop(const Turn& turn, const StoreFacts& store, int partition,
                        std::size_t& budget) {
  const std::uint64_t place = store_place(store.name);
  const int bits = state_.trees.partition_bits();
  const KeyHash first{static_cast<std::uint64_t>(partition) << (64 - bits), 0};
  std::vector<std::pair<ObjectKey, Hash128>> records;
  bool more = false;
  const auto visit = [&](std::string_view key, std::string_view bytes) {
    const std::optional<ObjectKey> at = parse_object_key(key);
    if (!at || at->store != place || state_.ring->partition_of(at->hash) != partition) return;
    const absl::StatusOr<Record> record = decode_record(bytes);
    records.emplace_back(
        *at, record.ok() ? state_.trees.digest(at->hash, record->replica.set) : Hash128{});
    more = records.size() == budget;
  };
  if (budget == 0) return false;
  const auto scanned = turn.own.scan(object_key({place, first}), budget, visit);
  if (!scanned.ok()) return false;
  for (const auto& [at, digest] : records) replica_.erase(turn, at, digest);
  budget -= records.size();
  return !more;
}

TimePoint FormerCopies::next_tick() const {
  if (state_.ring == nullptr || !state_.trees.complete() || !state_.takes_writes().ok()) {
    return TimePoint::max();
  }
  if (found_in_ != state_.ring) return TimePoint{};
  return state_.former.empty() ? TimePoint::max() : due_;
}

}  // namespace dynamo::core
