#include "node/rebuild.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace dynamo::core {

void Rebuild::begin() {
  begun_ = true;
  for (const Member& member : state_.ring->members()) {
    if (!state_.is_self(member.name)) asked_.insert(member.name);
  }
}

// Also those that only a store with more replicas makes this node's.
void Rebuild::add_partitions() {
  const int before = std::exchange(depth_, state_.ring->depth());
  if (before == depth_) return;
  // What it is only going to own, Moves brings.
  const auto owns = [&](int n, int partition) {
    return n > 0 && state_.holds(state_.ring->preference_list(partition, n), state_.self.name);
  };
  for (int partition = 0; partition < state_.ring->partitions(); ++partition) {
    if (owns(depth_, partition) && !owns(before, partition)) state_.rebuilding.insert(partition);
  }
}

void Rebuild::take(const Turn&, const std::string& from, const StoresRequest& request) {
  StoresReply reply{.operation = request.operation};
  for (const auto& [name, entry] : state_.stores.entries()) {
    reply.stores.push_back({entry.facts, entry.established});
  }
  state_.outbox.send(from, std::move(reply));
}

void Rebuild::take(const Turn& turn, const std::string& from, const StoresReply& reply) {
  for (const StoresReply::Entry& entry : reply.stores) {
    const StoreTable::Verdict verdict = state_.stores.claimed(entry.store, entry.established);
    if (!verdict.status.ok()) turn.log(LogLevel::error, std::string(verdict.status.message()));
    if (!verdict.changed) continue;
    state_.deepen_ring();
    turn.write(state_.store_record(entry.store.name));
  }
  asked_.erase(from);
  due_ = {};
}

// All its other owners have said which stores there are.
bool Rebuild::introduced(int partition) const {
  const auto owners = state_.ring->preference_list(partition, state_.ring->depth());
  return std::ranges::none_of(state_.names(owners),
                              [&](const std::string& name) { return asked_.contains(name); });
}

// Who has gone is asked no more, and what is not owned any more is not fetched.
void Rebuild::forget() {
  std::erase_if(asked_, [&](const std::string& name) { return state_.member(name) == nullptr; });
  std::erase_if(state_.rebuilding, [&](int partition) {
    return !state_.owns(state_.self.name, depth_, static_cast<std::uint32_t>(partition));
  });
}

void Rebuild::look() {
  if (!state_.generation.rebuilding || seen_ended_ == rounds_.rounds_ended()) return;
  seen_ended_ = rounds_.rounds_ended();
  const auto back = std::erase_if(state_.rebuilding, [&](int partition) {
    const auto begun = rounds_begun_.find(partition);
    return begun != rounds_begun_.end() && rounds_.completed(partition) > begun->second;
  });
  if (back > 0 && state_.rebuilding.empty()) due_ = {};
}

void Rebuild::tick(const Turn& turn) {
  if (!state_.generation.rebuilding || state_.ring == nullptr) return;
  if (!begun_) begin();
  add_partitions();
  forget();
  look();
  if (due_ > turn.now.steady) return;
  due_ = turn.now.steady + again;
  for (const std::string& name : asked_) {
    state_.outbox.send(name, StoresRequest{.operation = state_.next_number()});
  }
  constexpr TimePoint hurry = std::chrono::seconds(10);
  for (const int partition : state_.rebuilding) {
    if (!introduced(partition)) continue;
    if (!rounds_begun_.contains(partition)) {
      rounds_begun_[partition] = rounds_.hurry(partition, turn.now.steady, turn.now.steady + hurry);
    } else if (rounds_.idle(partition)) {
      rounds_.hurry(partition, turn.now.steady, turn.now.steady + hurry);
    }
  }
  if (!state_.rebuilding.empty() || !asked_.empty()) return;
  generations_.rebuilt(turn);
  turn.log(LogLevel::info, "this node's disk was lost, and has been rebuilt from other owners");
}

TimePoint Rebuild::next_tick() const {
  return state_.generation.rebuilding && state_.ring != nullptr ? due_ : TimePoint::max();
}

}  // namespace dynamo::core
