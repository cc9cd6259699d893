#include <algorithm>
#include <chrono>
#include <map>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "base/prng.h"
#include "catch.hpp"
#include "coordinator/failure_detector.h"

using namespace dynamo::core;
using namespace std::chrono_literals;

namespace {

// When each peer is to be asked, by a look at all of them: what the detector finds without one.
class LookAtAll {
 public:
  void set_peers(const std::vector<std::string>& names, TimePoint now) {
    for (const std::string& name : names) peers_.try_emplace(name, Peer{.at = now});
  }
  void heard(const std::string& name, TimePoint at) { peers_.at(name) = {.at = at}; }
  void asked(const std::string& name, TimePoint now) {
    Peer& peer = peers_.at(name);
    if (std::exchange(peer.waiting, true)) return;
    peer.at = std::min(peer.at, now + FailureDetector::probe);
  }
  // `pause(name)`: until it is asked once more.
  template <class Pause>
  std::vector<std::string> tick(TimePoint now, Pause pause) {
    std::vector<std::string> due;
    for (auto& [name, peer] : peers_) {
      if (peer.at > now) continue;
      due.push_back(name);
      peer = {.at = now + pause(name), .waiting = true};
    }
    return due;
  }
  TimePoint first() const {
    TimePoint first = TimePoint::max();
    for (const auto& [name, peer] : peers_) first = std::min(first, peer.at);
    return first;
  }

 private:
  struct Peer {
    TimePoint at{};
    bool waiting = false;
  };
  std::map<std::string, Peer> peers_;
};

}  // namespace

TEST_CASE("a detector asks whom a look at all peers would find") {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    CAPTURE(seed);
    Prng random(seed);
    std::vector<std::string> names;
    for (int i = 0; i < 12; ++i) names.push_back(fmt::format("node-{}", i));
    TimePoint now = 100s;
    FailureDetector detector;
    LookAtAll model;
    detector.set_peers(names, now);
    model.set_peers(names, now);
    std::vector<std::string> lost;
    const auto pause = [&](const std::string& name) {
      return detector.reachable(name) ? FailureDetector::probe : detector.idle_period() / 2;
    };
    for (int step = 0; step < 3000; ++step) {
      now += std::chrono::milliseconds(random.below(80));
      const std::string& name = names[random.below(names.size())];
      const bool speaks = name < "node-5" || step < 1000;  // the others fall silent
      switch (random.below(4)) {
        case 0:
          detector.asked(name, now);
          model.asked(name, now);
          break;
        case 1:
          if (!speaks) break;
          detector.heard(name, now);
          model.heard(name, now + detector.idle_period());
          break;
        default:
          REQUIRE(detector.next_tick() <= model.first());
          const std::vector<std::string> pings = detector.tick(now, lost);
          REQUIRE(pings == model.tick(now, pause));
          REQUIRE(detector.next_tick() > now);
      }
    }
    CHECK_FALSE(lost.empty());
  }
}
