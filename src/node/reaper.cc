#include "node/reaper.h"

#include <algorithm>
#include <map>
#include <utility>

#include <fmt/format.h>

#include "base/mutant.h"
#include "node/engine_keys.h"
#include "node/record.h"

namespace dynamo::core {

const StoreFacts* Reaper::store_at(std::uint64_t place) const {
  for (const auto& [name, entry] : state_.stores.entries()) {
    if (store_place(name) == place) return &entry.facts;
  }
  return nullptr;
}

// Nullopt if the record is not to be dropped, or not yet.
std::optional<KeyDigest> Reaper::reapable(const Turn& turn, const ObjectKey& at) const {
  if (state_.trees.pending(at)) return std::nullopt;
  std::optional<KeyDigest> found;
  const std::int64_t now_us = turn.now.wall_us - expiry_margin_us;
  const absl::StatusOr<bool> read = turn.read(object_key(at), [&](std::string_view bytes) {
    const absl::StatusOr<Record> record = decode_record(bytes);
    if (!record.ok() || !record->replica.set.only_deletes_at(now_us)) return;
    found = KeyDigest{at.hash, state_.trees.digest(at.hash, record->replica.set)};
  });
  return read.ok() ? found : std::nullopt;
}

void Reaper::gather(const Turn& turn) {
  gathered_at_ = turn.now.steady;
  std::map<std::pair<std::uint64_t, int>, std::vector<KeyDigest>> records;
  std::size_t gathered = 0;
  for (const ObjectKey& at : state_.trees.deletes()) {
    if (gathered == gathered_max) break;
    const int partition = state_.ring->partition_of(at.hash);
    if (state_.ring->is_moving(partition)) continue;
    const auto owners = state_.ring->preference_list(partition, 1);
    if (owners.empty() || !state_.is_self(state_.ring->members()[owners.front()].name)) continue;
    std::vector<KeyDigest>& list = records[{at.store, partition}];
    if (list.size() == exchange_keys_max) continue;
    if (const auto record = reapable(turn, at)) {
      list.push_back(*record);
      ++gathered;
    }
  }
  if (gathered == gathered_max) gathered_at_ -= period;  // there are more
  for (auto& [place, list] : records) {
    const StoreFacts* store = store_at(place.first);
    if (store == nullptr || list.empty()) continue;
    batches_.push_back({.store = *store,
                        .partition = place.second,
                        .round = rounds_.hurry(place.second, turn.now.steady, turn.now.steady),
                        .records = std::move(list)});
  }
}

void Reaper::confirm(const Turn& turn) {
  if (rounds_seen_ == rounds_.rounds_ended()) return;
  rounds_seen_ = rounds_.rounds_ended();
  for (Batch& batch : batches_) {
    if (mutated(Mutant::reap_by_timer)) batch.is_confirmed = true;
    if (batch.is_confirmed || rounds_.completed(batch.partition) <= batch.round) continue;
    batch.is_confirmed = true;
    batch.confirmed = rounds_.completed_in(batch.partition);
    generations_.wish(batch.confirmed + Generation::grace);
  }
  if (turn.now.steady - gathered_at_ < confirm_timeout) return;
  std::erase_if(batches_, [](const Batch& batch) { return !batch.is_confirmed; });
}

void Reaper::drop(const Turn& turn) {
  std::erase_if(batches_, [&](const Batch& batch) {
    const bool may = batch.is_confirmed && state_.stored_generation.may_drop(batch.confirmed);
    if (may) drop(turn, batch);
    return may;
  });
}

void Reaper::drop(const Turn& turn, const Batch& batch) {
  DropRequest request{.store = batch.store, .confirmed = batch.confirmed};
  for (const KeyDigest& record : batch.records) {
    if (drop(turn, batch.store, record)) request.records.push_back(record);
  }
  if (request.records.empty()) return;
  const int n = std::min(batch.store.n, state_.ring->depth());
  for (const std::string& owner : state_.names(state_.ring->preference_list(batch.partition, n))) {
    if (!state_.is_self(owner)) state_.outbox.send(owner, request, Lane::bulk);
  }
  // Whoever did not hear of it shows in a comparison soon, and not only in a few minutes.
  const TimePoint soon = turn.now.steady + std::chrono::seconds(2);
  rounds_.hurry(batch.partition, soon, soon);
}

bool Reaper::drop(const Turn& turn, const StoreFacts& store, const KeyDigest& record) {
  const ObjectKey at{store_place(store.name), record.key};
  bool same = false;
  const absl::StatusOr<bool> read = turn.read(object_key(at), [&](std::string_view bytes) {
    const absl::StatusOr<Record> held = decode_record(bytes);
    same = held.ok() && state_.trees.digest(at.hash, held->replica.set) == record.digest;
  });
  if (!read.ok() || !same) return false;
  replica_.erase(turn, at, record.digest);
  ++state_.reaped;
  return true;
}

void Reaper::take(const Turn& turn, const DropRequest& request) {
  if (serve(turn, request) || requests_.size() >= requests_max) return;
  requests_.push_back({request, turn.now.steady + request_patience});
}

bool Reaper::serve(const Turn& turn, const DropRequest& request) {
  const StoreTable::Entry* entry = state_.stores.find(request.store.name);
  if (entry == nullptr || entry->facts != request.store || state_.generation.rebuilding)
    return true;
  if (!state_.stored_generation.may_drop(request.confirmed)) return false;
  for (const KeyDigest& record : request.records) drop(turn, request.store, record);
  return true;
}

void Reaper::tick(const Turn& turn) {
  if (state_.ring == nullptr || !state_.takes_writes().ok() || due_ > turn.now.steady) return;
  if (state_.generation.rebuilding || !state_.trees.complete()) return;
  due_ = turn.now.steady + look_again;
  if (batches_.empty() && gathered_at_ + period <= turn.now.steady &&
      !state_.trees.deletes().empty()) {
    gather(turn);
  }
  confirm(turn);
  drop(turn);
  std::erase_if(requests_, [&](const Request& request) {
    return serve(turn, request.drop) || request.until <= turn.now.steady;
  });
}

TimePoint Reaper::next_tick() const {
  const bool idle = batches_.empty() && requests_.empty() && state_.trees.deletes().empty();
  if (idle || state_.ring == nullptr || !state_.takes_writes().ok()) return TimePoint::max();
  if (state_.generation.rebuilding || !state_.trees.complete()) return TimePoint::max();
  const bool rests = batches_.empty() && requests_.empty();
  return rests ? std::max(due_, gathered_at_ + period) : due_;
}

}  // namespace dynamo::core
