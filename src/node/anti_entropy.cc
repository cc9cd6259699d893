#include "node/anti_entropy.h"

#include <algorithm>
#include <variant>

namespace dynamo::core {

bool AntiEntropy::take(const Turn& turn, const std::string& from, const Message& message) {
  if (const auto* tree = std::get_if<TreeRequest>(&message)) {
    service_.take(turn, from, *tree);
  } else if (const auto* leaf = std::get_if<LeafRequest>(&message)) {
    service_.take(turn, from, *leaf);
  } else if (const auto* sets = std::get_if<SetsRequest>(&message)) {
    service_.take(turn, from, *sets);
  } else if (const auto* tree_reply = std::get_if<TreeReply>(&message)) {
    rounds_.take(turn, from, *tree_reply);
  } else if (const auto* leaf_reply = std::get_if<LeafReply>(&message)) {
    rounds_.take(turn, from, *leaf_reply);
  } else if (const auto* sets_reply = std::get_if<SetsReply>(&message)) {
    rounds_.take(turn, from, *sets_reply);
  } else if (const auto* converge = std::get_if<ConvergeRequest>(&message)) {
    converge_.take(turn, from, *converge);
  } else if (const auto* converge_reply = std::get_if<ConvergeReply>(&message)) {
    converge_.take(turn, from, *converge_reply);
  } else if (const auto* drop = std::get_if<DropRequest>(&message)) {
    reaper_.take(turn, *drop);
  } else if (const auto* stores = std::get_if<StoresRequest>(&message)) {
    rebuild_.take(turn, from, *stores);
  } else if (const auto* stores_reply = std::get_if<StoresReply>(&message)) {
    rebuild_.take(turn, from, *stores_reply);
    moves_.take(turn, from, *stores_reply);
  } else if (const auto* ready = std::get_if<MoveReady>(&message)) {
    moves_.take(turn, from, *ready);
  } else {
    return false;
  }
  rebuild_.look();
  converge_.look(turn);
  return true;
}

void AntiEntropy::synced(const Turn& turn, const std::vector<std::uint64_t>& writes) {
  state_.trees.settled(writes);
  for (const std::uint64_t write : writes) {
    service_.synced(write);
    rounds_.synced(turn, write);
  }
  rebuild_.look();
  converge_.look(turn);
}

void AntiEntropy::failed(const Turn& turn, const std::vector<std::uint64_t>& writes,
                         const absl::Status& status) {
  state_.trees.failed(turn, writes);
  for (const std::uint64_t write : writes) {
    service_.failed(write, status);
    rounds_.failed(turn, write);
  }
}

void AntiEntropy::tick(const Turn& turn) {
  state_.trees.tick(turn, state_.background);
  former_copies_.tick(turn);
  rounds_.tick(turn);
  rebuild_.tick(turn);
  converge_.tick(turn);
  moves_.tick(turn);
  reaper_.tick(turn);
}

TimePoint AntiEntropy::next_tick() const {
  return std::min({state_.trees.next_tick(), rounds_.next_tick(), converge_.next_tick(),
                   rebuild_.next_tick(), moves_.next_tick(), former_copies_.next_tick(),
                   reaper_.next_tick()});
}

}  // namespace dynamo::core
