#pragma once

#include <cstdint>
#include <queue>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/name_map.h"
#include "base/optional_mutex.h"
#include "base/time.h"

namespace dynamo::core {

// Who answers right now, as far as this node can tell: local knowledge from its own traffic, which
// never changes who owns what (paper, 4.8.3).
//
// Any packet from a peer shows that it is there. When a peer owes us an answer we ask it again
// every `probe`, and take it for unreachable once it has been silent for `silence` while asked at
// least `probes_min` times. A process that was itself paused does not blame its peers (trap F10):
// what they sent meanwhile may lie unread, so a tick that comes late only asks once more. An idle
// peer is asked now and then, so that its return or loss is noticed without traffic; the more of
// them there are the more rarely each, so that what a node sends at rest does not grow with the
// cluster. An unreachable peer goes on being sent requests; it is only not waited for.
//
// Thread safety: any thread if `shared`, else one at a time.
class FailureDetector {
 public:
  explicit FailureDetector(bool shared = false) : mutex_(shared) {}

  static constexpr TimePoint probe = std::chrono::milliseconds(200);
  static constexpr TimePoint idle_probe = std::chrono::milliseconds(1000);
  static constexpr std::int64_t idle_probes_max = 16;  // peers asked in every idle_probe, about
  static constexpr TimePoint silence = std::chrono::milliseconds(1000);
  static constexpr int probes_min = 3;
  static constexpr TimePoint late_min = std::chrono::milliseconds(1);
  static constexpr TimePoint late_unknown = std::chrono::milliseconds(20);
  static constexpr TimePoint round_trip_max = std::chrono::minutes(1);

  void set_peers(const std::vector<std::string>& peers, TimePoint now);

  // A packet came from the peer. Returns whether it was reachable before.
  bool heard(std::string_view peer, TimePoint now);
  struct Prospect {
    bool reachable = true;
    // How long after the question its answer is late: 19 of 20 came sooner, lately. Never less than
    // late_min, and a guess if nothing is known.
    TimePoint late_after{};
  };
  // A request went to the peer that it will answer. Returns what may be expected.
  Prospect asked(std::string_view peer, TimePoint now);
  // How long the answer to a question took, if that is believable.
  void round_trip(std::string_view peer, TimePoint took);
  // A ping is on its way to it.
  void pinged(std::string_view peer, TimePoint now);
  // The answer to a ping that was sent then.
  void ping_answered(std::string_view peer, TimePoint sent, TimePoint now);

  // Peers to ping now. Peers that have just become unreachable are appended to `lost`.
  std::vector<std::string> tick(TimePoint now, std::vector<std::string>& lost);
  // Or earlier: then that tick only says when the next one is.
  TimePoint next_tick() const {
    const auto lock = mutex_.lock();
    return due_.empty() ? TimePoint::max() : due_.top().first;
  }
  // How long an idle peer is left alone.
  TimePoint idle_period() const;

  bool reachable(std::string_view peer) const;
  // How often that has changed of any of them, so that whoever looks at all need not look again.
  std::uint64_t changes() const;
  struct Standing {
    bool reachable = true;
    // As round_trip_of(), but no less than what a question has gone unanswered by now: whoever has
    // just begun to stand still is known by that, long before it is taken for unreachable.
    TimePoint round_trip{};
  };
  Standing standing(std::string_view peer, TimePoint now) const;
  // "silent for 3.1 s"; empty for a reachable peer.
  std::string reason(std::string_view peer, TimePoint now) const;
  // A packet came after `since`: in a later turn, so it may be an answer to what was sent then.
  bool heard_since(std::string_view peer, TimePoint since) const;
  // It has answered a ping that was sent after `since`: of what was sent before, it has all that
  // was not lost, unless packets have overtaken each other.
  bool ping_answered_since(std::string_view peer, TimePoint since) const;
  // Whether that would be worth knowing: no ping has been sent since, or it seems to be lost.
  bool wants_ping(std::string_view peer, TimePoint since, TimePoint now) const;
  // Smoothed; zero if not known.
  TimePoint round_trip_of(std::string_view peer) const;

 private:
  struct Peer {
    TimePoint heard_at{};       // or when it became a peer
    TimePoint waiting_since{};  // of the first question that nothing has answered
    TimePoint probe_at{};       // when to ask next
    TimePoint due_at{};         // not after that: of its entry in due_ that counts
    TimePoint smoothed{};
    TimePoint slow{};           // the 95th percentile of late; zero if not known
    TimePoint pinged_at{};      // last
    TimePoint answered_ping{};  // when the latest that it has answered was sent
    int probes = 0;             // asked since waiting_since
    bool waiting = false;
    bool late = false;      // the last tick came long after probe_at
    bool heard = false;     // ever
    bool reachable = true;  // until shown otherwise: a start is no time for suspicion
  };

  // REQUIRES, so do those below: mutex_ is held.
  TimePoint pause_of_idle() const;
  static TimePoint late_after(const Peer& peer);
  static void note_round_trip(Peer& peer, TimePoint took);
  // To be looked at then.
  void schedule(NameMap<Peer>::Entry& entry, TimePoint at);
  // Of those that are due by now the ones to ask, in the order of their names.
  std::vector<NameMap<Peer>::Entry*> take_due(TimePoint now);

  OptionalMutex mutex_;  // guards the rest
  NameMap<Peer> peers_;
  std::uint64_t changes_ = 0;
  // When to look at which peer. To hear of one, as happens with every packet, changes nothing here:
  // whoever need not be asked yet when his entry comes up gets a later one.
  using Due = std::pair<TimePoint, NameMap<Peer>::Entry*>;
  struct Later {
    bool operator()(const Due& a, const Due& b) const { return a.first > b.first; }
  };
  std::priority_queue<Due, std::vector<Due>, Later> due_;
};

}  // namespace dynamo::core
