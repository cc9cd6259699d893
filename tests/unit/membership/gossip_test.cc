// Clusters that find each other, grow and shrink by themselves, without a network.

#include <dynamo/membership/gossip.h>

#include <dynamo/testing/membership_check.h>
#include <fmt/format.h>

#include "catch.hpp"
#include "gossip_net.h"
#include "wire/view_codec.h"

using dynamo::Change;
using dynamo::MemberState;
using namespace std::chrono_literals;
using test::ContainsSubstring;
using test::GossipNet;
using test::present;

namespace {

const std::vector<std::string> abc = {"a", "b", "c"};

std::string notes(GossipNet& net, const std::string& name) {
  return fmt::format("{}", fmt::join(net.node(name).membership->notes(), "\n"));
}

void found_abc(GossipNet& net) {
  for (const std::string& name : abc) REQUIRE(net.start(name, abc).ok());
  REQUIRE(net.run_until([&] { return net.all_see(3); }, 10s));
}

}  // namespace

TEST_CASE("gossip keeps the contract of a membership") {
  const dynamo::Member self{.name = "a", .address = "a:1"};
  CHECK(dynamo::testing::membership_check(self, [] { return dynamo::gossip_membership({}); }) ==
        absl::OkStatus());
  // As one of its own seeds, too.
  CHECK(dynamo::testing::membership_check(self, [] {
          return dynamo::gossip_membership({.seeds = {"a:1"}});
        }) == absl::OkStatus());
}

TEST_CASE("a node with empty seeds founds a cluster at once, and others join it") {
  GossipNet net(1);
  REQUIRE(net.start("a").ok());
  REQUIRE(net.node("a").view);
  CHECK(net.node("a").view->number == 1);
  REQUIRE(net.start("b", {"a"}).ok());
  REQUIRE(net.start("c", {"a", "b"}).ok());
  REQUIRE(net.run_until([&] { return net.all_see(3); }));
  CHECK(net.node("c").view->cluster == net.node("a").view->cluster);
  CHECK(net.split().empty());
}

TEST_CASE("nodes with one list of seeds found one cluster together, all in its first view") {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    INFO("seed " << seed);
    GossipNet net(seed);
    found_abc(net);
    CHECK(net.node("a").view->number == 1);
    CHECK(net.node("b").view->cluster == net.node("a").view->cluster);
    CHECK(net.split().empty());
  }
}

TEST_CASE("a majority of the seeds founds the cluster, less than that waits and says so") {
  GossipNet net(3);
  REQUIRE(net.start("b", abc).ok());
  net.run(10s);
  CHECK_FALSE(net.node("b").view);
  CHECK_THAT(notes(net, "b"),
             ContainsSubstring("waiting for a cluster; seeds: a has not answered"));
  REQUIRE(net.start("c", abc).ok());
  REQUIRE(net.run_until([&] { return net.all_see(2); }));
  REQUIRE(net.start("a", abc).ok());
  REQUIRE(net.run_until([&] { return net.all_see(3); }));
  CHECK(net.node("a").view->number == 2);
  CHECK(net.split().empty());
}

TEST_CASE("a node that is not among its seeds founds nothing") {
  GossipNet net(4);
  REQUIRE(net.start("d", abc).ok());
  REQUIRE(net.start("a", abc).ok());
  net.run(10s);
  CHECK_FALSE(net.node("d").view);
  CHECK_THAT(notes(net, "d"), ContainsSubstring("not among its seeds"));
}

TEST_CASE("two sides of a split seed list never found two clusters") {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    INFO("seed " << seed);
    GossipNet net(seed);
    dynamo::core::Prng prng(seed);
    const std::vector<std::string> seeds = {"a", "b", "c", "d", "e"};
    net.lose(0.2);
    net.duplicate(0.2);
    for (const std::string& name : seeds) REQUIRE(net.start(name, seeds).ok());
    for (int i = 0; i < 20; ++i) {
      net.heal();
      for (int j = 0; j < 5; ++j) net.cut(seeds[prng.below(5)], seeds[prng.below(5)]);
      if (prng.chance(0.3)) {
        const std::string& name = seeds[prng.below(5)];
        net.stop(name);
        net.run(std::chrono::milliseconds(prng.below(500)));
        REQUIRE(net.start(name, seeds).ok());
      }
      net.run(std::chrono::milliseconds(prng.below(700)));
    }
    net.heal();
    net.lose(0);
    REQUIRE(net.run_until([&] { return net.all_see(5); }));
    CHECK(net.split().empty());
    for (const auto& [name, node] : net.nodes()) {
      CHECK(node.view->cluster == net.node("a").view->cluster);
    }
  }
}

