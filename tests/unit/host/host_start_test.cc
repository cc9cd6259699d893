// How a node comes up, and when it does not.

#include <memory>
#include <string>

#include "catch.hpp"
#include "node/engine_keys.h"
#include "node/identity.h"
#include "node/record.h"
#include "unit/host/lone_node.h"

using std::chrono::milliseconds;
using test::ContainsSubstring;
using test::LoneNode;

namespace {

absl::Status start_on(const std::shared_ptr<test::Disk>& disk,
                      const dynamo::NodeOptions& options = {.name = "a", .partitions = 8}) {
  LoneNode node;
  node.disk = disk;
  node.options = options;
  node.members = {options.name};
  return node.start();
}

dynamo::core::NodeIdentity identity_on(test::Disk& disk) {
  dynamo::core::NodeIdentity identity;
  CHECK(disk.engine
            ->read(dynamo::core::identity_key(),
                   [&](std::string_view record) {
                     identity = dynamo::core::decode_identity(record).value();
                   })
            .value());
  return identity;
}

void write_on(test::Disk& disk, const std::string& key, const std::string& record) {
  const dynamo::StorageEngine::Write write{key, record};
  REQUIRE(disk.engine->write({&write, 1}).ok());
}

// Calls back as told, and watches when it is called.
class WatchedMembership final : public dynamo::Membership {
 public:
  struct Watch {
    int ticks = 0;
    int ticks_outside_turns = 0;
    bool stopped = false;
    dynamo::Member self{};
    std::string state{};
    Callbacks callbacks{};
  };
  WatchedMembership(std::shared_ptr<Watch> watch, std::shared_ptr<LoneNode::Hands> hands)
      : watch_(std::move(watch)), hands_(std::move(hands)) {}
  absl::Status start(dynamo::Member self, std::string state, std::uint64_t,
                     Callbacks callbacks) override {
    watch_->self = std::move(self);
    watch_->state = std::move(state);
    watch_->callbacks = std::move(callbacks);
    return absl::OkStatus();
  }
  absl::Status change(const dynamo::Change&) override { return absl::OkStatus(); }
  void receive(std::string) override {}
  void tick(std::chrono::steady_clock::time_point) override {
    ++watch_->ticks;
    if (!hands_->in_turn) ++watch_->ticks_outside_turns;
  }
  void stop() override { watch_->stopped = true; }

 private:
  const std::shared_ptr<Watch> watch_;
  const std::shared_ptr<LoneNode::Hands> hands_;
};

}  // namespace

TEST_CASE("start: identity stays, boot rises, and both are synced before anything is said") {
  const auto disk = std::make_shared<test::Disk>();
  REQUIRE(start_on(disk).ok());
  const dynamo::core::NodeIdentity first = identity_on(*disk);
  CHECK(first.boot == 1);
  CHECK_FALSE(first.cluster.is_zero());
  REQUIRE(start_on(disk).ok());
  const dynamo::core::NodeIdentity second = identity_on(*disk);
  CHECK(second.boot == 2);
  CHECK(second.identity == first.identity);
}

TEST_CASE("start: a directory of another node, ring or cluster is refused by name") {
  const auto disk = std::make_shared<test::Disk>();
  REQUIRE(start_on(disk).ok());
  const absl::Status name = start_on(disk, {.name = "b", .partitions = 8});
  CHECK(absl::IsFailedPrecondition(name));
  CHECK(name.message() == "data directory belongs to node \"a\", not to \"b\"");
  CHECK(absl::IsFailedPrecondition(start_on(disk, {.name = "a", .partitions = 16})));
  const absl::Status label =
      start_on(disk, {.cluster = "other", .name = "a", .data_dir = "/somewhere", .partitions = 8});
  CHECK(absl::IsFailedPrecondition(label));
  CHECK_THAT(std::string(label.message()), ContainsSubstring("data directory /somewhere belongs to "
                                                             "cluster "));
  CHECK_THAT(std::string(label.message()), ContainsSubstring("label \"other\""));
  CHECK(start_on(disk).ok());
}

TEST_CASE("start: a directory that peers have refused stays refused, and its boot as it is") {
  const auto disk = std::make_shared<test::Disk>();
  REQUIRE(start_on(disk).ok());
  dynamo::core::NodeIdentity identity = identity_on(*disk);
  identity.boot_seen_by_peers = 9;
  write_on(*disk, dynamo::core::identity_key(), dynamo::core::encode_identity(identity));
  for (int i = 0; i < 3; ++i) {
    const absl::Status status = start_on(disk);
    CHECK(absl::IsFailedPrecondition(status));
    CHECK_THAT(std::string(status.message()), ContainsSubstring("peers have seen its boot 9"));
  }
  CHECK(identity_on(*disk).boot == 1);
}

