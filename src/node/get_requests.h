#pragma once

#include <cstdint>
#include <map>
#include <queue>
#include <string>
#include <utility>
#include <vector>

#include "coordinator/get_operation.h"
#include "node/node_state.h"
#include "node/replica.h"

namespace dynamo::core {

// The gets that this node's application has under way. Any node coordinates a get (paper, 4.5).
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
  std::size_t size() const { return operations_.size(); }

 private:
  struct Running {
    ClientGet get{};
    GetOperation operation;
    TimePoint started{};
  };
  using Operations = std::map<std::uint64_t, Running>;

  void settle(const Turn& turn, Operations::iterator at);
  void finish(const Turn& turn, Operations::iterator at, absl::StatusOr<GetAnswer> answer);
  GetAnswer answer_of(const Turn& turn, const Running& running) const;

  NodeState& state_;
  Replica& replica_;
  Operations operations_;
  using Deadline = std::pair<TimePoint, std::uint64_t>;
  std::priority_queue<Deadline, std::vector<Deadline>, std::greater<>> deadlines_;
};

}  // namespace dynamo::core
