#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "node/node_state.h"
#include "node/replica.h"

namespace dynamo::core {

// Brings the hints that this node keeps to those they are owed to (paper, 4.6): sends the version
// set as a replica write, and strikes an owner off once it has synced the set. A hint goes when
// nobody is owed it any more and its set has not changed meanwhile.
//
// An identity that still owns the key is sent to under whatever name and address it has today. One
// that does not, or was never known, has its due when every owner has the set (traps E2, E3). What
// an owner says counts only in the view that it was said in, as every answer does (semantics.md 6).
//
// Paced by the receivers: each has a window of sets that it has not answered, so that a node that
// comes back is not drowned (trap E8). One that refuses or is silent is left alone for a while, for
// ever longer, but never given up (trap E1).
//
// Thread safety: one thread at a time.
class Handoff {
 public:
  static constexpr std::size_t window = 32;           // per receiver
  static constexpr std::size_t looked_at_max = 1024;  // per tick, of all hints
  static constexpr std::size_t ahead_max = 128;       // for the next ones of one receiver
  static constexpr TimePoint idle_period = std::chrono::milliseconds(500);
  static constexpr TimePoint rest = std::chrono::milliseconds(1);  // after what one tick has sent
  static constexpr TimePoint patience = std::chrono::seconds(5);
  static constexpr TimePoint backoff_min = std::chrono::seconds(1);
  static constexpr TimePoint backoff_max = std::chrono::seconds(30);

  Handoff(NodeState& state, Replica& replica) : state_(state), replica_(replica) {}

  // From the engine, at start.
  absl::Status restore(std::string_view key, std::string_view record);

  void tick(const Turn& turn);
  TimePoint next_tick() const;
  // Some hint is owed to somebody who can be reached.
  bool can_deliver() const;
  // `counts`: it was given in this view. One that was not is asked for again. Returns whether the
  // reply was to one of ours.
  bool reply(const Turn& turn, const std::string& from, const WriteReply& reply, bool counts);
  // The engine's word on a write; returns whether it was one of ours.
  bool synced(const Turn& turn, std::uint64_t write);
  bool failed(std::uint64_t write);

 private:
  struct Sent {
    std::string key{};
    std::string to{};
    std::uint64_t revision = 0;
    TimePoint at{};
  };
  using InFlight =
      std::map<std::uint64_t, Sent>;  // by operation, or by write if to this node itself
  struct Receiver {
    std::size_t in_flight = 0;
    TimePoint not_before{};
    TimePoint backoff{};
    std::string cursor{};  // behind the last hint that it was sent
    bool goes_on = false;  // from there, at once
  };
  struct Scan {
    std::size_t sent = 0;
    std::size_t bytes = 0;
  };

  std::vector<std::string> receivers_of(const std::string& key, const HintLog::Hint& hint) const;
  // Empty if this node has not heard of the store.
  std::vector<std::string> owners(const std::string& key, const std::string& store) const;
  bool has_its_due(const Identity& identity, const HintLog::Hint& hint,
                   const std::vector<std::string>& owners) const;
  bool may_send(const std::string& to, TimePoint now);
  // Sends what may be sent of the next hints behind the cursor: to whom they are owed, or to one of
  // these alone, until its window is full.
  void scan(const Turn& turn, std::string& cursor, const std::string* only, Scan& done);
  // Returns whether the hint is still there.
  bool send(const Turn& turn, const std::string& key, const std::string& to);
  void confirmed(const Turn& turn, const Sent& sent);
  // Whoever has its due is owed nothing any more. REQUIRES: there is such a hint.
  void strike(const Turn& turn, const std::string& key);
  // No longer on its way, however it ended.
  Sent land(InFlight::iterator at);
  void expire(TimePoint now);
  void hold_back(Receiver& receiver, TimePoint now);

  NodeState& state_;
  Replica& replica_;
  InFlight in_flight_;
  std::set<std::pair<std::string, std::string>> sending_;  // key and receiver of these
  std::map<std::string, Receiver> receivers_;
  std::string cursor_;                   // the next hint to look at, of all
  TimePoint next_scan_{};                // of all
  std::vector<std::string> handed_off_;  // before this node was started; to be erased
  TimePoint next_tick_{};
};

}  // namespace dynamo::core
