#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "node/exchange_rounds.h"
#include "node/node_state.h"

namespace dynamo::core {

// Ends moves of partitions (paper, 4.9; semantics.md 6). While a partition moves, both sides serve
// it. A member of the new side is ready once it has, on its disk, what every owner of the old side
// had when that was in this view for good:
//
//   it has stored a view with this very move; every old owner has told it, out of such a view,
//   which stores there are; then a round of anti-entropy with all owners of both sides has begun,
//   and been complete. Nobody answers an exchange of a moving partition before he has stored the
//   view.
//
// The first of the new side counts who is ready, and when all are, asks the membership to end the
// move. A transfer is therefore a comparison: it goes on after any interruption from where the data
// are, and is verified when it is complete. An old owner that cannot be reached is waited for, or
// removed. Nothing is given up meanwhile; that is FormerCopies' business.
//
// Shown by seeds, not by a model yet: tests/sim/elastic_test.cc and elastic_storm_test.cc.
//
// Thread safety: one thread at a time.
class Moves {
 public:
  static constexpr TimePoint again = std::chrono::milliseconds(500);

  Moves(NodeState& state, ExchangeRounds& rounds) : state_(state), rounds_(rounds) {}

  // `from` has said which stores it knows; `turn.peer_view` is where it said so.
  void take(const Turn& turn, const std::string& from, const StoresReply& reply);
  void take(const Turn& turn, const std::string& from, const MoveReady& ready);
  void tick(const Turn& turn);
  TimePoint next_tick() const;

 private:
  // A partition that this node gets, or has on both sides.
  struct Getting {
    std::uint64_t mark = 0;                // which move it is
    TimePoint began{};                     // when this node heard of it
    std::uint64_t since = 0;               // the first view with it that this node was in
    std::optional<std::uint64_t> round{};  // the number to exceed
    bool is_ready = false;
  };
  struct Word {
    std::uint64_t mark = 0;
    Identity identity{};  // whose it was: a lost disk is not ready
  };

  void plan(TimePoint now);
  bool introduced(const Turn& turn, int partition, const Getting& getting);
  void go_on(const Turn& turn, int partition, Getting& getting);
  void report(const Turn& turn, int partition, const Getting& getting);
  void finish(const Turn& turn);
  bool all_ready(int partition) const;
  void note_progress();
  int n() const { return std::min(state_.largest_n(), state_.ring->depth()); }

  NodeState& state_;
  ExchangeRounds& rounds_;
  std::shared_ptr<const PartitionMap> planned_;  // the ring that getting_ comes from
  std::map<int, Getting> getting_;
  // The highest view in which a member has said which stores there are.
  std::map<std::string, std::uint64_t, std::less<>> introduced_;
  std::set<std::string, std::less<>> asked_;          // in this tick
  std::map<int, std::map<std::string, Word>> ready_;  // of moves that this node counts
  TimePoint due_{};
};

}  // namespace dynamo::core
