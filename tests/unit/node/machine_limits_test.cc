// What a machine refuses, and when it gives up.

#include <optional>
#include <string>
#include <vector>

#include "catch.hpp"
#include "unit/node/machine_cluster.h"

using namespace dynamo::core;
using dynamo::Context;
using dynamo::Outcome;
using std::chrono::milliseconds;
using test::ContainsSubstring;
using test::MachineCluster;

namespace {

std::string message(const absl::Status& status) { return std::string(status.message()); }

// As advance(), but nothing reaches anyone.
void advance_cut_off(MachineCluster& cluster, const std::string& at, milliseconds duration) {
  const TimePoint until = cluster.now.steady + duration;
  while (cluster.now.steady < until) {
    cluster.now.steady += milliseconds(10);
    if (cluster.node(at).machine->next_tick() <= cluster.now.steady) cluster.step(at, Tick{});
    cluster.packets.clear();
  }
}

}  // namespace

TEST_CASE("siblings_max refuses the put that would leave more, and changes nothing") {
  MachineCluster cluster({"a", "b", "c"});
  REQUIRE(cluster.put_now("a", "k", "1", {.siblings_max = 2}).ok());
  const auto second = cluster.put_now("a", "k", "2", {.siblings_max = 2});
  REQUIRE(second.ok());
  const auto third = cluster.put_now("b", "k", "3", {.siblings_max = 2});
  CHECK(absl::IsResourceExhausted(third.status()));
  CHECK(message(third.status()) ==
        "put \"k\": would leave 3 siblings, siblings_max is 2; get the key, merge, and put with "
        "that context");
  CHECK(cluster.objects("c", "k") == std::vector<std::string>{"1", "2"});
  // What replaces one of them fits, and so does a retry of what is there.
  CHECK(cluster.put_now("a", "k", "2", {.id = second->outcome.id, .siblings_max = 2}).ok());
  CHECK(cluster.put_now("a", "k", "3", {.context = second->context, .siblings_max = 2}).ok());
}

TEST_CASE("a history beyond its limit is refused by the put, and stays readable") {
  MachineCluster cluster({"a", "b", "c"});
  ContextBody body{.binding = bind_context(cluster.state("a").cluster, cluster.store.name, "k")};
  for (std::uint64_t i = 0; i < History::entries_max; ++i) body.history.add({{100 + i, 1}, 1});
  const auto refused = cluster.put_now("a", "k", "tea", {.context = make_context(body)});
  CHECK(absl::IsResourceExhausted(refused.status()));
  CHECK(message(refused.status()) ==
        "put \"k\": the key's history has 513 entries, the limit is 512");
  CHECK(cluster.objects("a", "k").empty());
}

TEST_CASE("a context of another cluster, store or key is refused by name") {
  MachineCluster cluster({"a", "b", "c"});
  const auto put = cluster.put_now("a", "k", "tea");
  REQUIRE(put.ok());
  const auto other_key = cluster.put_now("a", "other", "tea", {.context = put->context});
  CHECK(absl::IsInvalidArgument(other_key.status()));
  CHECK_THAT(message(other_key.status()), ContainsSubstring("belongs to another key"));
  const auto get = cluster.get_now("a", "other", {.at_least = put->context});
  CHECK(absl::IsInvalidArgument(get.status()));

  const Context stranger = make_context({.binding = bind_context({9, 9}, cluster.store.name, "k")});
  CHECK_THAT(message(cluster.put_now("a", "k", "tea", {.context = stranger}).status()),
             ContainsSubstring("belongs to another cluster"));
}

TEST_CASE("w above the members that own data is FAILED_PRECONDITION, and says so") {
  MachineCluster cluster({"a", "b"});
  const auto put = cluster.put_now("a", "k", "tea", {.w = 3});
  CHECK(absl::IsFailedPrecondition(put.status()));
  CHECK(message(put.status()) == "put \"k\": w is 3, but the cluster has 2 members that own data");
}

