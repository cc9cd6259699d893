#include "coordinator/failure_detector.h"

#include <algorithm>
#include <chrono>
#include <string>
#include <vector>

#include "base/prng.h"
#include "catch.hpp"
#include "unit/causality/seeds.h"
#include "unit/coordinator/peers_on_wire.h"

using namespace dynamo::core;
using namespace std::chrono_literals;
using test::PeersOnWire;

namespace {

constexpr TimePoint start = 100s;
constexpr auto probe = FailureDetector::probe;
constexpr auto idle_probe = FailureDetector::idle_probe;
constexpr auto silence = FailureDetector::silence;

TimePoint between(Prng& prng, TimePoint low, TimePoint high) {
  return low + TimePoint(static_cast<std::int64_t>(
                   prng.below(static_cast<std::uint64_t>((high - low).count()) + 1)));
}

}  // namespace

TEST_CASE("a peer is taken for reachable until shown otherwise") {
  FailureDetector detector;
  detector.set_peers({"b"}, start);
  CHECK(detector.reachable("b"));
  CHECK(detector.reason("b", start + 1h).empty());
  CHECK(detector.round_trip_of("b") == TimePoint{});
}

TEST_CASE("a name that is no peer is left alone") {
  FailureDetector detector;
  CHECK(detector.next_tick() == TimePoint::max());
  detector.heard("x", start);
  detector.asked("x", start);
  detector.round_trip("x", 1ms);
  CHECK(detector.reachable("x"));
  CHECK(detector.reason("x", start).empty());
  CHECK_FALSE(detector.heard_since("x", TimePoint{}));
  CHECK(detector.round_trip_of("x") == TimePoint{});
  std::vector<std::string> lost;
  CHECK(detector.tick(start, lost).empty());
  CHECK(lost.empty());
  CHECK(detector.next_tick() == TimePoint::max());
}

TEST_CASE("peers that answer stay reachable, with about one ping a second") {
  PeersOnWire wire({{"b", {1ms}}, {"c", {150ms}}}, start);
  wire.run_for(60s);
  CHECK(wire.lost.empty());
  CHECK(wire.pings >= 2 * 50);
  CHECK(wire.pings <= 2 * 61);
}

TEST_CASE("traffic that is answered needs no pings") {
  PeersOnWire wire({{"b", {1ms}}}, start);
  wire.run_for(1ms);
  wire.pings = 0;
  for (int i = 0; i < 600; ++i) {
    wire.ask("b");
    wire.run_for(100ms);
  }
  CHECK(wire.pings == 0);
}

TEST_CASE("a dead peer is found out within the promised time of the first question") {
  for (const std::uint64_t seed : test::seeds(200)) {
    INFO("DYNAMO_SEED=" << seed);
    Prng prng(seed);
    PeersOnWire wire({{"b", {between(prng, 1ms, 100ms)}}, {"c", {5ms}}}, start);
    wire.run_for(between(prng, 1s, 4s));
    wire.peer("b").up = false;
    const TimePoint died = wire.now;
    wire.run_for(between(prng, 100ms, 900ms));
    const TimePoint asked = wire.now;
    wire.ask("b");
    wire.run_until(asked + 5s, true);
    REQUIRE(wire.lost == std::vector<std::string>{"b"});
    CHECK_FALSE(wire.detector.reachable("b"));
    CHECK(wire.detector.reachable("c"));
    CHECK(wire.now - asked <= silence + 2 * probe);
    CHECK(wire.now - died >= silence);  // and never sooner
  }
}

TEST_CASE("an idle peer's death is noticed without traffic") {
  for (const std::uint64_t seed : test::seeds(50)) {
    INFO("DYNAMO_SEED=" << seed);
    Prng prng(seed);
    PeersOnWire wire({{"b", {1ms}}}, start);
    wire.run_for(between(prng, 1s, 4s));
    wire.peer("b").up = false;
    const TimePoint died = wire.now;
    wire.run_until(died + 10s, true);
    REQUIRE(wire.lost.size() == 1);
    CHECK(wire.now - died <= idle_probe + silence + 2 * probe);
  }
}

TEST_CASE("a peer is lost once, and goes on being asked") {
  PeersOnWire wire({{"b", {1ms, false}}}, start);
  wire.run_for(10s);
  CHECK(wire.lost.size() == 1);
  wire.pings = 0;
  wire.run_for(10s);
  CHECK(wire.lost.size() == 1);
  CHECK(wire.pings >= 15);
  CHECK(wire.pings <= 25);
}