TEST_CASE("start: a directory that is adopted is emptied, and once only") {
  const auto disk = std::make_shared<test::Disk>();
  REQUIRE(start_on(disk).ok());
  for (int i = 0; i < 2500; ++i) {
    write_on(*disk, dynamo::core::peer_key(std::to_string(i)), "of the copy");
  }
  const dynamo::NodeOptions adopting{.name = "a", .partitions = 8, .adopt_as_new = true};
  REQUIRE(start_on(disk, adopting).ok());
  CHECK(identity_on(*disk).boot == 1);
  CHECK(identity_on(*disk).adopted);
  int left = 0;
  REQUIRE(
      disk->engine->scan("", [&](std::string_view, std::string_view) { return ++left > 0; }).ok());
  CHECK(left < 10);
  REQUIRE(start_on(disk, adopting).ok());
  CHECK(identity_on(*disk).boot == 2);
}

// Half a copy must not be opened as if it were whole.
TEST_CASE("start: a directory whose adoption was cut short is refused until it is adopted") {
  const auto disk = std::make_shared<test::Disk>();
  REQUIRE(start_on(disk).ok());
  const dynamo::NodeOptions adopting{.name = "a", .partitions = 8, .adopt_as_new = true};
  disk->commits_max = disk->commits + 1;  // the mark, and no more
  CHECK_FALSE(start_on(disk, adopting).ok());
  disk->commits_max = std::numeric_limits<int>::max();
  CHECK(absl::IsFailedPrecondition(start_on(disk)));
  CHECK(start_on(disk, adopting).ok());
  CHECK(start_on(disk).ok());
}

TEST_CASE("start: damaged records of the node itself are DATA_LOSS") {
  for (const std::string& key : {dynamo::core::identity_key(), dynamo::core::peer_key("b"),
                                 dynamo::core::store_key("carts")}) {
    const auto disk = std::make_shared<test::Disk>();
    write_on(*disk, key, "not a record at all");
    CHECK(absl::IsDataLoss(start_on(disk)));
  }
}

TEST_CASE("start: an engine that fails is the error of the start") {
  const auto disk = std::make_shared<test::Disk>();
  disk->write_status = absl::ResourceExhaustedError("disk full");
  CHECK(absl::IsResourceExhausted(start_on(disk)));
  disk->write_status = absl::OkStatus();
  disk->read_status = absl::DataLossError("bad sector");
  CHECK(absl::IsDataLoss(start_on(disk)));
}

TEST_CASE("start: the membership's own refusal stops the node") {
  LoneNode node;
  node.members = {"b", "c"};
  CHECK(absl::IsInvalidArgument(node.start()));
}

TEST_CASE("membership: is told who we are, ticks in turns only, gets its state back") {
  const auto disk = std::make_shared<test::Disk>();
  const auto watch = std::make_shared<WatchedMembership::Watch>();
  {
    LoneNode node;
    node.disk = disk;
    node.options.zone = "z";
    REQUIRE(node.start(std::make_unique<WatchedMembership>(watch, node.hands)).ok());
    CHECK(watch->self.name == "a");
    CHECK(watch->self.address == "here");
    CHECK(watch->self.zone == "z");
    CHECK(watch->state.empty());
    CHECK(watch->ticks == 1);
    node.hands->advance(milliseconds(1000));
    CHECK(watch->ticks == 6);
    REQUIRE(watch->callbacks.persist("where I was").ok());

    // Opening a store is no turn.
    node.hands->steady += milliseconds(1000);
    REQUIRE(node.host->open_store(node.facts).ok());
    CHECK(watch->ticks_outside_turns == 0);
    node.host->stop();
    CHECK(watch->stopped);
  }
  LoneNode again;
  again.disk = disk;
  REQUIRE(again.start(std::make_unique<WatchedMembership>(watch, again.hands)).ok());
  CHECK(watch->state == "where I was");
}

TEST_CASE("membership: a view that comes late lets the requests run that waited for it") {
  const auto watch = std::make_shared<WatchedMembership::Watch>();
  LoneNode node;
  REQUIRE(node.start(std::make_unique<WatchedMembership>(watch, node.hands)).ok());
  CHECK(node.host->status().notes.front() == "waiting for the first view of the cluster");
  CHECK(node.host->ring_view().partitions == 0);
  const LoneNode::Put put = node.put("k", "tea");
  node.hands->run();
  CHECK(put->times == 0);
  watch->callbacks.publish(
      {.number = 1, .cluster = {5, 5}, .members = {{.name = "a", .address = "here"}}});
  node.hands->run();
  CHECK(put->status.ok());
  CHECK(node.host->owners("k", 1) == std::vector<std::string>{"a"});
}