TEST_CASE("a get or put that nobody answers ends at its deadline, with every replica's reason") {
  MachineCluster cluster({"a", "b", "c"});
  const std::string key = cluster.key_of({"a", "b", "c"});
  const std::uint64_t get = cluster.get("a", key, {.r = 2, .timeout = milliseconds(500)});
  const std::uint64_t put = cluster.put("a", key, "tea", {.w = 2, .timeout = milliseconds(500)});
  cluster.sync("a");
  cluster.packets.clear();
  advance_cut_off(cluster, "a", milliseconds(490));
  CHECK_FALSE(cluster.finished(get));
  CHECK_FALSE(cluster.finished(put));
  advance_cut_off(cluster, "a", milliseconds(10));
  CHECK(absl::IsDeadlineExceeded(cluster.got(get).status()));
  CHECK(message(cluster.got(get).status()) ==
        "get \"" + key +
            "\": 1 of r=2 replicas answered within 500 ms (a: not found; b: no answer; c: no "
            "answer)");
  CHECK(absl::IsDeadlineExceeded(cluster.done(put).status()));
  CHECK(message(cluster.done(put).status()) ==
        "put \"" + key +
            "\": 1 of w=2 replicas synced it within 500 ms (a: synced; b: no answer; c: no "
            "answer)");
  CHECK(dynamo::outcome_of(cluster.done(put).status())->verdict ==
        Outcome::Verdict::applied_below_quorum);
}

