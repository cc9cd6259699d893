#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "node/exchange_rounds.h"
#include "node/node_state.h"

namespace dynamo::core {

// Node::await_converged(): every partition gets a complete round that began after the call, each
// from its first owner, and every hint that any member kept then has been delivered: what was
// written through stand-ins alone, no owner has. This node asks all members, itself among them, and
// asks again until each is done: questions and answers may be lost.
//
// Thread safety: one thread at a time.
class ConvergeRequests {
 public:
  static constexpr TimePoint ask_again = std::chrono::milliseconds(500);

  ConvergeRequests(NodeState& state, ExchangeRounds& rounds) : state_(state), rounds_(rounds) {}

  void start(const Turn& turn, const ClientWait& converge);
  bool cancel(const Turn& turn, std::uint64_t request);
  void take(const Turn& turn, const std::string& from, const ConvergeRequest& request);
  void take(const Turn& turn, const std::string& from, const ConvergeReply& reply);
  // Looks at what the rounds have done; to be called when some may have ended.
  void look(const Turn& turn);
  void tick(const Turn& turn);
  TimePoint next_tick() const;

 private:
  // Rounds and hints that somebody waits for.
  struct Task {
    std::vector<std::pair<int, std::uint64_t>> left{};  // partition, and the number to exceed
    std::uint64_t hints_until = 0;                      // those accepted up to this revision
    TimePoint until{};
    bool told = false;  // that it is done
  };
  struct Asked {
    bool done = false;
    std::uint64_t left = 0;
    std::uint64_t hints = 0;
    std::string trouble{};
    bool answered = false;
  };
  struct Waiting {
    std::uint64_t request = 0;
    TimePoint started{};
    TimePoint deadline{};
    bool begun = false;  // with a view
    Task own{};
    std::map<std::string, Asked> members{};
    TimePoint ask_at{};
  };
  using Operation = std::pair<std::string, std::uint64_t>;

  Task make_task(const Turn& turn, TimePoint until);
  void strike_off(Task& task) const;
  std::uint64_t left_of(const Task& task) const;  // partitions
  bool is_done(const Task& task) const;
  std::string trouble_of(const Task& task) const;
  void begin(const Turn& turn, Waiting& waiting);
  void ask(const Turn& turn, std::uint64_t number, Waiting& waiting);
  absl::Status late(const Turn& turn, const Waiting& waiting) const;

  NodeState& state_;
  ExchangeRounds& rounds_;
  std::map<std::uint64_t, Waiting> waiting_;  // of this node's application
  std::map<Operation, Task> tasks_;           // of peers
  std::uint64_t seen_ended_ = 0;              // rounds, hints and the rebuilding of this node
};

}  // namespace dynamo::core
