#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "node/exchange_rounds.h"
#include "node/node_state.h"
#include "node/replica.h"

namespace dynamo::core {

// What this node holds of partitions that it owns no more: their owners may lack some of it, a
// write that never got its quorum, or a hint that was delivered here last. So a copy is offered to
// every owner, by a complete round of anti-entropy that this node runs, and dropped only then.
//
// Until it is dropped this node does not settle in a generation (repair/generation.h), so that
// nothing is forgotten of which it may hold an old copy.
//
// Thread safety: one thread at a time.
class FormerCopies {
 public:
  static constexpr TimePoint again = std::chrono::milliseconds(500);
  static constexpr std::size_t dropped_max = 256;  // records in one tick

  FormerCopies(NodeState& state, Replica& replica, ExchangeRounds& rounds)
      : state_(state), replica_(replica), rounds_(rounds) {}

  // To be called before the rounds' tick: they look at what it finds.
  void tick(const Turn& turn);
  TimePoint next_tick() const;

 private:
  void find();
  void drop(const Turn& turn, int partition);
  bool drop(const Turn& turn, const StoreFacts& store, int partition, std::size_t& budget);

  NodeState& state_;
  Replica& replica_;
  ExchangeRounds& rounds_;
  std::shared_ptr<const PartitionMap> found_in_;  // the ring that state.former comes from
  std::map<int, std::uint64_t> offered_;  // the number that a partition's round has to exceed
  TimePoint due_{};
};

}  // namespace dynamo::core