TEST_CASE("two joins at once are planned together, and moves end") {
  GossipNet net(5);
  found_abc(net);
  REQUIRE(net.start("d", abc).ok());
  REQUIRE(net.start("e", abc).ok());
  REQUIRE(net.run_until([&] { return net.all_see(5); }));
  CHECK(net.node("a").view->number <= 3);
  REQUIRE_FALSE(net.node("a").view->moves.empty());
  CHECK(test::state_of(*net.node("a").view, "d") == MemberState::joining);
  REQUIRE(net.run_until([&] {
    for (const char* by : {"a", "c", "e"}) test::finish_moves(net, by);
    return net.node("b").view->moves.empty();
  }));
  CHECK(test::state_of(*net.node("b").view, "d") == MemberState::up);
  CHECK(net.split().empty());
}

TEST_CASE("a member leaves in two steps, and its directory is refused from then on") {
  GossipNet net(6);
  found_abc(net);
  const auto leave = [&] {
    for (const dynamo::Member& member : net.node("c").view->members) {
      if (member.name != "c") continue;
      net.node("c")
          .membership->change({.kind = Change::Kind::leave, .member = member})
          .IgnoreError();
    }
  };
  leave();
  REQUIRE(net.run_until(
      [&] { return test::state_of(*net.node("c").view, "c") == MemberState::leaving; }));
  // What was asked before is heard late: it must not be taken for the second step.
  REQUIRE(net.run_until([&] {
    test::finish_moves(net, "a");
    return net.node("c").view->moves.empty();
  }));
  net.run(5s);
  CHECK(test::state_of(*net.node("a").view, "c") == MemberState::leaving);
  leave();
  REQUIRE(net.run_until([&] { return net.all_see(2); }));
  CHECK(test::state_of(*net.node("a").view, "c") == MemberState::left);
  net.stop("c");
  const absl::Status again = net.start("c", abc);
  CHECK(again.code() == absl::StatusCode::kFailedPrecondition);
  CHECK_THAT(std::string(again.message()), ContainsSubstring("has left its cluster for good"));
}

TEST_CASE("a silent member is removed by a majority, one that answers is not") {
  GossipNet net(7);
  found_abc(net);
  const Change remove{.kind = Change::Kind::remove, .member = {.name = "c"}};
  REQUIRE(net.node("a").membership->change(remove).ok());
  net.run(20s);
  CHECK(net.all_see(3));
  CHECK_THAT(notes(net, "a"), ContainsSubstring("\"c\" is a member that can be reached"));
  net.stop("c");
  REQUIRE(net.node("a").membership->change(remove).ok());
  REQUIRE(net.run_until([&] { return net.all_see(2); }));
  // It comes back, is told, and is not taken in again.
  REQUIRE(net.start("c", abc).ok());
  REQUIRE(net.run_until([&] { return present(*net.node("c").view) == 2; }));
  net.stop("c");
  CHECK_THAT(std::string(net.start("c", abc).message()), ContainsSubstring("been removed"));
}

TEST_CASE("the smaller side of a split decides nothing, and hears of what the other decided") {
  GossipNet net(8);
  found_abc(net);
  net.cut("a", "b");
  net.cut("a", "c");
  REQUIRE(net.node("a")
              .membership->change({.kind = Change::Kind::remove, .member = {.name = "b"}})
              .ok());
  REQUIRE(net.node("b")
              .membership->change({.kind = Change::Kind::remove, .member = {.name = "a"}})
              .ok());
  net.run(20s);
  CHECK(present(*net.node("a").view) == 3);
  CHECK_THAT(notes(net, "a"), ContainsSubstring("view 2 is not decided: 1 of 3 members"));
  CHECK(present(*net.node("b").view) == 2);
  net.heal();
  REQUIRE(net.run_until([&] { return net.all_see(2); }));
  CHECK(test::state_of(*net.node("a").view, "a") == MemberState::removed);
  CHECK(net.split().empty());
}

