// Before the first view, and what nodes tell each other of their stores.

#include <string>
#include <vector>

#include "catch.hpp"
#include "unit/node/machine_cluster.h"

using namespace dynamo::core;
using std::chrono::milliseconds;
using test::MachineCluster;
using Strings = std::vector<std::string>;

namespace {

absl::Status open(MachineCluster& cluster, const std::string& at, const StoreFacts& facts) {
  Actions actions;
  const absl::Status status = cluster.node(at).machine->open_store(facts, actions);
  for (WriteRecord& write : actions.writes) {
    cluster.node(at).buffer.insert_or_assign(write.key, std::move(write.record));
  }
  cluster.step(at, Tick{});  // its messages leave with the next turn
  return status;
}

}  // namespace

TEST_CASE("requests before the first view wait for it, and then run") {
  MachineCluster cluster({"a", "b", "c"}, {.with_view = false});
  const std::uint64_t put = cluster.put("a", "k", "tea");
  const std::uint64_t get = cluster.get("a", "k");
  cluster.run();
  CHECK_FALSE(cluster.finished(put));
  CHECK_FALSE(cluster.finished(get));
  for (const char* name : {"a", "b", "c"}) cluster.step(name, ViewChanged{cluster.view()});
  cluster.run();
  CHECK(cluster.done(put).ok());
  CHECK(cluster.got(get).ok());
  CHECK(cluster.objects("b", "k") == Strings{"tea"});
}

TEST_CASE("requests before the first view end at their deadline, or when they are cancelled") {
  MachineCluster cluster({"a"}, {.with_view = false});
  const std::uint64_t put = cluster.put("a", "k", "tea", {.timeout = milliseconds(100)});
  const std::uint64_t get = cluster.get("a", "k", {.timeout = milliseconds(100)});
  const std::uint64_t other_put = cluster.put("a", "k", "tea");
  const std::uint64_t other_get = cluster.get("a", "k");
  cluster.step("a", Cancel{other_put});
  cluster.step("a", Cancel{other_get});
  CHECK(absl::IsCancelled(cluster.done(other_put).status()));
  CHECK(absl::IsCancelled(cluster.got(other_get).status()));
  CHECK(cluster.node("a").machine->next_tick() == cluster.now.steady + milliseconds(100));
  cluster.advance(milliseconds(100));
  CHECK(absl::IsDeadlineExceeded(cluster.done(put).status()));
  CHECK(cluster.got(get).status().message() == "\"k\": this node has no view of the cluster yet");
}

TEST_CASE("an older view, or the same again, changes nothing") {
  MachineCluster cluster({"a", "b", "c"});
  dynamo::View older = cluster.view();
  older.members.pop_back();
  cluster.step("a", ViewChanged{older});
  CHECK(cluster.state("a").ring->members().size() == 3);
  older.number = 2;
  cluster.step("a", ViewChanged{older});
  CHECK(cluster.state("a").ring->members().size() == 2);
}

TEST_CASE("a store that is opened is announced, and kept over a restart") {
  MachineCluster cluster({"a", "b", "c"});
  REQUIRE(open(cluster, "a", cluster.store).ok());
  cluster.run();
  REQUIRE(cluster.state("c").stores.find("carts") != nullptr);
  CHECK_FALSE(cluster.state("c").stores.find("carts")->established);
  cluster.sync("c");
  cluster.restart("c");
  CHECK(absl::IsFailedPrecondition(open(cluster, "c", {.name = "carts", .n = 2})));
}

TEST_CASE("the first write establishes a store") {
  MachineCluster cluster({"a", "b", "c"});
  REQUIRE(open(cluster, "a", cluster.store).ok());
  REQUIRE(cluster.put_now("a", "k", "tea", {.w = 3}).ok());
  for (const char* name : {"a", "b", "c"}) {
    CHECK(cluster.state(name).stores.find("carts")->established);
    cluster.restart(name);
    CHECK(cluster.state(name).stores.find("carts")->established);
  }
}

// The record of a store is written once, with the first of its objects: a batch that failed took it
// along, and after a restart nobody knew that the store was established.
TEST_CASE("a store stays established although the batch that would have said so has failed") {
  MachineCluster cluster({"a", "b", "c"});
  REQUIRE(open(cluster, "a", cluster.store).ok());
  cluster.run();
  const std::uint64_t lost = cluster.put("a", "k", "tea", {.w = 3});
  cluster.fail_writes("a", absl::ResourceExhaustedError("disk full"));
  cluster.run();
  CHECK_FALSE(cluster.done(lost).ok());
  REQUIRE(cluster.put_now("a", "k", "book", {.w = 3}).ok());
  cluster.restart("a");
  REQUIRE(cluster.state("a").stores.find("carts") != nullptr);
  CHECK(cluster.state("a").stores.find("carts")->established);
}

