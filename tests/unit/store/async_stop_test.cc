// Node::async_stop with the kinds of token and threads that an application may have.

#include <filesystem>
#include <future>
#include <optional>
#include <string>
#include <thread>

#include <dynamo/membership/fixed.h>
#include <dynamo/node.h>
#include <dynamo/storage/memory.h>
#include <dynamo/testing/sim_cluster.h>
#include <asio/awaitable.hpp>
#include <asio/bind_executor.hpp>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/io_context.hpp>
#include <asio/post.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/use_future.hpp>

#include "catch.hpp"
#include "unit/storage/temporary_directory.h"

namespace {

using dynamo::Context;
using dynamo::Node;
using test::TemporaryDirectory;

absl::StatusOr<Node> start(const TemporaryDirectory& directory,
                           asio::any_io_executor executor = {}) {
  dynamo::Components components;
  components.membership = dynamo::fixed_membership({{.name = "a", .address = "127.0.0.1:1"}});
  components.executor = std::move(executor);
  return Node::start({.name = "a", .listen = "127.0.0.1:0", .data_dir = directory.path()},
                     std::move(components));
}

// A directory has one node at a time, so this shows that the one before has let it go.
void can_be_opened_again(const TemporaryDirectory& directory) {
  const auto again = start(directory);
  INFO(again.status().ToString());
  CHECK(again.ok());
}

asio::awaitable<void> work_and_stop(Node& node, dynamo::Store store, std::string& read) {
  const auto put = co_await store.async_put("key", Context(), "object", asio::use_awaitable);
  CHECK(put.ok());
  const auto got = co_await store.async_get("key", asio::use_awaitable);
  if (got.ok()) read = got->object();
  co_await node.async_stop(asio::use_awaitable);
  const auto late = co_await store.async_get("key", asio::use_awaitable);
  CHECK(late.status().code() == absl::StatusCode::kFailedPrecondition);
}

TEST_CASE("an application with one thread stops its node from a coroutine") {
  const TemporaryDirectory directory;
  asio::io_context context;
  auto node = start(directory, context.get_executor());
  REQUIRE(node.ok());
  auto store = node->open("store", {.quorum = {.n = 1, .r = 1, .w = 1}});
  REQUIRE(store.ok());
  std::string read;
  asio::co_spawn(context, work_and_stop(*node, *store, read), asio::detached);
  context.run();
  CHECK(read == "object");
  can_be_opened_again(directory);
}

TEST_CASE("the handler of an application with one thread runs on it, and not inside the call") {
  const TemporaryDirectory directory;
  asio::io_context context;
  auto node = start(directory, context.get_executor());
  REQUIRE(node.ok());
  std::optional<std::thread::id> ran_on;
  node->async_stop(asio::bind_executor(context, [&] {
    ran_on = std::this_thread::get_id();
    node = absl::CancelledError("the handler destroys the node");
  }));
  CHECK_FALSE(ran_on);
  context.run();
  CHECK(ran_on == std::this_thread::get_id());
  can_be_opened_again(directory);
}

TEST_CASE("the node may be destroyed while it is stopped") {
  const TemporaryDirectory directory;
  asio::io_context context;
  int called = 0;
  {
    auto node = start(directory, context.get_executor());
    REQUIRE(node.ok());
    asio::post(context, [&] {
      node->async_stop(asio::bind_executor(context, [&] { ++called; }));
      node = absl::CancelledError("destroyed on the thread that it was lent");
    });
    context.run();
  }
  CHECK(called == 1);
  can_be_opened_again(directory);
}

TEST_CASE("a node with its own threads is stopped through a future") {
  const TemporaryDirectory directory;
  auto node = start(directory);
  REQUIRE(node.ok());
  std::future<void> stopped = node->async_stop(asio::use_future);
  stopped.get();
  can_be_opened_again(directory);
  node->async_stop(asio::use_future).get();  // it has stopped, and says so again
}

TEST_CASE("a handler without an executor runs on a thread that is not the caller's") {
  const TemporaryDirectory directory;
  auto node = start(directory);
  REQUIRE(node.ok());
  std::promise<std::thread::id> ran_on;
  node->async_stop([&] { ran_on.set_value(std::this_thread::get_id()); });
  CHECK(ran_on.get_future().get() != std::this_thread::get_id());
}

TEST_CASE("whoever stops a node that is being stopped returns when it has") {
  for (int i = 0; i < 20; ++i) {
    const TemporaryDirectory directory;
    auto node = start(directory);
    REQUIRE(node.ok());
    std::future<void> first = node->async_stop(asio::use_future);
    std::future<void> second = node->async_stop(asio::use_future);
    node->stop();
    can_be_opened_again(directory);
    first.get();
    second.get();
  }
}

TEST_CASE("the destructor waits for a stop that is under way") {
  const TemporaryDirectory directory;
  std::future<void> stopped;
  {
    auto node = start(directory);
    REQUIRE(node.ok());
    stopped = node->async_stop(asio::use_future);
  }
  can_be_opened_again(directory);
  stopped.get();
}

TEST_CASE("a lazy token stops nothing before it is used") {
  const TemporaryDirectory directory;
  asio::io_context context;
  auto node = start(directory, context.get_executor());
  REQUIRE(node.ok());
  {
    const asio::awaitable<void> never = node->async_stop(asio::use_awaitable);
  }
  CHECK(node->open("store").ok());
}

TEST_CASE("a simulated node is stopped in virtual time") {
  dynamo::testing::SimCluster cluster({.nodes = 3});
  auto store = cluster.open(0, "store");
  REQUIRE(store.ok());
  bool stopped = false;
  cluster.node(0).async_stop([&] { stopped = true; });
  CHECK_FALSE(stopped);
  CHECK(cluster.run_until([&] { return stopped; }, std::chrono::seconds(1)));
  CHECK(store->get("key").status().code() == absl::StatusCode::kFailedPrecondition);
  CHECK(cluster.open(1, "store")->put("key", Context(), "object").ok());
}

}  // namespace