TEST_CASE("of a cluster of two, force removes the half that is gone") {
  GossipNet net(9);
  REQUIRE(net.start("a").ok());
  REQUIRE(net.start("b", {"a"}).ok());
  REQUIRE(net.run_until([&] { return net.all_see(2); }));
  net.run(5s);
  net.stop("b");
  Change remove{.kind = Change::Kind::remove, .member = {.name = "b"}};
  REQUIRE(net.node("a").membership->change(remove).ok());
  net.run(20s);
  CHECK(net.all_see(2));
  remove.force = true;
  REQUIRE(net.node("a").membership->change(remove).ok());
  REQUIRE(net.run_until([&] { return net.all_see(1); }));
}

TEST_CASE("a lost disk comes back under its name and takes the place of the first, which is over") {
  GossipNet net(10);
  found_abc(net);
  const dynamo::Identity old = net.node("b").self.identity;
  net.wipe("b");
  REQUIRE(net.start("b", abc).ok());
  REQUIRE(net.run_until([&] { return net.node("b").view.has_value(); }));
  const dynamo::View& view = *net.node("b").view;
  CHECK(present(view) == 3);
  CHECK(view.moves.empty());
  bool forgotten = true;
  for (const dynamo::Member& member : view.members) {
    if (member.identity == old) forgotten = member.state != MemberState::removed;
  }
  CHECK_FALSE(forgotten);
}

TEST_CASE("a name that is taken by a node that answers is refused, and said so") {
  GossipNet net(11);
  found_abc(net);
  dynamo::GossipOptions options = net.options(abc);
  // Another one of the same name, at another address.
  auto& other = const_cast<GossipNet::Node&>(net.nodes().at("a"));
  const dynamo::Member first = other.self;
  REQUIRE(net.start("x", {"nowhere"}).ok());
  net.stop("x");
  net.node("x").self.name = "a";
  net.node("x").disk.clear();
  REQUIRE(net.start_with("x", options).ok());
  net.run(10s);
  CHECK_FALSE(net.node("x").view);
  CHECK_THAT(notes(net, "x"),
             ContainsSubstring("not let in: join: \"a\" is a member that can be reached"));
  CHECK(net.node("a").self.identity == first.identity);
}

TEST_CASE("an address may change, an identity not") {
  GossipNet net(12);
  found_abc(net);
  net.stop("c");
  GossipNet::Node& c = net.node("c");
  REQUIRE(net.start("moved", {"nowhere"}).ok());
  GossipNet::Node& moved = net.node("moved");
  net.stop("moved");
  moved.disk = c.disk;
  moved.self = c.self;
  moved.self.address = "moved";
  REQUIRE(net.start("moved", abc).ok());
  const auto knows = [&](const std::string& name) {
    for (const dynamo::Member& member : net.node(name).view->members) {
      if (member.name == "c" && member.address == "moved") return true;
    }
    return false;
  };
  REQUIRE(net.run_until([&] { return knows("a") && knows("b") && knows("moved"); }));
  CHECK(net.node("a").view->moves.empty());
}

TEST_CASE("two clusters never merge, whatever addresses they dial") {
  GossipNet net(13);
  REQUIRE(net.start("a").ok());
  REQUIRE(net.start("b").ok());
  const dynamo::Identity ours = net.node("a").view->cluster;
  net.stop("a");
  REQUIRE(net.start("a", {"a", "b"}).ok());
  net.run(20s);
  CHECK(net.node("a").view->cluster == ours);
  CHECK(present(*net.node("a").view) == 1);
  CHECK(present(*net.node("b").view) == 1);
  dynamo::GossipOptions other = net.options({"a"});
  other.cluster = "another";
  REQUIRE(net.start_with("c", other).ok());
  other = net.options({"a"});
  other.partitions = 32;
  REQUIRE(net.start_with("d", other).ok());
  net.run(5s);
  CHECK_THAT(notes(net, "c"), ContainsSubstring("label \"dynamo\", this node to \"another\""));
  CHECK_THAT(notes(net, "d"), ContainsSubstring("has partitions=16, this node has 32"));
}

