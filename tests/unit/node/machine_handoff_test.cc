// Sloppy quorums and hinted handoff (paper, 4.6), and read repair.

#include <algorithm>
#include <string>
#include <vector>

#include "catch.hpp"
#include "unit/node/machine_cluster.h"

using dynamo::Outcome;
using dynamo::ReplicaReport;
using namespace dynamo::core;
using std::chrono::milliseconds;
using test::MachineCluster;
using Strings = std::vector<std::string>;

namespace {

const Strings six = {"a", "b", "c", "d", "e", "f"};

// A key of a cluster of six, with those who own it and those who stand in, in order.
struct Place {
  std::string key{};
  Strings owners{};
  Strings stand_ins{};
};

Place place(MachineCluster& cluster) {
  Place place{.key = "basket"};
  const Strings all = cluster.owners(place.key, 3);
  place.owners = all;
  place.stand_ins = cluster.state("a").stand_ins(place.key, 3);
  REQUIRE(place.stand_ins.size() == 3);
  return place;
}

// Down for so long that everybody knows.
void take_down(MachineCluster& cluster, const Strings& names) {
  for (const std::string& name : names) cluster.node(name).up = false;
  cluster.advance(milliseconds(4000));
}

void bring_up(MachineCluster& cluster, const Strings& names) {
  for (const std::string& name : names) cluster.node(name).up = true;
  cluster.advance(milliseconds(10'000));
}

// Everybody has been heard of.
MachineCluster acquainted() {
  MachineCluster cluster(six);
  cluster.advance(milliseconds(2000));
  return cluster;
}

std::size_t hints(MachineCluster& cluster, const std::string& name) {
  return cluster.state(name).hints.hints().size();
}

// What the node itself has of the key as an owner.
bool has(MachineCluster& cluster, const std::string& name, const std::string& key) {
  return cluster.node(name).engine.contains(cluster.object_key(key));
}

bool is_answer(const MachineCluster::Sent& sent, const std::string& from, const std::string& to) {
  return sent.from == from && sent.to == to && test::holds<WriteReply>(sent);
}

// Until an answer to a write lies there, not delivered. Returns whether one does.
bool run_to_answer(MachineCluster& cluster, const std::string& from, const std::string& to) {
  const auto answered = [&] {
    return std::ranges::any_of(cluster.packets,
                               [&](const auto& sent) { return is_answer(sent, from, to); });
  };
  for (int i = 0; i < 4000 && !answered(); ++i) {
    cluster.deliver();
    cluster.now.steady += milliseconds(1);
    for (const std::string& name : six) {
      if (cluster.node(name).machine->next_tick() <= cluster.now.steady) cluster.step(name, Tick{});
      if (!cluster.node(name).writes.empty()) cluster.sync(name);
    }
  }
  return answered();
}

std::vector<std::string> who(const Outcome& outcome, ReplicaReport::Role role) {
  Strings names;
  for (const ReplicaReport& report : outcome.replicas) {
    if (report.role == role) names.push_back(report.node);
  }
  return names;
}

}  // namespace

TEST_CASE("a stand-in takes the place of an owner, and hands it what is its own") {
  MachineCluster cluster = acquainted();
  const Place at = place(cluster);
  take_down(cluster, {at.owners[2]});

  const auto put = cluster.put_now(at.owners[0], at.key, "tea", {.w = 3});
  REQUIRE(put.ok());
  CHECK(who(put->outcome, ReplicaReport::Role::stand_in) == Strings{at.stand_ins[0]});
  CHECK(put->outcome.verdict == Outcome::Verdict::applied);
  CHECK(hints(cluster, at.stand_ins[0]) == 1);
  CHECK_FALSE(has(cluster, at.stand_ins[0], at.key));
  CHECK(cluster.objects(at.stand_ins[1], at.key, 3) == Strings{"tea"});

  bring_up(cluster, {at.owners[2]});
  CHECK(has(cluster, at.owners[2], at.key));
  CHECK(hints(cluster, at.stand_ins[0]) == 0);
  CHECK(cluster.node(at.stand_ins[0])
            .engine.count(hint_key("carts", cluster.state("a").hash(at.key))) == 0);
}

TEST_CASE("an owner that has just died is replaced before the put times out") {
  MachineCluster cluster = acquainted();
  const Place at = place(cluster);
  cluster.node(at.owners[1]).up = false;
  cluster.node(at.owners[2]).up = false;
  const std::uint64_t put = cluster.put(at.owners[0], at.key, "tea");
  cluster.advance(milliseconds(400));
  REQUIRE(cluster.finished(put));
  CHECK(cluster.done(put).ok());
  const std::uint64_t get = cluster.get(at.owners[0], at.key);
  cluster.advance(milliseconds(400));
  REQUIRE(cluster.finished(get));
  CHECK(cluster.got(get)->versions.size() == 1);
}

TEST_CASE("with no owner left a stand-in coordinates, and all owners get the write") {
  MachineCluster cluster = acquainted();
  const Place at = place(cluster);
  take_down(cluster, at.owners);

  const auto put = cluster.put_now(at.stand_ins[1], at.key, "tea", {.w = 3});
  REQUIRE(put.ok());
  CHECK(who(put->outcome, ReplicaReport::Role::stand_in).size() == 3);
  CHECK(cluster.objects(at.stand_ins[2], at.key, 2) == Strings{"tea"});
  // The next put sees what its context saw.
  const auto seen = cluster.get_now(at.stand_ins[0], at.key);
  REQUIRE(seen.ok());
  REQUIRE(cluster.put_now(at.stand_ins[0], at.key, "cake", {.context = seen->context}).ok());
  CHECK(cluster.objects(at.stand_ins[2], at.key, 2) == Strings{"cake"});

  bring_up(cluster, at.owners);
  for (const std::string& owner : at.owners) CHECK(has(cluster, owner, at.key));
  for (const std::string& name : at.stand_ins) CHECK(hints(cluster, name) == 0);
  CHECK(cluster.objects(at.owners[0], at.key) == Strings{"cake"});
}

TEST_CASE("absence at stand-ins says nothing") {
  MachineCluster cluster = acquainted();
  const Place at = place(cluster);
  take_down(cluster, at.owners);
  const auto get = cluster.get_now(at.stand_ins[0], at.key, {.r = 1});
  CHECK(absl::IsUnavailable(get.status()));
}

TEST_CASE("a store that is not sloppy has no stand-ins") {
  MachineCluster cluster = acquainted();
  const Place at = place(cluster);
  take_down(cluster, {at.owners[1], at.owners[2]});
  CHECK_FALSE(cluster.put_now(at.owners[0], at.key, "tea", {.sloppy = false}).ok());
  CHECK_FALSE(cluster.get_now(at.owners[0], at.key, {.sloppy = false}).ok());
  for (const std::string& name : at.stand_ins) CHECK(hints(cluster, name) == 0);
  CHECK(cluster.sent<PutForward>() == 0);
}

TEST_CASE("hints survive a restart") {
  MachineCluster cluster = acquainted();
  const Place at = place(cluster);
  take_down(cluster, {at.owners[2]});
  REQUIRE(cluster.put_now(at.owners[0], at.key, "tea", {.w = 3}).ok());
  cluster.restart(at.stand_ins[0]);
  CHECK(hints(cluster, at.stand_ins[0]) == 1);
  bring_up(cluster, {at.owners[2]});
  CHECK(has(cluster, at.owners[2], at.key));
  CHECK(hints(cluster, at.stand_ins[0]) == 0);
}

TEST_CASE("a hint is struck off on a synced answer only, and only if it has not changed") {
  MachineCluster cluster = acquainted();
  const Place at = place(cluster);
  const std::string& keeper = at.stand_ins[0];
  take_down(cluster, {at.owners[2]});
  REQUIRE(cluster.put_now(at.owners[0], at.key, "tea", {.w = 3}).ok());

  // The handoff is on its way, its answer is lost.
  cluster.node(at.owners[2]).up = true;
  REQUIRE(run_to_answer(cluster, at.owners[2], keeper));
  cluster.drop([&](const auto& sent) { return is_answer(sent, at.owners[2], keeper); });
  cluster.run();
  CHECK(has(cluster, at.owners[2], at.key));
  CHECK(hints(cluster, keeper) == 1);
  cluster.advance(milliseconds(20'000));
  CHECK(hints(cluster, keeper) == 0);
}

TEST_CASE("where there is no room for hints none is accepted, and none is dropped") {
  MachineCluster cluster(six, {.hint_bytes_max = 1000});
  cluster.advance(milliseconds(2000));
  const Place at = place(cluster);
  take_down(cluster, {at.owners[2]});
  REQUIRE(cluster.put_now(at.owners[0], at.key, "tea", {.w = 3}).ok());
  const auto large = cluster.put_now(at.owners[0], at.key, std::string(1000, 'x'), {.w = 3});
  CHECK(absl::IsUnavailable(large.status()));
  CHECK_THAT(std::string(large.status().message()),
             test::ContainsSubstring("hint_bytes_max is 1000"));
  CHECK(hints(cluster, at.stand_ins[0]) == 1);
  bring_up(cluster, {at.owners[2]});
  CHECK(hints(cluster, at.stand_ins[0]) == 0);
  CHECK(cluster.state(at.stand_ins[0]).hints.bytes() == 0);
}

TEST_CASE("a hint for an owner that nobody has met goes to all owners") {
  MachineCluster cluster(six);
  const Place at = place(cluster);
  Actions actions;
  REQUIRE(cluster.node(at.stand_ins[0]).machine->open_store(cluster.store, actions).ok());
  for (const std::string& owner : at.owners) cluster.node(owner).up = false;
  cluster.advance(milliseconds(4000));
  REQUIRE(cluster.put_now(at.stand_ins[0], at.key, "tea").ok());
  const auto& held = cluster.state(at.stand_ins[0]).hints.hints();
  REQUIRE(held.size() == 1);
  CHECK(held.begin()->second.owed == std::vector<dynamo::Identity>{{}});
  bring_up(cluster, {at.owners[0]});
  CHECK(has(cluster, at.owners[0], at.key));
  CHECK(hints(cluster, at.stand_ins[0]) == 1);
  bring_up(cluster, {at.owners[1], at.owners[2]});
  CHECK(has(cluster, at.owners[2], at.key));
  CHECK(hints(cluster, at.stand_ins[0]) == 0);
}

// A stand-in takes a put that is owed to whoever owns the key, and then the first owner gets it.
void put_while_owners_are_down(MachineCluster& cluster, const Place& at) {
  const std::string& keeper = at.stand_ins[0];
  Actions actions;
  REQUIRE(cluster.node(keeper).machine->open_store(cluster.store, actions).ok());
  take_down(cluster, at.owners);
  REQUIRE(cluster.put_now(keeper, at.key, "tea").ok());
  bring_up(cluster, {at.owners[0]});
  REQUIRE(has(cluster, at.owners[0], at.key));
}

// An owner that says it has the set may own the key no more in the next view, hand its copy on, and
// own the key again in the one after that, without a copy (seed 710546).
TEST_CASE("what an owner says of a hint counts only in the view that it says it in") {
  MachineCluster cluster(six);
  const Place at = place(cluster);
  const std::string& keeper = at.stand_ins[0];
  put_while_owners_are_down(cluster, at);

  dynamo::View view = cluster.view();
  const auto go_to_next = [&](double weight) {
    ++view.number;
    const auto first = std::ranges::find(view.members, at.owners[0], &dynamo::Member::name);
    first->weight = weight;
    for (const std::string& name : six) cluster.step(name, ViewChanged{view});
  };
  go_to_next(0);
  REQUIRE(std::ranges::count(cluster.owners(at.key), at.owners[0]) == 0);
  go_to_next(1);
  REQUIRE(cluster.owners(at.key) == at.owners);
  take_down(cluster, {at.owners[0]});
  bring_up(cluster, {at.owners[1], at.owners[2]});
  CHECK(hints(cluster, keeper) == 1);
  bring_up(cluster, {at.owners[0]});
  CHECK(hints(cluster, keeper) == 0);
}

TEST_CASE("an owner that has synced a hint in an older view is asked again") {
  MachineCluster cluster = acquainted();
  const Place at = place(cluster);
  const std::string& keeper = at.stand_ins[0];
  take_down(cluster, {at.owners[2]});
  REQUIRE(cluster.put_now(at.owners[0], at.key, "tea", {.w = 3}).ok());

  // It answers, and the next view is at the keeper before the answer is.
  cluster.node(at.owners[2]).up = true;
  REQUIRE(run_to_answer(cluster, at.owners[2], keeper));
  dynamo::View view = cluster.view();
  ++view.number;
  cluster.step(keeper, ViewChanged{view});
  cluster.deliver();
  CHECK(hints(cluster, keeper) == 1);
  cluster.advance(milliseconds(10'000));
  CHECK(cluster.state(at.owners[2]).view.number == view.number);
  CHECK(hints(cluster, keeper) == 0);
}

TEST_CASE("an owner that has lost its disk since it synced a hint is asked again") {
  MachineCluster cluster(six);
  const Place at = place(cluster);
  const std::string& keeper = at.stand_ins[0];
  put_while_owners_are_down(cluster, at);

  take_down(cluster, {at.owners[0]});
  cluster.node(at.owners[0]).engine.clear();
  cluster.node(at.owners[0]).identity.identity = {99, 99};
  cluster.restart(at.owners[0]);
  bring_up(cluster, {at.owners[0]});
  CHECK(has(cluster, at.owners[0], at.key));
  CHECK(hints(cluster, keeper) == 1);
  bring_up(cluster, {at.owners[1], at.owners[2]});
  CHECK(hints(cluster, keeper) == 0);
}

TEST_CASE("a get repairs the owners that are behind") {
  MachineCluster cluster({"a", "b", "c"});
  cluster.node("c").up = false;
  REQUIRE(cluster.put_now("a", "k", "tea").ok());
  cluster.node("c").up = true;
  CHECK_FALSE(has(cluster, "c", "k"));

  SECTION("where another node has asked") {
    REQUIRE(cluster.get_now("a", "k", {.r = 3}).ok());
    cluster.run();
    CHECK(has(cluster, "c", "k"));
  }
  SECTION("where it has asked itself") {
    REQUIRE(cluster.get_now("c", "k", {.r = 2}).ok());
    cluster.run();
    CHECK(has(cluster, "c", "k"));
  }
  SECTION("with an answer that came after the get was done") {
    const auto seen = cluster.get_now("a", "k", {.r = 1});
    const std::uint64_t get = cluster.get("a", "k", {.r = 1, .at_least = seen->context});
    CHECK(cluster.finished(get));
    cluster.run();
    CHECK(has(cluster, "c", "k"));
  }
  const int writes = cluster.sent<WriteRequest>();
  CHECK(cluster.objects("b", "k") == Strings{"tea"});
  cluster.run();
  CHECK(cluster.sent<WriteRequest>() == writes);  // and then nothing is left to repair
}

TEST_CASE("a get asks r owners, and the next one when an answer is late") {
  MachineCluster cluster({"a", "b", "c"});
  REQUIRE(cluster.put_now("a", "k", "tea", {.w = 3}).ok());
  const int before = cluster.sent<ReadRequest>();
  REQUIRE(cluster.get_now("a", "k", {.r = 2}).ok());
  CHECK(cluster.sent<ReadRequest>() == before + 1);
  // Whoever is asked is silent, and nobody knows yet that it is away.
  const auto asked = cluster.get_now("a", "k", {.r = 2})->outcome.replicas;
  REQUIRE(asked.size() == 2);
  cluster.node(asked[1].node).up = false;
  const std::uint64_t get = cluster.get("a", "k", {.r = 2});
  cluster.run();
  CHECK_FALSE(cluster.finished(get));
  cluster.advance(std::chrono::milliseconds(100));
  const auto hedged = cluster.got(get);
  REQUIRE(hedged.ok());
  REQUIRE(hedged->outcome.replicas.size() == 3);
  CHECK(hedged->outcome.replicas[1].answer == dynamo::ReplicaReport::Answer::no_answer);
  CHECK(hedged->outcome.replicas[2].answer == dynamo::ReplicaReport::Answer::found);
}