TEST_CASE("one packet brings a peer back") {
  PeersOnWire wire({{"b", {1ms, false}}}, start);
  wire.run_for(10s);
  REQUIRE_FALSE(wire.detector.reachable("b"));
  SECTION("of its own") {
    CHECK_FALSE(wire.detector.asked("b", wire.now).reachable);
    CHECK_FALSE(wire.detector.heard("b", wire.now));  // before
    CHECK(wire.detector.reason("b", wire.now + 5s).empty());
    wire.run_for(5s);  // it is still dead, after all
    CHECK(wire.lost == std::vector<std::string>{"b", "b"});
  }
  SECTION("in answer to a ping") {
    wire.peer("b").up = true;
    wire.run_for(idle_probe);
    CHECK(wire.detector.reachable("b"));
    wire.run_for(20s);
    CHECK(wire.lost.size() == 1);
  }
}

TEST_CASE("detector: who looks at all peers need not look again unless one is lost or comes back") {
  PeersOnWire wire({{"b", {1ms}}, {"c", {1ms}}}, start);
  wire.run_for(5s);
  const std::uint64_t before = wire.detector.changes();
  wire.run_for(5s);
  CHECK(wire.detector.changes() == before);
  wire.peer("c").up = false;
  wire.run_for(10s);
  CHECK(wire.detector.changes() == before + 1);
  wire.peer("c").up = true;
  wire.run_for(10s);
  CHECK(wire.detector.changes() == before + 2);
  wire.detector.set_peers({"b"}, wire.now);
  CHECK(wire.detector.changes() == before + 3);
}

TEST_CASE("the reason says for how long nothing came") {
  PeersOnWire wire({{"b", {1ms}}}, start);
  wire.run_for(1ms);
  wire.peer("b").up = false;
  wire.run_until(start + 3s);
  REQUIRE_FALSE(wire.detector.reachable("b"));
  CHECK(wire.detector.reason("b", start + 1ms + 3100ms) == "silent for 3.1 s");
  CHECK(wire.detector.reason("b", start + 1ms + 600s) == "silent for 600.0 s");
}

TEST_CASE("silence before there was a question is no silence") {
  FailureDetector detector;
  detector.set_peers({"b"}, start);
  detector.heard("b", start);
  // Nobody ran the detector for an hour, and nothing was asked.
  std::vector<std::string> lost;
  CHECK(detector.tick(start + 1h, lost) == std::vector<std::string>{"b"});
  CHECK(lost.empty());
  CHECK(detector.reachable("b"));
}

// Trap F10. Three questions were out when the process was stopped; the answers lie unread in its
// sockets when its timers run again.
TEST_CASE("a process that was paused does not blame its peers") {
  PeersOnWire wire({{"b", {600ms}}}, start);
  wire.run_for(3 * probe - 10ms);  // pinged at once and twice again, nothing has come yet
  REQUIRE(wire.pings == 3);
  wire.pause_for(10s);
  CHECK(wire.lost.empty());
  CHECK(wire.detector.reachable("b"));
  wire.run_for(10s);
  CHECK(wire.lost.empty());
}

TEST_CASE("a process that is always late still finds out") {
  FailureDetector detector;
  detector.set_peers({"b"}, start);
  std::vector<std::string> lost;
  TimePoint now = start;
  for (int i = 0; i < 10 && lost.empty(); ++i) {
    detector.tick(now, lost);
    now = detector.next_tick() + 5 * probe;
  }
  CHECK(lost == std::vector<std::string>{"b"});
}

TEST_CASE("live peers are never lost, however the node is stopped and loaded") {
  for (const std::uint64_t seed : test::seeds(300)) {
    INFO("DYNAMO_SEED=" << seed);
    Prng prng(seed);
    PeersOnWire wire({{"b", {between(prng, 0ms, 600ms)}}, {"c", {between(prng, 0ms, 600ms)}}},
                     start);
    for (int i = 0; i < 200; ++i) {
      switch (prng.below(4)) {
        case 0:
          wire.ask(prng.chance(0.5) ? "b" : "c");
          break;
        case 1:
          wire.pause_for(prng.chance(0.5) ? between(prng, 0ms, 300ms) : between(prng, 0s, 20s));
          break;
        default:
          wire.run_for(between(prng, 0ms, 700ms));
      }
    }
    CHECK(wire.lost.empty());
  }
}

