#pragma once

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "coordinator/failure_detector.h"

namespace test {

// Peers at the other end of a wire, in virtual time, and the loop that drives the detector as a
// node does: whatever is asked of a live peer is answered after its delay.
//
// Thread safety: one thread at a time.
class PeersOnWire {
 public:
  using TimePoint = dynamo::core::TimePoint;
  struct Peer {
    TimePoint delay{};
    bool up = true;
  };

  PeersOnWire(std::map<std::string, Peer> peers, TimePoint start) : now(start), peers_(peers) {
    std::vector<std::string> names;
    for (const auto& [name, peer] : peers_) names.push_back(name);
    detector.set_peers(names, now);
  }

  Peer& peer(const std::string& name) { return peers_.at(name); }

  void ask(const std::string& name) {
    detector.asked(name, now);
    send(name);
  }

  // The node runs until then, or until a peer is lost.
  void run_until(TimePoint end, bool until_lost = false) {
    const std::size_t lost_before = lost.size();
    while (!(until_lost && lost.size() > lost_before)) {
      TimePoint next = detector.next_tick();
      if (!answers_.empty()) next = std::min(next, answers_.begin()->first);
      if (next > end) break;
      now = std::max(now, next);
      read();
      tick();
    }
    if (lost.size() == lost_before || !until_lost) now = std::max(now, end);
  }
  void run_for(TimePoint duration) { run_until(now + duration); }

  // The process stands still. When it goes on, timers run before sockets are read.
  void pause_for(TimePoint duration) {
    now += duration;
    tick();
    read();
  }

  dynamo::core::FailureDetector detector;
  TimePoint now;
  std::vector<std::string> lost{};
  int ticks = 0;
  int pings = 0;

 private:
  void send(const std::string& name) {
    const Peer& peer = peers_.at(name);
    if (peer.up) answers_.emplace(now + peer.delay, name);
  }

  void read() {
    while (!answers_.empty() && answers_.begin()->first <= now) {
      detector.heard(answers_.begin()->second, now);
      answers_.erase(answers_.begin());
    }
  }

  void tick() {
    if (detector.next_tick() > now) return;
    ++ticks;
    for (const std::string& name : detector.tick(now, lost)) {
      ++pings;
      send(name);
    }
  }

  std::map<std::string, Peer> peers_;
  std::multimap<TimePoint, std::string> answers_;
};

}  // namespace test
