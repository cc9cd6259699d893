#include "node/reaper.h"

#include <algorithm>
#include <map>
#include <utility>

#include <fmt/format.h>

#include "base/mutant.h"
#include "node/engine_keys.h"
#include "node/record.h"

namespace dynamo::core {

namespace {

bool has(const StoreTable& stores, const StoreFacts& facts) {
  const StoreTable::Entry* entry = stores.find(facts.name);
  return entry != nullptr && entry->facts == facts;
}

}  // namespace

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

bool Reaper::leads(int partition) const {
  const auto owners = state_.ring->preference_list(partition, 1);
  return !owners.empty() && state_.is_self(state_.ring->members()[owners.front()].name);
}

// One slice. The deletes are in the order of their hashes, so a slice is of few partitions.
std::size_t Reaper::gather(const Turn& turn) {
  std::map<std::pair<std::uint64_t, int>, std::vector<KeyDigest>> records;
  std::optional<ObjectKey> left;  // the first of them
  std::size_t read = 0;
  std::size_t seen = 0;
  state_.trees.each_delete(gathering_from_.value_or(ObjectKey{}), [&](const ObjectKey& at) {
    if (read >= slice || seen >= seen_max) {
      left = at;
      return false;
    }
    ++seen;
    const int partition = state_.ring->partition_of(at.hash);
    if (state_.ring->is_moving(partition) || !leads(partition)) return true;
    ++read;
    if (const auto record = reapable(turn, at)) {
      records[{at.store, partition}].push_back(*record);
    }
    return true;
  });
  gathered_ += read;
  gathered_at_ = turn.now.steady;
  const bool more = left && gathered_ < gathered_max;
  gathering_from_ = more ? left : std::nullopt;
  // Those that are left need not wait.
  if (left && !more) gathered_at_ -= period;
  if (!more) gathered_ = 0;
  for (auto& [place, list] : records) {
    const StoreFacts* store = store_at(place.first);
    if (store == nullptr) continue;
    batches_.push_back({.store = *store,
                        .partition = place.second,
                        .round = rounds_.hurry(place.second, turn.now.steady, turn.now.steady),
                        .records = std::move(list)});
  }
  return more ? std::max<std::size_t>(read, 1) : read;
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

std::size_t Reaper::drop(const Turn& turn) {
  const auto at = std::ranges::find_if(batches_, [&](const Batch& batch) {
    return batch.is_confirmed && state_.stored_generation.may_drop(batch.confirmed);
  });
  if (at == batches_.end()) return 0;
  const Batch batch = std::move(*at);
  batches_.erase(at);
  DropRequest request{.store = batch.store, .confirmed = batch.confirmed};
  for (const KeyDigest& record : batch.records) {
    if (drop(turn, batch.store, record)) request.records.push_back(record);
  }
  if (request.records.empty()) return batch.records.size();
  const int n = std::min(batch.store.n, state_.ring->depth());
  for (const std::string& owner : state_.names(state_.ring->preference_list(batch.partition, n))) {
    if (!state_.is_self(owner)) state_.outbox.send(owner, request, Lane::bulk);
  }
  // Whoever did not hear of it shows in a comparison soon, and not only in a few minutes.
  const TimePoint soon = turn.now.steady + std::chrono::seconds(2);
  rounds_.hurry(batch.partition, soon, soon);
  return batch.records.size();
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
  if (state_.generation.rebuilding || requests_.size() >= requests_max) return;
  requests_.push_back({request, turn.now.steady + request_patience});
  due_ = std::min(due_, state_.background.next(Background::Work::reaping));
}

// Whether it can be served by now, or never: then it does nothing.
bool Reaper::may_serve(const DropRequest& request) const {
  return !has(state_.stores, request.store) || state_.stored_generation.may_drop(request.confirmed);
}

std::size_t Reaper::serve(const Turn& turn) {
  std::erase_if(requests_, [&](const Request& request) {
    return request.until <= turn.now.steady && !may_serve(request.drop);
  });
  const auto at = std::ranges::find_if(
      requests_, [&](const Request& request) { return may_serve(request.drop); });
  if (at == requests_.end()) return 0;
  const DropRequest request = std::move(at->drop);
  requests_.erase(at);
  if (!has(state_.stores, request.store)) return 1;
  for (const KeyDigest& record : request.records) drop(turn, request.store, record);
  return request.records.size();
}

// What peers have asked for first, for they are done with it.
std::size_t Reaper::work(const Turn& turn) {
  if (const std::size_t served = serve(turn); served > 0) return served;
  if (const std::size_t dropped = drop(turn); dropped > 0) return dropped;
  const bool begins = batches_.empty() && gathered_at_ + period <= turn.now.steady;
  return gathering_from_ || begins ? gather(turn) : 0;
}

void Reaper::tick(const Turn& turn) {
  const TimePoint now = turn.now.steady;
  if (state_.ring == nullptr || !state_.takes_writes().ok() || due_ > now) return;
  if (state_.generation.rebuilding || !state_.trees.complete()) return;
  confirm(turn);
  due_ = now + look_again;
  if (!state_.background.may(Background::Work::reaping, now)) {
    due_ = std::min(due_, state_.background.next(Background::Work::reaping));
  } else if (const std::size_t records = work(turn); records > 0) {
    const std::size_t bytes = records * sizeof(KeyDigest);
    due_ = std::min(due_, state_.background.done(Background::Work::reaping, now, pause, bytes));
  }
}

TimePoint Reaper::next_tick() const {
  const bool idle = batches_.empty() && requests_.empty() && !state_.trees.has_deletes();
  if (idle || state_.ring == nullptr || !state_.takes_writes().ok()) return TimePoint::max();
  if (state_.generation.rebuilding || !state_.trees.complete()) return TimePoint::max();
  const bool rests = batches_.empty() && requests_.empty() && !gathering_from_;
  return rests ? std::max(due_, gathered_at_ + period) : due_;
}

}  // namespace dynamo::core
