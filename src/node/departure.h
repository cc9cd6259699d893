#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "node/event.h"
#include "node/handoff.h"
#include "node/node_state.h"
#include "node/strand_work.h"

namespace dynamo::core {

// How a node goes, for a while (Node::drain()) or for good (Node::leave()).
//
// drained: it coordinates nothing any more, what it had under way has ended, everything is on the
// disk, and every hint that somebody can take has been taken. It goes on as a replica until it is
// stopped.
//
// removed: what it waits for when it has asked the membership to remove another member.
//
// left: it asks the membership to leave, hands over what it owns (Moves on the other side,
// FormerCopies on this one) and the hints that it keeps, and asks again; then a view says that it
// has left. A step that fails is tried again, also when nobody waits for it any more.
//
// Thread safety: one thread at a time.
class Departure {
 public:
  static constexpr TimePoint again = std::chrono::milliseconds(500);
  static constexpr TimePoint look_again = std::chrono::milliseconds(10);

  using Strands = std::vector<std::unique_ptr<StrandWork>>;
  Departure(NodeState& state, Handoff& handoff, const Strands& strands)
      : state_(state), handoff_(handoff), strands_(strands) {}

  void start(const Turn& turn, const ClientWait& wait);
  bool cancel(const Turn& turn, std::uint64_t request);
  // The engine's word on a write; that of others is ignored.
  void synced(const Turn& turn, std::uint64_t write);
  void failed(std::uint64_t write);
  void tick(const Turn& turn);
  TimePoint next_tick() const;

 private:
  void look(const Turn& turn);
  void drain(const Turn& turn);
  void leave(const Turn& turn);
  bool serves() const;
  std::size_t in_flight() const;
  // What is waited for, in words; empty: nothing.
  std::string left_to_drain() const;
  std::string left_to_leave() const;
  std::string left_to_remove(const std::string& member) const;
  std::string left_to_do(const ClientWait& wait) const;

  NodeState& state_;
  Handoff& handoff_;
  const Strands& strands_;
  std::map<std::uint64_t, ClientWait> waiting_;  // by request
  std::uint64_t flushing_ = 0;                   // the write that is the last one; 0: not yet
  bool flushed_ = false;
  bool leaving_ = false;
  TimePoint change_at_{};
  TimePoint look_at_{};
};

}  // namespace dynamo::core
