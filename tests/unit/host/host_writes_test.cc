// What a host acknowledges, and what becomes of it when the disk fails.

#include <string>
#include <vector>

#include "catch.hpp"
#include "node/engine_keys.h"
#include "node/record.h"
#include "unit/host/lone_node.h"

using std::chrono::milliseconds;
using test::ContainsSubstring;
using test::LoneNode;
using Strings = std::vector<std::string>;

TEST_CASE("host: a synced write is answered after its commit, a buffered one before") {
  LoneNode node;
  REQUIRE(node.start().ok());
  const LoneNode::Put synced = node.put("k", "tea");
  node.hands->turn();
  CHECK(synced->times == 0);
  node.hands->flush();
  CHECK(synced->times == 0);
  node.hands->turn();
  CHECK(synced->times == 1);
  CHECK(synced->status.ok());

  const int commits = node.disk->commits;
  const LoneNode::Put buffered = node.put("k", "book", false);
  node.hands->turn();
  CHECK(buffered->times == 1);
  CHECK(node.disk->commits == commits);
  CHECK(node.objects("k") == Strings{"book", "tea"});
  node.hands->advance(node.options.flush_interval);
  CHECK(node.disk->commits == commits + 1);
}

TEST_CASE("host: acknowledged writes survive a full disk and are tried again") {
  LoneNode node;
  REQUIRE(node.start().ok());
  const LoneNode::Put put = node.put("k", "tea", false);
  node.hands->run();
  REQUIRE(put->status.ok());
  node.disk->write_status = absl::ResourceExhaustedError("disk full");
  node.hands->advance(milliseconds(3000));
  CHECK(node.objects("k") == Strings{"tea"});
  node.disk->write_status = absl::OkStatus();
  node.hands->advance(milliseconds(1000));
  node.host->stop();

  LoneNode again;
  again.disk = node.disk;
  REQUIRE(again.start().ok());
  CHECK(again.objects("k") == Strings{"tea"});
}

// What was acknowledged before the disk filled up has to wait. What came after it was acknowledged
// too, from memory, for as long as the buffer had room: minutes of writes that a crash would lose.
TEST_CASE("host: while acknowledged writes wait for a full disk, no more are acknowledged") {
  LoneNode node;
  REQUIRE(node.start().ok());
  const LoneNode::Put before = node.put("k", "tea", false);
  node.hands->run();
  REQUIRE(before->status.ok());
  node.disk->write_status = absl::ResourceExhaustedError("disk full");
  node.hands->advance(node.options.flush_interval);
  const std::string why = "acknowledged writes wait for a disk that takes none: disk full";
  for (const bool synced : {false, true}) {
    const LoneNode::Put refused = node.put("k", "book", synced, milliseconds(300));
    node.hands->advance(milliseconds(200));
    CHECK(refused->times == 0);
    node.hands->advance(milliseconds(200));
    CHECK(absl::IsResourceExhausted(refused->status));
    CHECK_THAT(std::string(refused->status.message()), ContainsSubstring(why));
  }
  REQUIRE_FALSE(node.host->status().notes.empty());
  CHECK(node.host->status().notes.back() == why);
  CHECK(node.objects("k") == Strings{"tea"});

  const LoneNode::Put patient = node.put("k", "pen", false, milliseconds(5000));
  node.hands->advance(milliseconds(1000));
  CHECK(patient->times == 0);
  node.disk->write_status = absl::OkStatus();
  node.hands->advance(milliseconds(200));
  CHECK(patient->status.ok());
  CHECK(node.objects("k") == Strings{"pen", "tea"});
  for (const std::string& note : node.host->status().notes) CHECK(note != why);
}

