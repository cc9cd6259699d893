#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>

#include "node/exchange_rounds.h"
#include "node/generations.h"
#include "node/node_state.h"

namespace dynamo::core {

// Gets back what this node owned before its disk was lost (traps A2, A4; semantics.md 2). Until a
// partition has been compared with all its other owners, this node takes writes of it, but does not
// say what it holds: "not found" would be a lie. Other members tell it which stores there are.
//
// Thread safety: one thread at a time.
class Rebuild {
 public:
  static constexpr TimePoint again = std::chrono::milliseconds(500);

  Rebuild(NodeState& state, ExchangeRounds& rounds, Generations& generations)
      : state_(state), rounds_(rounds), generations_(generations) {}

  // The stores that a member knows; those that were news are to be stored.
  void take(const Turn& turn, const std::string& from, const StoresRequest& request);
  void take(const Turn& turn, const std::string& from, const StoresReply& reply);
  // Looks at what the rounds have done; to be called when some may have ended.
  void look();
  void tick(const Turn& turn);
  TimePoint next_tick() const;

 private:
  void begin();
  void add_partitions();
  void forget();
  bool introduced(int partition) const;

  NodeState& state_;
  ExchangeRounds& rounds_;
  Generations& generations_;
  bool begun_ = false;
  int depth_ = 0;                              // of the ring that state.rebuilding comes from
  std::set<std::string, std::less<>> asked_;   // who has not said which stores there are
  std::map<int, std::uint64_t> rounds_begun_;  // the number that a partition's has to exceed
  std::uint64_t seen_ended_ = 0;               // rounds
  TimePoint due_{};
};

}  // namespace dynamo::core
