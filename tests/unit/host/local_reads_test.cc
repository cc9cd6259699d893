// Gets that are answered on their caller's thread: the same answer as the machine's, or none.

#include "host/local_reads.h"

#include <string>
#include <thread>

#include "catch.hpp"
#include "unit/host/lone_node.h"

using dynamo::ReplicaReport;
using test::LoneNode;

namespace {

std::string object_here(LoneNode& node, const std::string& key) {
  const auto answer = node.host->get_here(node.facts, key);
  if (!answer) return "asks the machine";
  return answer->versions.empty() ? "absent" : answer->versions.front().object;
}

// A node that has an object under "k" on its disk, and not in memory: it has started anew.
void start_with_tea(LoneNode& node) {
  REQUIRE(node.start().ok());
  REQUIRE(node.host->open_store(node.facts).ok());
  const LoneNode::Put put = node.put("k", "tea");
  node.hands->advance(node.options.flush_interval);
  REQUIRE(put->status.ok());
  node.host->stop();
  REQUIRE(node.start().ok());
  REQUIRE(node.host->open_store(node.facts).ok());
}

}  // namespace

TEST_CASE("local reads: an owner answers without a turn, as the machine does") {
  LoneNode node;
  REQUIRE(node.start().ok());
  REQUIRE(node.host->open_store(node.facts).ok());
  CHECK(object_here(node, "k") == "absent");
  const LoneNode::Put put = node.put("k", "tea", false);
  node.hands->turn();
  REQUIRE(put->status.ok());
  CHECK(object_here(node, "k") == "tea");  // from the object buffer
  node.hands->advance(node.options.flush_interval);
  const auto here = node.host->get_here(node.facts, "k");
  const LoneNode::Get asked = node.get("k");
  node.hands->turn();
  REQUIRE(here.has_value());
  REQUIRE(asked->status.ok());
  CHECK(here->context == asked->value.context);
  CHECK(here->outcome.verdict == asked->value.outcome.verdict);
  REQUIRE(here->outcome.replicas.size() == 1);
  CHECK(here->outcome.replicas[0].node == "a");
  CHECK(here->outcome.replicas[0].answer == ReplicaReport::Answer::found);
  REQUIRE(here->versions.size() == 1);
  CHECK(here->versions[0].object == asked->value.versions[0].object);
  CHECK(here->versions[0].dot == asked->value.versions[0].dot);
  CHECK(here->versions[0].written_at == asked->value.versions[0].written_at);
  CHECK(node.host->stats().gets == 4);
  CHECK(node.host->stats().get_latency.count == 4);
}

// The record is read from the engine, is written anew, and the write reaches the disk and leaves
// the object buffer, before the reader goes on and keeps what it has read.
TEST_CASE("local reads: what a slow reader has read is not kept for the next") {
  LoneNode node;
  start_with_tea(node);
  absl::Status second = absl::UnknownError("none yet");
  node.disk->during_read = [&] {
    // On a thread of its own, as the node's turns are: the reader holds a lock of its own.
    std::thread([&] {
      const LoneNode::Put put = node.put("k", "coffee");
      node.hands->advance(node.options.flush_interval);
      second = put->status;
    }).join();
  };
  CHECK(node.host->get_here(node.facts, "k")->versions.size() == 1);
  CHECK(second.ok());
  CHECK(node.host->get_here(node.facts, "k")->versions.size() == 2);
}

// What a get has read from the engine is there for the next without it.
TEST_CASE("local reads: a record that was read is kept until it is written anew") {
  LoneNode node;
  start_with_tea(node);
  CHECK(object_here(node, "k") == "tea");
  node.disk->read_status = absl::DataLossError("the disk is gone");
  CHECK(object_here(node, "k") == "tea");
}

TEST_CASE("local reads: what is not this node's to say is left to the machine") {
  LoneNode node;
  node.members = {"a", "b"};
  REQUIRE(node.start().ok());
  CHECK(object_here(node, "k") == "asks the machine");  // no such store yet
  REQUIRE(node.host->open_store(node.facts).ok());
  int own = 0;
  for (int i = 0; i < 64; ++i) {
    const std::string key = std::to_string(i);
    const bool owner = node.host->owners(key, 1).front() == "a";
    CHECK(object_here(node, key) == (owner ? "absent" : "asks the machine"));
    own += owner ? 1 : 0;
  }
  CHECK(own > 0);
  CHECK(own < 64);
  node.facts.n = 2;
  CHECK(object_here(node, "0") == "asks the machine");
  node.facts.n = 1;
  node.host->stop();
  for (int i = 0; i < 64; ++i) CHECK(object_here(node, std::to_string(i)) == "asks the machine");
}