TEST_CASE("once peers are known to be silent, nobody waits for the deadline") {
  MachineCluster cluster({"a", "b", "c"});
  const std::string key = cluster.key_of({"a", "b", "c"});
  REQUIRE(cluster.put_now("a", key, "tea", {.w = 3}).ok());
  cluster.node("b").up = false;
  cluster.node("c").up = false;
  cluster.advance(milliseconds(3000));
  const std::uint64_t get = cluster.get("a", key, {.r = 2, .timeout = milliseconds(60'000)});
  REQUIRE(cluster.finished(get));
  CHECK(absl::IsUnavailable(cluster.got(get).status()));
  CHECK_THAT(message(cluster.got(get).status()),
             ContainsSubstring("get \"" + key +
                               "\": 1 of r=2 replicas answered (a: found; b: unreachable: "
                               "silent for "));
  const std::uint64_t put =
      cluster.put("a", key, "book", {.w = 2, .timeout = milliseconds(60'000)});
  REQUIRE(cluster.finished(put));
  CHECK(absl::IsUnavailable(cluster.done(put).status()));
  CHECK(dynamo::outcome_of(cluster.done(put).status())->verdict ==
        Outcome::Verdict::applied_below_quorum);
}

TEST_CASE("a peer that falls silent during an operation ends it early") {
  MachineCluster cluster({"a", "b", "c"});
  REQUIRE(cluster.put_now("a", "k", "tea").ok());
  cluster.node("b").up = false;
  cluster.node("c").up = false;
  const std::uint64_t get = cluster.get("a", "k", {.r = 2, .timeout = milliseconds(60'000)});
  const std::uint64_t put =
      cluster.put("a", "k", "book", {.w = 2, .timeout = milliseconds(60'000)});
  cluster.advance(milliseconds(3000));
  CHECK(absl::IsUnavailable(cluster.got(get).status()));
  CHECK(absl::IsUnavailable(cluster.done(put).status()));
}

TEST_CASE("a silent owner that was handed a put leaves its outcome unknown") {
  MachineCluster cluster({"a", "b", "c", "d"});
  const std::string key = cluster.key_not_owned_by("d");
  const std::uint64_t put =
      cluster.put("d", key, "tea", {.timeout = milliseconds(300), .sloppy = false});
  cluster.packets.clear();
  advance_cut_off(cluster, "d", milliseconds(300));
  CHECK(absl::IsDeadlineExceeded(cluster.done(put).status()));
  CHECK_THAT(message(cluster.done(put).status()),
             ContainsSubstring("no owner of the key coordinated it within 300 ms"));
  CHECK(dynamo::outcome_of(cluster.done(put).status())->verdict == Outcome::Verdict::unknown);
  CHECK(cluster.sent<PutForward>() == 3);  // each owner once, under one id
}

TEST_CASE("the coordinator's word arrives before the deadline of the first node") {
  MachineCluster cluster({"a", "b", "c", "d"});
  const std::string key = cluster.key_not_owned_by("d");
  const std::uint64_t put =
      cluster.put("d", key, "tea", {.w = 3, .timeout = milliseconds(300), .sloppy = false});
  const std::vector<std::string> owners = cluster.owners(key);
  const std::string coordinator = cluster.packets.front().to;
  for (const std::string& owner : owners) cluster.node(owner).up = owner == coordinator;
  cluster.advance(milliseconds(300));
  CHECK_THAT(message(cluster.done(put).status()), ContainsSubstring("1 of w=3 replicas synced it"));
  CHECK(cluster.sent<PutForward>() == 2);  // it was slow, and asked once more
}

TEST_CASE("late answers change nothing") {
  MachineCluster cluster({"a", "b", "c"});
  const std::uint64_t get = cluster.get("a", "k", {.r = 3, .timeout = milliseconds(100)});
  const std::uint64_t put = cluster.put("a", "k", "tea", {.w = 3, .timeout = milliseconds(100)});
  cluster.deliver();
  const std::vector<MachineCluster::Sent> replies = std::exchange(cluster.packets, {});
  advance_cut_off(cluster, "a", milliseconds(100));
  CHECK(absl::IsDeadlineExceeded(cluster.got(get).status()));
  CHECK(absl::IsDeadlineExceeded(cluster.done(put).status()));
  for (const auto& reply : replies) cluster.deliver(reply);
  cluster.run();  // an answer given twice would throw
  CHECK(cluster.objects("b", "k") == std::vector<std::string>{"tea"});
}

TEST_CASE("cancel ends a request, once, wherever it is") {
  MachineCluster cluster({"a", "b", "c"});
  const std::uint64_t get = cluster.get("a", "k");
  const std::uint64_t put = cluster.put("a", "k", "tea");
  cluster.step("a", Cancel{get});
  cluster.step("a", Cancel{put});
  CHECK(absl::IsCancelled(cluster.got(get).status()));
  CHECK(absl::IsCancelled(cluster.done(put).status()));
  cluster.step("a", Cancel{get});
  cluster.step("a", Cancel{put});
  cluster.step("a", Cancel{12345});
  cluster.run();
}

TEST_CASE("a full buffer makes puts wait, not gets; room lets them go on in order") {
  MachineCluster cluster({"a", "b", "c"});
  REQUIRE(cluster.put_now("a", "k", "tea").ok());
  cluster.node("a").full_reason = "full up";
  const std::uint64_t put = cluster.put("a", "k", "book");
  const std::uint64_t cancelled = cluster.put("a", "k", "pen");
  const std::uint64_t late = cluster.put("a", "k", "ink", {.timeout = milliseconds(100)});
  cluster.run();
  CHECK(cluster.objects("a", "k") == std::vector<std::string>{"tea"});
  cluster.step("a", Cancel{cancelled});
  CHECK(absl::IsCancelled(cluster.done(cancelled).status()));
  cluster.advance(milliseconds(100));
  CHECK(absl::IsResourceExhausted(cluster.done(late).status()));
  CHECK(message(cluster.done(late).status()) == "put \"k\": full up");
  cluster.node("a").full_reason = "";
  cluster.step("a", BatchWritten{});
  cluster.run();
  CHECK(cluster.done(put).ok());
}

// A burst of 128 MB went out in one turn: most of it was lost, and all of it was late.
TEST_CASE("large objects go out as others come home, in order") {
  MachineCluster cluster({"a", "b", "c"});
  const std::string object(std::size_t{1} << 20, 'x');
  std::vector<std::uint64_t> puts;
  for (int i = 0; i < 40; ++i) {
    puts.push_back(cluster.put("a", "k" + std::to_string(i), object, {.synced = false}));
  }
  const std::uint64_t late =
      cluster.put("a", "late", object, {.synced = false, .timeout = milliseconds(50)});
  std::size_t begun = 0;
  for (const auto& sent : cluster.packets) begun += sent.bytes.size() / object.size();
  CHECK(begun == 2 * 16);
  CHECK_FALSE(cluster.finished(puts.front()));
  cluster.now.steady += milliseconds(60);
  cluster.step("a", Tick{});
  CHECK(message(cluster.done(late).status()) ==
        "put \"late\": 16777216 bytes of objects are under way, the limit is 16777216");
  CHECK(absl::IsResourceExhausted(cluster.done(late).status()));
  // One that would have room, but not before those that came before it.
  const std::uint64_t behind =
      cluster.put("a", "behind", "", {.synced = false, .timeout = milliseconds(50)});
  cluster.now.steady += milliseconds(60);
  cluster.step("a", Tick{});
  CHECK(message(cluster.done(behind).status()) ==
        "put \"behind\": 16777216 bytes of objects are under way, the limit is 16777216");
  cluster.run();
  for (const std::uint64_t put : puts) CHECK(cluster.done(put).ok());
  // The largest there may be goes by itself.
  const std::string larger(std::size_t{16} << 20, 'x');
  const std::uint64_t small = cluster.put("a", "small", "x", {.synced = false});
  const std::uint64_t large = cluster.put("a", "large", larger, {.synced = false});
  cluster.run();
  CHECK(cluster.done(small).ok());
  CHECK(cluster.done(large).ok());
}

TEST_CASE("gets go out as others come home until it is known how large their answers are") {
  MachineCluster cluster({"a", "b", "c", "d"});
  const std::string key = cluster.key_not_owned_by("d");
  REQUIRE(cluster.put_now("a", key, "tea", {.w = 3}).ok());
  const auto ask = [&](int count) {
    std::vector<std::uint64_t> gets;
    for (int i = 0; i < count; ++i) gets.push_back(cluster.get("d", key, {.r = 1}));
    return gets;
  };
  std::vector<std::uint64_t> gets = ask(300);
  const std::uint64_t cancelled = cluster.get("d", key);
  const std::uint64_t late = cluster.get("d", key, {.timeout = milliseconds(50)});
  CHECK(cluster.sent<ReadRequest>() == 256);
  cluster.step("d", Cancel{cancelled});
  CHECK(absl::IsCancelled(cluster.got(cancelled).status()));
  cluster.now.steady += milliseconds(60);
  cluster.step("d", Tick{});
  CHECK(message(cluster.got(late).status()) ==
        "get \"" + key +
            "\": 256 gets of about 65536 bytes are under way, the limit is 16777216 bytes");
  cluster.run();
  for (const std::uint64_t get : gets) CHECK(cluster.got(get)->versions.size() == 1);
  // They are small.
  const int sent = cluster.sent<ReadRequest>();
  gets = ask(1000);
  CHECK(cluster.sent<ReadRequest>() == sent + 1000);
  cluster.run();
  for (const std::uint64_t get : gets) CHECK(cluster.got(get).ok());
}

TEST_CASE("a failed batch makes room, too") {
  MachineCluster cluster({"a", "b", "c"});
  cluster.node("a").full_reason = "full up";
  const std::uint64_t put = cluster.put("a", "k", "tea");
  cluster.node("a").full_reason = "";
  cluster.fail_writes("a", absl::ResourceExhaustedError("disk full"));
  cluster.run();
  REQUIRE(cluster.finished(put));
  CHECK(cluster.done(put).ok());
}

TEST_CASE("a put that waits for room when the engine fails ends with the engine") {
  MachineCluster cluster({"a", "b", "c"});
  cluster.node("a").full_reason = "full up";
  const std::uint64_t put = cluster.put("a", "k", "tea");
  cluster.node("a").full_reason = "";
  cluster.fail_writes("a", absl::DataLossError("input/output error"));
  REQUIRE(cluster.finished(put));
  CHECK(absl::IsDataLoss(cluster.done(put).status()));
}

TEST_CASE("an owner whose buffer is full does not take over a put: the next one does") {
  MachineCluster cluster({"a", "b", "c", "d"});
  const std::string key = cluster.key_not_owned_by("d");
  const std::uint64_t put = cluster.put("d", key, "tea");
  cluster.node(cluster.packets.front().to).full_reason = "full up";
  cluster.run();
  REQUIRE(cluster.finished(put));
  CHECK(cluster.done(put).ok());
  CHECK(cluster.sent<PutForward>() == 2);
}

TEST_CASE("after DATA_LOSS a node takes no more writes, is still read, and the others serve on") {
  MachineCluster cluster({"a", "b", "c"});
  REQUIRE(cluster.put_now("a", "k", "tea", {.w = 3}).ok());
  const std::uint64_t put = cluster.put("a", "k", "book", {.w = 3});
  cluster.fail_writes("a", absl::DataLossError("input/output error"));
  REQUIRE(cluster.finished(put));
  CHECK(absl::IsDataLoss(cluster.done(put).status()));
  CHECK(dynamo::outcome_of(cluster.done(put).status())->verdict == Outcome::Verdict::unknown);
  cluster.run();

  const auto put_later = cluster.put_now("a", "k", "pen");
  CHECK(absl::IsDataLoss(put_later.status()));
  CHECK(message(put_later.status()) ==
        "node \"a\" takes no more writes, its storage failed: input/output error");
  // What it had acknowledged is there, and the read repair of its own record is left out.
  CHECK(cluster.objects("a", "k", 1) == std::vector<std::string>{"tea"});
  CHECK(cluster.objects("a", "k", 3) == std::vector<std::string>{"book", "tea"});
  CHECK(cluster.objects("a", "k", 1) == std::vector<std::string>{"tea"});
  // The book reached b and c, and a refuses writes by name.
  CHECK(cluster.objects("b", "k", 2) == std::vector<std::string>{"book", "tea"});
  CHECK(cluster.get_now("b", "k", {.r = 3}).ok());
  const auto all = cluster.put_now("b", "k", "all", {.w = 3});
  CHECK_THAT(message(all.status()),
             ContainsSubstring("a: refused: node \"a\" takes no more writes"));
  CHECK(cluster.put_now("b", "k", "ink", {.w = 2}).ok());
}
