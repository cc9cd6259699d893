// A node never speaks under the same name after it may have forgotten something (traps A2, A3).

#include <set>
#include <string>
#include <vector>

#include "catch.hpp"
#include "unit/node/machine_cluster.h"

using namespace dynamo::core;
using test::MachineCluster;
using Strings = std::vector<std::string>;

namespace {

Record record_at(MachineCluster& cluster, const std::string& node, const std::string& key) {
  return decode_record(cluster.node(node).engine.at(cluster.object_key(key)), cluster.store.name,
                       key)
      .value();
}

dynamo::ActorId actor_at(MachineCluster& cluster, const std::string& node, const std::string& key) {
  return record_at(cluster, node, key).replica.actor;
}

}  // namespace

TEST_CASE("a record is written under one name as long as nothing happens to it") {
  MachineCluster cluster({"a", "b", "c"});
  REQUIRE(cluster.put_now("a", "k", "1").ok());
  const dynamo::ActorId before = actor_at(cluster, "a", "k");
  REQUIRE(cluster.put_now("a", "k", "2").ok());
  CHECK(actor_at(cluster, "a", "k") == before);
  CHECK(actor_at(cluster, "b", "k") == dynamo::ActorId{});  // b has not written it
}

TEST_CASE("a restart draws a fresh name, even when nothing was lost") {
  MachineCluster cluster({"a", "b", "c"});
  REQUIRE(cluster.put_now("a", "k", "1").ok());
  const dynamo::ActorId before = actor_at(cluster, "a", "k");
  cluster.restart("a");
  REQUIRE(cluster.put_now("a", "k", "2").ok());
  CHECK(actor_at(cluster, "a", "k") != before);
  CHECK(cluster.objects("b", "k") == Strings{"1", "2"});
}

TEST_CASE("a failed write draws a fresh name") {
  for (const absl::Status& status :
       {absl::ResourceExhaustedError("disk full"), absl::InternalError("input/output error")}) {
    MachineCluster cluster({"a", "b", "c"});
    REQUIRE(cluster.put_now("a", "k", "1").ok());
    const dynamo::ActorId before = actor_at(cluster, "a", "k");
    const std::uint64_t lost = cluster.put("a", "k", "2", {.w = 2});
    cluster.fail_writes("a", status);
    // b and c hold the dot that a has forgotten.
    REQUIRE(cluster.put_now("a", "k", "3").ok());
    CHECK(cluster.done(lost).ok());
    CHECK(actor_at(cluster, "a", "k") != before);
    CHECK(cluster.objects("c", "k") == Strings{"1", "2", "3"});
  }
}

// Trap A2 end to end: the coordinator forgets the record, and coordinates again.
TEST_CASE("a forgotten record: no dot is used twice, nothing is lost") {
  MachineCluster cluster({"a", "b"});
  cluster.store.n = 2;
  for (const char* object : {"1", "2", "3"}) {
    REQUIRE(cluster.put_now("a", "k", object, {.w = 2}).ok());
  }
  cluster.node("a").engine.erase(cluster.object_key("k"));
  REQUIRE(cluster.put_now("a", "k", "4", {.w = 2}).ok());
  CHECK(cluster.objects("b", "k", 2) == Strings{"1", "2", "3", "4"});

  std::set<dynamo::Dot> dots;
  const Record held = record_at(cluster, "b", "k");
  for (const StoredVersion& version : held.replica.set.versions()) dots.insert(version.dot);
  CHECK(dots.size() == 4);
}

// Trap A3: it gets an old copy back first, and so finds its own name with a counter gone stale.
TEST_CASE("a forgotten record that comes back old: no dot is used twice, nothing is lost") {
  MachineCluster cluster({"a", "b", "c"});
  REQUIRE(cluster.put_now("a", "k", "1", {.w = 3}).ok());
  const std::string old = cluster.node("a").engine.at(cluster.object_key("k"));
  // The second write reaches c only, and is then forgotten by a.
  const std::uint64_t second = cluster.put("a", "k", "2", {.w = 2});
  cluster.drop([](const auto& sent) { return sent.to == "b"; });
  cluster.run();
  REQUIRE(cluster.done(second).ok());
  cluster.node("a").engine[cluster.object_key("k")] = old;
  cluster.restart("a");
  // The third reaches b only; the fourth brings all together.
  const std::uint64_t third = cluster.put("a", "k", "3", {.w = 2});
  cluster.drop([](const auto& sent) { return sent.to == "c"; });
  cluster.run();
  REQUIRE(cluster.done(third).ok());
  CHECK(cluster.objects("b", "k") == Strings{"1", "2", "3"});
}

TEST_CASE("an incoming history that knows more of our name makes us draw another") {
  MachineCluster cluster({"a", "b", "c"});
  REQUIRE(cluster.put_now("a", "k", "1", {.w = 3}).ok());
  const dynamo::ActorId before = actor_at(cluster, "a", "k");
  const std::string old = cluster.node("a").engine.at(cluster.object_key("k"));
  REQUIRE(cluster.put_now("a", "k", "2", {.w = 3}).ok());
  cluster.node("a").engine[cluster.object_key("k")] = old;  // the same life, an older record
  REQUIRE(cluster.put_now("b", "k", "3", {.w = 3}).ok());   // b's set names a's second dot
  CHECK(actor_at(cluster, "a", "k") == dynamo::ActorId{});
  REQUIRE(cluster.put_now("a", "k", "4", {.w = 3}).ok());
  CHECK(actor_at(cluster, "a", "k") != before);
  CHECK(cluster.objects("c", "k") == Strings{"1", "2", "3", "4"});
}

TEST_CASE("a context that knows more of our name makes us draw another") {
  MachineCluster cluster({"a", "b", "c"});
  REQUIRE(cluster.put_now("a", "k", "1", {.w = 3}).ok());
  const dynamo::ActorId before = actor_at(cluster, "a", "k");
  const std::string old = cluster.node("a").engine.at(cluster.object_key("k"));
  const auto second = cluster.put_now("a", "k", "2", {.w = 3});
  cluster.node("a").engine[cluster.object_key("k")] = old;
  REQUIRE(cluster.put_now("a", "k", "3", {.context = second->context, .w = 3}).ok());
  CHECK(actor_at(cluster, "a", "k") != before);
  CHECK(cluster.objects("c", "k") == Strings{"1", "3"});
}
