// More at once than the transport keeps for a peer: what it drops is sent again.

#include <atomic>
#include <string>
#include <vector>

#include <dynamo/transport/tcp.h>

#include "../../examples/local_cluster.h"
#include "catch.hpp"

namespace {

constexpr std::size_t object_bytes = 64 << 10;
constexpr int objects = 300;
constexpr std::chrono::seconds timeout{60};

// Three nodes whose transports keep a megabyte for each peer.
std::vector<dynamo::Node> start_nodes(const std::filesystem::path& data) {
  const std::vector<dynamo::Member> members = example::local_members(3);
  std::vector<dynamo::Node> nodes;
  for (const dynamo::Member& self : members) {
    dynamo::NodeOptions options{.name = self.name, .listen = self.address};
    options.data_dir = data / self.name;
    for (const dynamo::Member& seed : members) options.seeds.push_back(seed.address);
    dynamo::Components parts;
    parts.transport =
        dynamo::tcp_transport({.listen = self.address, .queue_bytes_max = std::size_t{1} << 20});
    absl::StatusOr<dynamo::Node> node = dynamo::Node::start(options, std::move(parts));
    REQUIRE(node.ok());
    nodes.push_back(*std::move(node));
  }
  return nodes;
}

// Starts them all at once, and returns how many have failed.
template <class Start>
int failures(Start start) {
  std::atomic<int> failed{0};
  std::atomic<int> left{objects};
  for (int i = 0; i < objects; ++i) {
    start(i, [&](const auto& answer) {
      if (!answer.ok()) ++failed;
      if (--left == 0) left.notify_one();
    });
  }
  for (int now = left; now != 0; now = left) left.wait(now);
  return failed;
}

}  // namespace

TEST_CASE("a burst of large objects that no queue holds is written and read") {
  const example::Directory data;
  std::vector<dynamo::Node> nodes = start_nodes(data.path());
  dynamo::StoreOptions options{.quorum = {.n = 3, .r = 3, .w = 3}};
  options.durability = dynamo::Durability::buffered;
  options.timeout = timeout;
  absl::StatusOr<dynamo::Store> store = nodes[0].open("objects", options);
  REQUIRE(store.ok());
  REQUIRE(store->put("ready", {}, "yes").ok());
  const std::string object(object_bytes, 'x');
  const auto key = [](int i) { return "key-" + std::to_string(i); };
  CHECK(failures([&](int i, auto done) {
          store->async_put(key(i), {}, object,
                           [done](absl::StatusOr<dynamo::PutResult> result) { done(result); });
        }) == 0);
  // Of all others' answers at once.
  CHECK(failures([&](int i, auto done) {
          store->async_get(key(i), [done, &object](absl::StatusOr<dynamo::GetResult> result) {
            if (result.ok() && result->object() != object) result = absl::DataLossError("another");
            done(result);
          });
        }) == 0);
}
