// How an application's own tests use SimCluster: blocking calls, callbacks, a merged cart,
// timeouts.

#include <algorithm>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <dynamo/membership/fixed.h>
#include <dynamo/storage/memory.h>
#include <dynamo/testing/sim_cluster.h>
#include <asio/post.hpp>

#include "catch.hpp"
#include "testing/sim_world.h"

using dynamo::Context;
using dynamo::GetResult;
using dynamo::PutResult;
using dynamo::Store;
using dynamo::testing::SimCluster;
using dynamo::testing::SimWorld;
using namespace std::chrono_literals;

namespace {

// A cart is a set of letters.
std::string merge_carts(std::span<const dynamo::Version> siblings) {
  std::string items;
  for (const dynamo::Version& version : siblings) items += version.object;
  std::ranges::sort(items);
  const auto repeated = std::ranges::unique(items);
  items.erase(repeated.begin(), repeated.end());
  return items;
}

void disconnect(SimCluster& cluster, int node) {
  cluster.world().network().disconnect(cluster.node(node).address());
}

}  // namespace

TEST_CASE("blocking calls advance virtual time") {
  SimCluster cluster({.nodes = 3});
  REQUIRE(cluster.size() == 3);
  REQUIRE(cluster.now() == 0ns);
  const Store writer = cluster.open(0, "carts").value();
  const Store reader = cluster.open(2, "carts").value();

  const auto put = writer.put("user:42", Context(), "book");
  REQUIRE(put.ok());
  const auto after_put = cluster.now();
  CHECK(after_put > 0ns);
  const auto got = reader.get("user:42");
  REQUIRE(got.ok());
  CHECK(got->object() == "book");
  CHECK(cluster.now() > after_put);
}

TEST_CASE("a cart is merged by the application's reconciler") {
  SimCluster cluster({.nodes = 4, .zones = {"east", "west"}});
  const dynamo::StoreOptions options{.reconciler = dynamo::reconcile_with(merge_carts)};
  const Store phone = cluster.open(0, "carts", options).value();
  const Store laptop = cluster.open(3, "carts", options).value();

  REQUIRE(phone.put("user:42", Context(), "ab").ok());
  REQUIRE(laptop.put("user:42", Context(), "bc").ok());
  const auto merged = laptop.get("user:42");
  REQUIRE(merged.ok());
  CHECK(merged->siblings == 2);
  CHECK(merged->object() == "abc");
  REQUIRE(phone.put("user:42", merged->context, "abcd").ok());
  const auto settled = laptop.get("user:42");
  REQUIRE(settled.ok());
  CHECK(settled->siblings == 1);
  CHECK(settled->object() == "abcd");
}

TEST_CASE("callbacks run when time passes, never inside the call") {
  SimCluster cluster({.nodes = 3});
  const Store store = cluster.open(1, "carts").value();
  std::optional<absl::StatusOr<PutResult>> put;
  std::optional<absl::StatusOr<GetResult>> got;
  store.async_put("k", Context(), "book", [&](absl::StatusOr<PutResult> result) {
    put = std::move(result);
    store.async_get("k", [&](absl::StatusOr<GetResult> found) { got = std::move(found); });
  });
  CHECK_FALSE(put.has_value());
  REQUIRE(cluster.run_until([&] { return got.has_value(); }, 1s));
  CHECK(put->ok());
  CHECK((*got)->object() == "book");
}

TEST_CASE("a timeout of an hour takes no time") {
  SimCluster cluster({.nodes = 3});
  const Store store =
      cluster.open(0, "carts", {.quorum = {.n = 3, .r = 3, .w = 3}, .timeout = 1h}).value();
  disconnect(cluster, 1);
  // Before the failure detector knows anything only the deadline ends the call.
  const auto before = cluster.now();
  const auto late = store.get("k", {.timeout = 100ms});
  CHECK(absl::IsDeadlineExceeded(late.status()));
  CHECK(cluster.now() - before >= 100ms);
  CHECK(cluster.now() - before < 300ms);

  const auto lost = store.put("k", Context(), "book");
  CHECK(absl::IsUnavailable(lost.status()));
  cluster.run_for(1h);
  CHECK(cluster.now() > 1h);
}

TEST_CASE("run_until gives up at its limit") {
  SimCluster cluster({.nodes = 1});
  CHECK_FALSE(cluster.run_until([] { return false; }, 5s));
  CHECK(cluster.now() == 5s);
  CHECK(cluster.run_until([] { return true; }, 5s));
  CHECK(cluster.now() == 5s);
}

