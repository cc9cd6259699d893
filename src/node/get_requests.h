#pragma once

#include <cstdint>
#include <map>
#include <queue>
#include <string>
#include <utility>
#include <vector>

#include "coordinator/get_operation.h"
#include "coordinator/stand_ins.h"
#include "node/node_state.h"
#include "node/replica.h"

namespace dynamo::core {

// The gets that this node's application has under way. Any node coordinates a get (paper, 4.5).
//
// Once r replicas have answered, the application has its answer; the get itself goes on until all
// have, or its deadline. Then the owners that hold less than all of them together are sent the rest
// (read repair, paper, 5). That is a merge like any other, so it can never undo a write (trap D8).
//
// Thread safety: one thread at a time.
class GetRequests {
 public:
  GetRequests(NodeState& state, Replica& replica) : state_(state), replica_(replica) {}

  // REQUIRES: the ring is known, the request is checked.
  void start(const Turn& turn, ClientGet get);
  void reply(const Turn& turn, const std::string& from, ReadReply reply);
  void peer_lost(const Turn& turn, const std::string& peer);
  // Ends what is past its deadline.
  void tick(const Turn& turn);
  // Ends the request with CANCELLED, if it is one of these.
  bool cancel(const Turn& turn, std::uint64_t request);
  TimePoint next_tick() const;
  // Those that the application waits for.
  std::size_t size() const { return unanswered_; }

 private:
  struct Running {
    ClientGet get{};
    GetOperation operation;
    StandIns stand_ins;
    TimePoint started{};
    bool answered = false;
    std::uint64_t stamp = UINT64_MAX;  // the lowest of what was merged
  };
  using Operations = std::map<std::uint64_t, Running>;

  void ask(const Turn& turn, std::uint64_t number, Running& running, const std::string& node,
           bool stand_in);
  void settle(const Turn& turn, Operations::iterator at);
  void answer(const Turn& turn, Running& running, absl::StatusOr<GetAnswer> answer);
  // The end: whoever is behind is repaired.
  void finish(const Turn& turn, Operations::iterator at);
  GetAnswer answer_of(const Turn& turn, const Running& running) const;

  NodeState& state_;
  Replica& replica_;
  Operations operations_;
  std::size_t unanswered_ = 0;
  using Timer = std::pair<TimePoint, std::uint64_t>;
  std::priority_queue<Timer, std::vector<Timer>, std::greater<>> timers_;
};

}  // namespace dynamo::core