TEST_CASE("the next tick lies ahead after every tick, so no loop spins") {
  for (const std::uint64_t seed : test::seeds(100)) {
    INFO("DYNAMO_SEED=" << seed);
    Prng prng(seed);
    FailureDetector detector;
    TimePoint now = start;
    detector.set_peers({"b", "c", "d"}, now);
    int ticks = 0;
    for (int i = 0; i < 1000; ++i) {
      const std::string peer(1, static_cast<char>('b' + prng.below(3)));
      if (prng.chance(0.3)) detector.asked(peer, now);
      if (prng.chance(0.2)) detector.heard(peer, now);
      if (prng.chance(0.01)) detector.set_peers({"b", peer}, now);
      now = std::max(now, std::min(detector.next_tick(), now + between(prng, 0ms, 100ms)));
      if (detector.next_tick() > now) continue;
      std::vector<std::string> lost;
      detector.tick(now, lost);  // of nobody, if who was to be asked has been heard meanwhile
      ++ticks;
      REQUIRE(detector.next_tick() > now);
    }
    CHECK(ticks <= 10 + 3 * ((now - start) / probe));
  }
}

TEST_CASE("heard since means a packet that came later") {
  FailureDetector detector;
  detector.set_peers({"b"}, start);
  // A put that was handed to the peer in the turn that made it a peer has heard nothing from it.
  CHECK_FALSE(detector.heard_since("b", start));
  CHECK_FALSE(detector.heard_since("b", start - 1s));
  detector.heard("b", start + 1s);
  CHECK(detector.heard_since("b", start));
  // What came in the same turn came before what the turn sent.
  CHECK_FALSE(detector.heard_since("b", start + 1s));
  CHECK_FALSE(detector.heard_since("b", start + 2s));
}

TEST_CASE("round trips are smoothed") {
  FailureDetector detector;
  detector.set_peers({"b"}, start);
  detector.round_trip("b", 8ms);
  CHECK(detector.round_trip_of("b") == 8ms);
  detector.round_trip("b", 16ms);
  CHECK(detector.round_trip_of("b") == 9ms);
  for (int i = 0; i < 100; ++i) detector.round_trip("b", 16ms);
  CHECK(detector.round_trip_of("b") > 15ms);
}

// A pong echoes a number of our own, but a peer may send back any other.
TEST_CASE("detector: whoever has a question open for long is as far away as that") {
  FailureDetector detector;
  detector.set_peers({"b", "c"}, start);
  detector.round_trip("b", 1ms);
  detector.round_trip("c", 2ms);
  detector.asked("b", start + 10ms);
  CHECK(detector.standing("b", start + 10ms).round_trip == 1ms);
  CHECK(detector.standing("b", start + 15ms).round_trip == 5ms);
  CHECK(detector.standing("c", start + 15ms).round_trip == 2ms);
  detector.heard("b", start + 16ms);
  CHECK(detector.standing("b", start + 20ms).round_trip == 1ms);
  // Nothing is known of it yet, and that is no time at all.
  detector.set_peers({"b", "c", "d"}, start);
  detector.asked("d", start);
  CHECK(detector.standing("d", start + 20ms).round_trip == TimePoint{});
}

TEST_CASE("detector: an answered ping says that what was sent before it has arrived") {
  FailureDetector detector;
  detector.set_peers({"b"}, start);
  CHECK_FALSE(detector.ping_answered_since("b", TimePoint{}));
  detector.ping_answered("b", start + 2ms, start + 5ms);
  CHECK(detector.round_trip_of("b") == 3ms);
  CHECK(detector.ping_answered_since("b", start + 1ms));
  CHECK_FALSE(detector.ping_answered_since("b", start + 2ms));
  detector.ping_answered("b", start + 1ms, start + 6ms);  // overtaken by the other
  CHECK(detector.ping_answered_since("b", start + 1ms));
  detector.ping_answered("b", start + 9ms, start + 8ms);  // of a time that has not been
  CHECK_FALSE(detector.ping_answered_since("b", start + 2ms));
  CHECK(detector.wants_ping("b", start + 1ms, start + 10ms));
  detector.pinged("b", start + 10ms);
  CHECK_FALSE(detector.wants_ping("b", start + 1ms, start + 20ms));
  CHECK(detector.wants_ping("b", start + 10ms, start + 20ms));
  CHECK(detector.wants_ping("b", start + 1ms, start + 10ms + probe));
}