TEST_CASE("what the simulator runs may not block") {
  SimCluster cluster({.nodes = 3});
  const Store store = cluster.open(0, "carts").value();
  std::optional<absl::Status> in_event;
  std::optional<absl::Status> in_handler;
  bool nested_time = false;
  asio::post(cluster.executor(), [&] {
    in_event = store.get("k").status();
    try {
      cluster.run_for(1s);
      nested_time = true;
    } catch (const std::logic_error&) {
    }
  });
  store.async_get("k", [&](const absl::StatusOr<GetResult>&) {
    in_handler = store.put("k", Context(), "book").status();
  });
  REQUIRE(cluster.run_until([&] { return in_event && in_handler; }, 1s));
  CHECK(absl::IsFailedPrecondition(*in_event));
  CHECK(absl::IsFailedPrecondition(*in_handler));
  CHECK_FALSE(nested_time);
}

TEST_CASE("handlers that never ran are destroyed with the cluster, stores outlive it") {
  const auto held = std::make_shared<int>(0);
  std::optional<Store> store;
  {
    SimCluster cluster({.nodes = 3});
    store = cluster.open(0, "carts").value();
    for (int i = 0; i < 10; ++i) {
      // The handler holds a store, and with it the node: a cycle until the cluster ends.
      store->async_put("k", Context(), "book",
                       [held, keep = *store](const absl::StatusOr<PutResult>&) { FAIL("ran"); });
    }
    cluster.run_for(150us);  // half-way: packets and flushes are under way
    CHECK(held.use_count() == 11);
  }
  CHECK(held.use_count() == 1);
  CHECK(absl::IsFailedPrecondition(store->get("k").status()));
  bool ran = false;
  store->async_get("k", [&ran, held](const absl::StatusOr<GetResult>&) { ran = true; });
  CHECK_FALSE(ran);
  CHECK(held.use_count() == 1);
}

TEST_CASE("a node that stops ends its operations, the others go on") {
  SimCluster cluster({.nodes = 3});
  const Store store = cluster.open(0, "carts").value();
  const Store other = cluster.open(1, "carts").value();
  std::optional<absl::Status> status;
  store.async_get("k", [&](const absl::StatusOr<GetResult>& result) { status = result.status(); });
  cluster.node(0).stop();
  REQUIRE(cluster.run_until([&] { return status.has_value(); }, 1s));
  CHECK(absl::IsCancelled(*status));
  CHECK(other.put("k", Context(), "book").ok());
}

TEST_CASE("parts of the application's own are used") {
  std::vector<std::string> logged;
  SimCluster cluster({.nodes = 2, .components = [&logged](int node) {
                        dynamo::Components components;
                        components.storage = dynamo::memory_storage();
                        // b owns nothing.
                        components.membership =
                            dynamo::fixed_membership({{.name = "a", .address = "a"},
                                                      {.name = "b", .address = "b", .weight = 0}});
                        components.log = [&logged, node](const dynamo::LogRecord& record) {
                          logged.push_back(std::to_string(node) + " " + std::string(record.text));
                        };
                        return components;
                      }});
  const Store store = cluster.open(1, "carts", {.quorum = {.n = 1, .r = 1, .w = 1}}).value();
  CHECK(store.put("k", Context(), "book").ok());
  CHECK(cluster.node(0).ring().owners.at(0) == std::vector<std::string>{"a"});
  disconnect(cluster, 0);
  cluster.run_for(5s);
  CHECK(std::ranges::any_of(
      logged, [](const std::string& line) { return line.starts_with("1 a is unreachable"); }));
}

TEST_CASE("options that make no cluster are refused by name") {
  using test::ContainsSubstring;
  CHECK_THROWS_WITH(SimCluster({.nodes = 0}),
                    ContainsSubstring("nodes: ") && ContainsSubstring("0"));
  CHECK_THROWS_AS(SimCluster({.nodes = 0}), std::invalid_argument);
  CHECK_THROWS_WITH(SimCluster({.node = {.partitions = 7}}), ContainsSubstring("partitions: 7"));
  CHECK_THROWS_WITH(SimCluster({.components =
                                    [](int) {
                                      dynamo::Components components;
                                      components.membership = dynamo::fixed_membership({});
                                      return components;
                                    }}),
                    ContainsSubstring("node a") && ContainsSubstring("list of members is empty"));
  SimCluster cluster({.nodes = 2});
  CHECK(absl::IsInvalidArgument(cluster.open(2, "carts").status()));
  CHECK(absl::IsInvalidArgument(cluster.open(-1, "carts").status()));
  CHECK_THROWS_AS(cluster.node(2), std::out_of_range);
}

TEST_CASE("nodes are named like columns of a spreadsheet") {
  CHECK(SimWorld::name_of(0) == "a");
  CHECK(SimWorld::name_of(25) == "z");
  CHECK(SimWorld::name_of(26) == "aa");
  CHECK(SimWorld::name_of(27) == "ab");
  CHECK(SimWorld::name_of(26 * 27) == "aaa");
}
