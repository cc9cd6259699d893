#pragma once

#include <cstdint>
#include <map>
#include <queue>
#include <string>
#include <utility>
#include <vector>

#include "base/recycling_allocator.h"
#include "coordinator/put_forwarding.h"
#include "node/node_state.h"
#include "node/put_coordinator.h"
#include "node/waiting_room.h"

namespace dynamo::core {

// The puts that this node's application has under way. The node coordinates what it owns and hands
// the rest to an owner; both run the same way, and differ in whom they ask. In a sloppy store those
// that stand in for the owners are asked once no owner that can be reached is left.
//
// The first node draws the write's clock, once, above all that its context has seen. An owner whose
// versions are ahead says so before it does anything, and only then, and only if nobody else was
// ever asked, a later clock is drawn: a retry can never beat what has overwritten its first
// attempt.
//
// Thread safety: one thread at a time.
class PutRequests {
 public:
  PutRequests(NodeState& state, PutCoordinator& coordinator)
      : state_(state), coordinator_(coordinator) {}

  // REQUIRES: the ring is known, the request is checked.
  void start(const Turn& turn, ClientPut&& put);
  // From an owner, this node included.
  void reply(const Turn& turn, const std::string& from, PutForwardReply reply);
  // Tries the next owner where one is silent; ends what is past its deadline.
  void tick(const Turn& turn);
  void peer_lost(const Turn& turn, const std::string& peer);
  // There may be other owners to hand puts to.
  void view_changed(const Turn& turn);
  bool cancel(const Turn& turn, std::uint64_t request);
  // Begins those that have waited for room and have it now. Returns whether there were any.
  bool room(const Turn& turn);
  TimePoint next_tick() const;
  std::size_t size() const { return operations_.size() + waiting_.size(); }

 private:
  struct Running {
    ClientPut put{};
    HybridTime clock{};
    bool may_redraw = false;
    int redraws = 0;
    bool own_id = false;  // drawn here: a redraw draws another
    TimePoint attempt_at{};
    std::string attempt_owner{};
    std::uint64_t attempt_life = 0;  // of that owner, when it was asked
    bool asked_again = false;        // that owner
    TimePoint started{};
    std::int64_t written_at_us = 0;
    std::int64_t expires_at_us = 0;  // 0: never
    PutForwarding forwarding;
    // Of the attempts after the first.
    std::vector<std::uint64_t> later_numbers{};
    // Of the attempts that were refused: a reply may come twice.
    std::vector<std::uint64_t> refused_numbers{};
  };
  using Operations = RecyclingMap<std::uint64_t, Running>;

  // Why the put cannot begin now, in words: the object buffer is full, or the objects that are
  // under way are as many as their ways hold. Empty if it can.
  std::string no_room_for(const Turn& turn, const ClientPut& put) const;
  void begin(const Turn& turn, ClientPut&& put);
  void draw(const Turn& turn, Running& running, HybridTime above);
  // Of the owners `all`, with the stand-ins behind them.
  NodeNames coordinators_in_order(const ClientPut& put, NodeNames all, TimePoint now) const;
  void attempt(const Turn& turn, Operations::iterator at);
  void ask(const Turn& turn, std::uint64_t number, Running& running, bool first);
  // Under a number of its own.
  void ask_later(const Turn& turn, Operations::iterator at);
  void ask_anew(const Turn& turn, Operations::iterator at);
  // The one that an attempt with this number belongs to.
  Operations::iterator find(std::uint64_t number);
  void forget_later_numbers(Running& running);
  void finish(const Turn& turn, Operations::iterator at, absl::StatusOr<PutAnswer> answer);
  static bool refuses_first_time(Running& running, std::uint64_t number);
  PutAnswer answer_of(const Running& running, PutForwardReply reply) const;
  void look_at(const Turn& turn, Operations::iterator at);
  void expire_waiting(const Turn& turn);

  NodeState& state_;
  PutCoordinator& coordinator_;
  Operations operations_;
  std::map<std::uint64_t, std::uint64_t> later_attempts_;  // their operations
  using Timer = std::pair<TimePoint, std::uint64_t>;
  std::priority_queue<Timer, std::vector<Timer>, std::greater<>>
      timers_;                       // when to look at an operation
  std::size_t bytes_under_way_ = 0;  // of objects
  WaitingRoom<ClientPut> waiting_;   // for room
};

}  // namespace dynamo::core