TEST_CASE("host: synced writes fail on a full disk, and are not there afterwards; reads go on") {
  LoneNode node;
  REQUIRE(node.start().ok());
  const LoneNode::Put before = node.put("k", "tea");
  node.hands->run();
  REQUIRE(before->status.ok());
  node.disk->write_status = absl::ResourceExhaustedError("disk full");
  const LoneNode::Put failed = node.put("k", "book");
  node.hands->run();
  CHECK(failed->times == 1);
  CHECK(absl::IsResourceExhausted(failed->status));
  CHECK_THAT(std::string(failed->status.message()), ContainsSubstring("a: refused: disk full"));
  CHECK(node.objects("k") == Strings{"tea"});
  node.disk->write_status = absl::OkStatus();
  const LoneNode::Put after = node.put("k", "pen");
  node.hands->run();
  CHECK(after->status.ok());
  CHECK(node.objects("k") == Strings{"pen", "tea"});
}

// A commit fails while the next put already waits for its turn. The record is back to what it was
// on disk, with the name that the lost write was made under: the waiting put must not take that
// name, or the dot that peers know of the lost write is given to another version (trap A2).
TEST_CASE("host: a put that waits while a commit fails does not take the lost write's dot") {
  LoneNode node;
  REQUIRE(node.start().ok());
  REQUIRE(node.objects("k").empty());
  node.put("k", "1");
  node.hands->run();
  const LoneNode::Put lost = node.put("k", "2");
  node.hands->turn();
  const auto dot_of = [&node](const std::string& object) {
    const LoneNode::Get got = node.get("k");
    node.hands->turn();
    for (const dynamo::Version& version : got->value.versions) {
      if (version.object == object) return version.dot;
    }
    return dynamo::Dot{};
  };
  const dynamo::Dot lost_dot = dot_of("2");
  REQUIRE(lost_dot.counter > 0);
  node.disk->write_status = absl::ResourceExhaustedError("disk full");
  const LoneNode::Put waiting = node.put("k", "3");
  node.hands->flush();
  node.disk->write_status = absl::OkStatus();
  node.hands->run();
  CHECK(absl::IsResourceExhausted(lost->status));
  CHECK(waiting->status.ok());
  CHECK(dot_of("3").counter > 0);
  CHECK(dot_of("3") != lost_dot);
}

TEST_CASE("host: after DATA_LOSS the node takes no more writes and says so, and reads go on") {
  LoneNode node;
  REQUIRE(node.start().ok());
  const LoneNode::Put buffered = node.put("old", "tea", false);
  node.hands->run();
  REQUIRE(buffered->status.ok());
  node.disk->write_status = absl::DataLossError("input/output error");
  const LoneNode::Put failed = node.put("k", "book");
  node.hands->run();
  CHECK(failed->times == 1);
  CHECK(absl::IsDataLoss(failed->status));

  const LoneNode::Put next = node.put("k", "pen");
  node.hands->run();
  CHECK(absl::IsDataLoss(next->status));
  const std::string why = "node \"a\" takes no more writes, its storage failed: input/output error";
  CHECK(next->status.message() == why);
  REQUIRE_FALSE(node.host->status().notes.empty());
  CHECK(node.host->status().notes.front() == why);
  CHECK(absl::IsDataLoss(node.host->open_store({.name = "new", .n = 1})));
  CHECK_FALSE(node.log.empty());
  CHECK(node.objects("old") == Strings{"tea"});
  CHECK(node.objects("k").empty());

  // The engine is not used on, whatever comes.
  node.disk->write_status = absl::OkStatus();
  const int commits = node.disk->commits;
  node.hands->advance(milliseconds(5000));
  node.host->stop();
  CHECK(node.disk->commits == commits);
}