TEST_CASE("an absurd round trip is not believed") {
  FailureDetector detector;
  detector.set_peers({"b"}, start);
  detector.round_trip("b", 8ms);
  detector.round_trip("b", TimePoint::max());
  detector.round_trip("b", TimePoint::min());
  detector.round_trip("b", -1ms);
  CHECK(detector.round_trip_of("b") == 8ms);
}

TEST_CASE("a change of peers keeps what is known of those that stay") {
  PeersOnWire wire({{"b", {1ms, false}}, {"c", {1ms}}}, start);
  wire.run_for(10s);
  REQUIRE_FALSE(wire.detector.reachable("b"));
  wire.detector.set_peers({"b", "d"}, wire.now);
  CHECK_FALSE(wire.detector.reachable("b"));
  CHECK(wire.detector.reachable("d"));
  std::vector<std::string> lost;
  const auto pinged = wire.detector.tick(wire.now, lost);
  CHECK(std::ranges::count(pinged, "d") == 1);  // a new one is greeted at once
  CHECK(std::ranges::count(pinged, "c") == 0);
  wire.detector.set_peers({"d"}, wire.now);
  wire.detector.set_peers({"b", "d"}, wire.now);
  CHECK(wire.detector.reachable("b"));
}

TEST_CASE("detector: an answer is late when 19 of 20 were sooner") {
  FailureDetector detector;
  detector.set_peers({"b"}, 0ms);
  const auto late_after = [&] { return detector.asked("b", 0ms).late_after; };
  CHECK(late_after() == FailureDetector::late_unknown);
  for (int i = 0; i < 4000; ++i) detector.round_trip("b", i % 20 == 0 ? 40ms : 10ms);
  CHECK(late_after() >= 10ms);
  CHECK(late_after() <= 42ms);
  for (int i = 0; i < 4000; ++i) detector.round_trip("b", i % 5 == 0 ? 80ms : 10ms);
  CHECK(late_after() >= 70ms);  // one in five is no rarity
  for (int i = 0; i < 4000; ++i) detector.round_trip("b", 5ms);
  CHECK(late_after() < 6ms);
  for (int i = 0; i < 4000; ++i) detector.round_trip("b", std::chrono::microseconds(20));
  CHECK(late_after() == FailureDetector::late_min);
}

TEST_CASE("however many peers there are, about sixteen are asked in a second") {
  for (const int count : {10, 16, 100, 1000}) {
    CAPTURE(count);
    std::vector<std::string> peers;
    for (int i = 0; i < count; ++i) peers.push_back("peer-" + std::to_string(i));
    FailureDetector detector;
    detector.set_peers(peers, start);
    const int expected = std::min(count, 16);
    constexpr int seconds = 120;
    std::size_t pings = 0;
    std::size_t most = 0;  // at a time
    std::vector<std::string> lost;
    for (TimePoint now = start; now < start + std::chrono::seconds(seconds); now += 10ms) {
      const std::vector<std::string> asked = detector.tick(now, lost);
      pings += asked.size();
      most = std::max(most, asked.size());
      for (const std::string& peer : asked) detector.heard(peer, now);
    }
    CHECK(lost.empty());
    CHECK(pings >= static_cast<std::size_t>(expected * seconds * 8 / 10));
    CHECK(pings <= static_cast<std::size_t>(expected * (seconds + 2)));
    if (count > 16) CHECK(most <= 16);
  }
}

TEST_CASE("of a thousand peers one that dies is still taken for unreachable") {
  std::vector<std::string> peers;
  for (int i = 0; i < 1000; ++i) peers.push_back("peer-" + std::to_string(i));
  FailureDetector detector;
  detector.set_peers(peers, start);
  std::vector<std::string> lost;
  TimePoint now = start;
  for (; lost.empty() && now < start + 200s; now += 10ms) {
    for (const std::string& peer : detector.tick(now, lost)) {
      if (peer != "peer-7") detector.heard(peer, now);
    }
  }
  CHECK(lost == std::vector<std::string>{"peer-7"});
  CHECK(now - start <= detector.idle_period() + silence + 2 * probe);
  // Asked for something, it is found out as quickly as in a small cluster.
  lost.clear();
  detector.heard("peer-7", now);
  const TimePoint asked = now;
  detector.asked("peer-7", now);
  for (; lost.empty(); now += 10ms) {
    for (const std::string& peer : detector.tick(now, lost)) {
      if (peer != "peer-7") detector.heard(peer, now);
    }
  }
  CHECK(now - asked <= silence + 2 * probe);
}
