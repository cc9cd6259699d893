// Coroutines on SimCluster::executor(). One file, because they take long to compile.

#include <optional>
#include <string>

#include <dynamo/testing/sim_cluster.h>
#include <asio/awaitable.hpp>
#include <asio/bind_cancellation_slot.hpp>
#include <asio/cancellation_signal.hpp>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/use_awaitable.hpp>

#include "catch.hpp"
#include "testing/sim_world.h"

using dynamo::Context;
using dynamo::Store;
using dynamo::testing::SimCluster;
using namespace std::chrono_literals;

namespace {

// Adds to a counter as often as told, through get and put with the right context.
asio::awaitable<int> count(Store store, int times) {
  int failures = 0;
  for (int i = 0; i < times; ++i) {
    absl::StatusOr<dynamo::GetResult> got =
        co_await store.async_get("counter", asio::use_awaitable);
    if (!got.ok()) {
      ++failures;
      continue;
    }
    const int value = got->found() ? std::stoi(got->object()) : 0;
    const absl::StatusOr<dynamo::PutResult> put = co_await store.async_put(
        "counter", got->context, std::to_string(value + 1), asio::use_awaitable);
    if (!put.ok()) ++failures;
  }
  co_return failures;
}

struct NoticesEnd {
  explicit NoticesEnd(bool& flag) : ended(flag) {}
  ~NoticesEnd() { ended = true; }
  NoticesEnd(const NoticesEnd&) = delete;
  NoticesEnd& operator=(const NoticesEnd&) = delete;
  bool& ended;
};

asio::awaitable<void> never_done(Store store, bool& ended) {
  const NoticesEnd notice(ended);
  for (;;) (void)co_await store.async_get("k", asio::use_awaitable);
}

}  // namespace

TEST_CASE("a coroutine runs in virtual time") {
  SimCluster cluster({.nodes = 3});
  const Store store = cluster.open(0, "counters").value();
  std::optional<int> failures;
  asio::co_spawn(cluster.executor(), count(store, 20),
                 [&](std::exception_ptr, int result) { failures = result; });
  REQUIRE(cluster.run_until([&] { return failures.has_value(); }, 10s));
  CHECK(*failures == 0);
  CHECK(store.get("counter")->object() == "20");
}

TEST_CASE("coroutines still suspended are destroyed with the cluster") {
  bool ended = false;
  {
    SimCluster cluster({.nodes = 3});
    const Store store = cluster.open(0, "carts").value();
    asio::co_spawn(cluster.executor(), never_done(store, ended), asio::detached);
    cluster.run_for(10ms);
    CHECK_FALSE(ended);
  }
  CHECK(ended);
}

TEST_CASE("a cancelled operation ends at once") {
  SimCluster cluster({.nodes = 3});
  const Store store = cluster.open(0, "carts", {.quorum = {.n = 3, .r = 3, .w = 3}}).value();
  cluster.world().network().disconnect(cluster.node(1).address());
  asio::cancellation_signal signal;
  std::optional<absl::Status> status;
  store.async_get("k", asio::bind_cancellation_slot(
                           signal.slot(), [&](const absl::StatusOr<dynamo::GetResult>& result) {
                             status = result.status();
                           }));
  cluster.run_for(10ms);
  REQUIRE_FALSE(status.has_value());
  signal.emit(asio::cancellation_type::terminal);
  cluster.run_for(1ms);
  REQUIRE(status.has_value());
  CHECK(absl::IsCancelled(*status));
}