// Only the batch that failed was settled. Nothing came after it, for the engine is not used on:
// puts whose records waited behind it, or on top of one that had been acknowledged, heard nothing
// until their timeout.
TEST_CASE("host: DATA_LOSS ends all puts that wait for the disk, not only those of its batch") {
  LoneNode node;
  REQUIRE(node.start().ok());
  const LoneNode::Put buffered = node.put("old", "tea", false);
  node.hands->run();
  REQUIRE(buffered->status.ok());
  const LoneNode::Put on_top = node.put("old", "pen");
  const LoneNode::Put written = node.put("k", "book");
  node.hands->turn();
  const auto batch = node.host->begin_flush();
  REQUIRE(batch.size() == 2);
  const LoneNode::Put behind = node.put("other", "book");
  node.hands->turn();
  node.host->end_flush(batch, absl::DataLossError("input/output error"));
  node.hands->turn();
  for (const LoneNode::Put& put : {written, on_top, behind}) {
    CHECK(put->times == 1);
    CHECK(absl::IsDataLoss(put->status));
  }
}

TEST_CASE("host: a full buffer makes puts wait until the disk takes some") {
  LoneNode node;
  node.options.buffer_bytes_max = std::size_t{1} << 20;
  REQUIRE(node.start().ok());
  const LoneNode::Put large = node.put("large", std::string(2 << 20, 'x'), false);
  node.hands->turn();
  REQUIRE(large->status.ok());
  const LoneNode::Put waiting = node.put("k", "tea", false, milliseconds(5000));
  const LoneNode::Put late = node.put("k", "book", false, milliseconds(100));
  node.hands->turn();
  CHECK(waiting->times == 0);
  node.hands->advance(milliseconds(200));
  CHECK(absl::IsResourceExhausted(late->status));
  CHECK_THAT(std::string(late->status.message()), ContainsSubstring("buffer_bytes_max is 1048576"));
  CHECK(waiting->times == 0);
  node.hands->advance(milliseconds(1000));
  CHECK(waiting->status.ok());
}

TEST_CASE("host: stop syncs what was acknowledged from memory") {
  const auto disk = std::make_shared<test::Disk>();
  {
    LoneNode node;
    node.disk = disk;
    REQUIRE(node.start().ok());
    const LoneNode::Put put = node.put("k", "tea", false);
    node.hands->run();
    REQUIRE(put->status.ok());
    node.host->stop();
  }
  LoneNode again;
  again.disk = disk;
  REQUIRE(again.start().ok());
  CHECK(again.objects("k") == Strings{"tea"});
}

TEST_CASE("host: stop ends everything with CANCELLED, once") {
  LoneNode node;
  node.members = {"a", "b"};
  node.facts.n = 2;
  REQUIRE(node.start().ok());
  const LoneNode::Put running = node.put("k", "tea");
  const LoneNode::Get done = node.get("k");
  node.hands->turn();
  const LoneNode::Put posted = node.put("k", "book");
  const LoneNode::Get asked = node.get("k");
  node.host->stop();
  node.host->stop();
  node.hands->turn();
  for (const auto& put : {running, posted}) {
    CHECK(put->times == 1);
    CHECK(absl::IsCancelled(put->status));
  }
  CHECK(asked->times == 1);
  CHECK(absl::IsCancelled(asked->status));
  CHECK(done->times == 1);
  const LoneNode::Put late = node.put("k", "pen");
  CHECK(late->times == 1);
  CHECK(absl::IsFailedPrecondition(late->status));
  CHECK(late->status.message() == "node \"a\" has stopped");
  CHECK(absl::IsFailedPrecondition(node.host->open_store(node.facts)));
  CHECK(node.host->owners("k", 1).empty());
  CHECK(node.host->status().notes.back() == "the node has stopped");
}

TEST_CASE("host: counts what was asked of it") {
  LoneNode node;
  REQUIRE(node.start().ok());
  node.put("k", "tea");
  node.put("k", "book");
  node.hands->run();
  CHECK(node.objects("k").size() == 2);
  const dynamo::Stats stats = node.host->stats();
  CHECK(stats.puts == 2);
  CHECK(stats.gets == 1);
  CHECK(stats.failed == 0);
  CHECK(stats.siblings_seen == 1);
}