TEST_CASE("at rest a node sends one small message a second, whatever the number of members") {
  for (const int members : {3, 30}) {
    GossipNet net(14);
    std::vector<std::string> names;
    for (int i = 0; i < members; ++i) names.push_back(fmt::format("n{:02}", i));
    for (const std::string& name : names) REQUIRE(net.start(name, names).ok());
    REQUIRE(net.run_until([&] { return net.all_see(names.size()); }));
    net.run(5s);
    const std::uint64_t messages = net.messages();
    const std::uint64_t bytes = net.bytes();
    net.run(100s);
    const auto count = static_cast<std::uint64_t>(members) * 100;
    CHECK(net.messages() - messages <= count + count / 50);
    CHECK(net.bytes() - bytes <= count * 120);
  }
}

TEST_CASE("seeds are looked up, all of their addresses") {
  GossipNet net(15);
  for (const std::string& name : abc) {
    dynamo::GossipOptions options = net.options({"service"});
    options.lookup = [](const std::string& seed, dynamo::GossipOptions::Found found) {
      found(seed == "service" ? abc : std::vector<std::string>());
    };
    REQUIRE(net.start_with(name, options).ok());
  }
  REQUIRE(net.run_until([&] { return net.all_see(3); }));
  CHECK(net.node("a").view->number == 1);
}

// An older copy of a directory has forgotten what it voted for. One that is a single start behind
// is in the same incarnation as the life that the others know, once it is started.
TEST_CASE("an older copy of a directory has no vote among those who know better") {
  GossipNet net(16);
  found_abc(net);
  const std::string copy = net.node("c").disk;
  net.stop("c");
  REQUIRE(net.start("c", abc).ok());
  net.run(10s);  // until the others have heard of it
  net.stop("c");
  net.node("c").disk = copy;
  REQUIRE(net.start("c", abc).ok());
  net.stop("b");
  const std::uint64_t number = net.node("a").view->number;
  REQUIRE(net.start("d", abc).ok());
  net.run(30s);
  CHECK(net.node("a").view->number == number);
  REQUIRE(net.start("b", abc).ok());
  REQUIRE(net.run_until([&] { return present(*net.node("a").view) == 4; }));
}

// It may not vote either, but it is told the view, and by its peers that it is an older copy.
TEST_CASE("an older copy from before its first view does not wait for ever") {
  GossipNet net(19);
  found_abc(net);
  for (const std::string name : {"a", "b", "c"}) net.cut("d", name);
  REQUIRE(net.start("d", abc).ok());
  net.run(2s);
  const std::string copy = net.node("d").disk;
  net.heal();
  for (int starts = 0; starts < 2; ++starts) {
    REQUIRE(net.run_until([&] { return net.node("d").view.has_value(); }));
    net.run(5s);  // until the others have heard of this life
    net.stop("d");
    REQUIRE(net.start("d", abc).ok());
  }
  net.run(5s);
  net.stop("d");
  net.node("d").disk = copy;
  net.node("d").view.reset();
  REQUIRE(net.start("d", abc).ok());
  CHECK(net.run_until([&] { return net.node("d").view.has_value(); }));
}

TEST_CASE("in a large cluster a view travels about once to each member") {
  GossipNet net(11);
  const auto name = [](int i) { return "m" + std::to_string(i); };
  for (int i = 0; i < 80; ++i) {
    REQUIRE(net.start(name(i), {"m0", "m1", "m2"}) == absl::OkStatus());
  }
  REQUIRE(net.run_until([&] { return net.all_see(80); }));
  net.run(5s);
  const std::uint64_t before = net.bytes();
  REQUIRE(net.start(name(80), {"m0", "m1", "m2"}) == absl::OkStatus());
  REQUIRE(net.run_until([&] { return net.all_see(81); }, 10s));
  std::string view;
  dynamo::core::Encoder out(view);
  dynamo::core::encode_view(*net.node(name(80)).view, out);
  CHECK(net.bytes() - before < 2 * 81 * view.size());
  CHECK(net.split().empty());
}