TEST_CASE("two first opens at once: the smaller facts win, the other handle fails by name") {
  MachineCluster cluster({"a", "b", "c"});
  const StoreFacts three = {.name = "carts", .n = 3};
  const StoreFacts two = {.name = "carts", .n = 2};
  REQUIRE(open(cluster, "a", three).ok());
  REQUIRE(open(cluster, "b", two).ok());
  cluster.run();
  cluster.store = three;
  const auto put = cluster.put_now("a", "k", "tea");
  CHECK(absl::IsFailedPrecondition(put.status()));
  CHECK(put.status().message() ==
        "store \"carts\" has n=2, siblings kept; asked for n=3, siblings kept; both are fixed at "
        "first use");
  CHECK(absl::IsFailedPrecondition(cluster.get_now("a", "k").status()));
  cluster.store = two;
  CHECK(cluster.put_now("b", "k", "tea").ok());
  CHECK(cluster.put_now("a", "k", "book").ok());
}

TEST_CASE("a request under other facts is refused by name, and its node learns the facts") {
  MachineCluster cluster({"a", "b"});
  cluster.store.n = 2;
  REQUIRE(open(cluster, "b", cluster.store).ok());
  REQUIRE(cluster.put_now("b", "k", "tea", {.w = 1}).ok());
  MachineCluster::Facts wrong = cluster.store;
  wrong.conflict = Conflict::last_write_wins;
  cluster.node("a").engine.clear();
  cluster.restart("a");  // it has forgotten what b said
  cluster.store = wrong;
  const auto put = cluster.put_now("a", "k", "book", {.w = 2});
  CHECK_FALSE(put.ok());
  CHECK_THAT(std::string(put.status().message()),
             test::ContainsSubstring("store \"carts\" has n=2, siblings kept"));
}

// Nodes must agree on the owners of a store whose n is larger than any before, whether they learned
// of it before their view or after.
TEST_CASE("a store of a larger n than the ring was made for has n owners, the same everywhere") {
  const Strings names = {"a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"};
  MachineCluster cluster(names);
  const StoreFacts wide = {.name = "wide", .n = 8};
  REQUIRE(open(cluster, "a", wide).ok());
  cluster.run();
  cluster.sync("b");
  cluster.restart("b");  // makes its ring knowing the store
  for (int i = 0; i < 50; ++i) {
    const std::string key = "key" + std::to_string(i);
    const Strings owners = cluster.state("a").owners(key, wide.n);
    CHECK(owners.size() == 8);
    CHECK(cluster.state("b").owners(key, wide.n) == owners);
    CHECK(cluster.state("c").owners(key, wide.n) == owners);
  }
  cluster.store = wide;
  CHECK(cluster.put_now("l", "key", "tea", {.w = 8}).ok());
}

// A replica may hear of the store in a request first.
TEST_CASE("a replica that learns of a wide store from a request knows its owners") {
  MachineCluster cluster({"a", "b", "c", "d", "e", "f", "g", "h"});
  cluster.store = {.name = "wide", .n = 8};
  REQUIRE(open(cluster, "a", cluster.store).ok());
  cluster.drop([](const auto& sent) { return test::holds<StoreAnnounce>(sent); });
  CHECK(cluster.put_now("a", "key", "tea", {.w = 8}).ok());
}

TEST_CASE("another label is another cluster") {
  MachineCluster cluster({"a", "b"});
  MachineCluster other({"a", "b"}, {.label = "other"});
  CHECK(cluster.state("a").cluster != other.state("a").cluster);
  other.put("a", "k", "tea");
  for (const auto& sent : other.packets) cluster.deliver_to(sent.to, sent.bytes);
  CHECK(cluster.packets.empty());
}

TEST_CASE("nodes replicate stores that they have never opened") {
  MachineCluster cluster({"a", "b", "c"});
  CHECK(cluster.put_now("a", "k", "tea", {.w = 3}).ok());
  CHECK(cluster.state("b").stores.find("carts")->facts == cluster.store);
}
