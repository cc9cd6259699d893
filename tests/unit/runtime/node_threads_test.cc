// Nodes on real threads: the library's, an application's io_context, a thread_pool.

#include <array>
#include <atomic>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <asio/executor_work_guard.hpp>
#include <asio/io_context.hpp>
#include <asio/post.hpp>
#include <asio/thread_pool.hpp>

#include "catch.hpp"
#include "unit/runtime/in_process.h"

using dynamo::Context;
using dynamo::GetResult;
using dynamo::Node;
using dynamo::Store;
using std::chrono::milliseconds;
using test::Exchange;
using test::start_node;
using test::Tally;

namespace {

constexpr dynamo::Quorum one = {.n = 1, .r = 1, .w = 1};
constexpr dynamo::Quorum both = {.n = 2, .r = 2, .w = 2};
const std::vector<std::string> abc = {"a", "b", "c"};

void put_and_get(std::vector<Node>& nodes) {
  std::vector<Store> stores;
  for (Node& node : nodes) stores.push_back(node.open("carts").value());
  for (int i = 0; i < 20; ++i) {
    const std::string key = "key" + std::to_string(i);
    const auto put = stores[static_cast<std::size_t>(i) % stores.size()].put(key, Context(), "tea");
    INFO(put.status().ToString());
    REQUIRE(put.ok());
    for (const Store& store : stores) {
      const auto got = store.get(key);
      INFO(got.status().ToString());
      REQUIRE(got.ok());
      CHECK(got->object() == "tea");
    }
  }
}

std::vector<Node> start_all(const std::shared_ptr<Exchange>& exchange,
                            const asio::any_io_executor& executor = {}) {
  std::vector<Node> nodes;
  for (const std::string& name : abc) {
    nodes.push_back(start_node(exchange, name, abc, executor).value());
  }
  return nodes;
}

}  // namespace

TEST_CASE("threads: nodes on the library's own, which end with them") {
  const std::size_t threads = test::threads_now();
  const std::size_t descriptors = test::descriptors_now();
  {
    std::vector<Node> nodes = start_all(std::make_shared<Exchange>());
    CHECK(test::threads_now() == threads + 9);  // loop, handlers and flusher of three
    put_and_get(nodes);
  }
  CHECK(test::threads_end_at(threads));
  CHECK(test::descriptors_now() == descriptors);
}

// Each runs turns of the node itself while it waits, and reads its own node's records without one.
TEST_CASE("threads: many callers that block, each for keys of its own") {
  std::vector<Node> nodes = start_all(std::make_shared<Exchange>());
  const Store store = nodes[0].open("carts", {.durability = dynamo::Durability::buffered}).value();
  constexpr int rounds = 100;
  std::atomic<int> wrong{0};
  std::vector<std::thread> callers;
  for (int caller = 0; caller < 4; ++caller) {
    callers.emplace_back([&, caller] {
      const std::string key = "key" + std::to_string(caller);
      Context context;
      for (int i = 0; i < rounds; ++i) {
        const std::string object = std::to_string(i);
        const auto put = store.put(key, context, object);
        const auto got = store.get(key);
        const auto own = store.get(key, {.r = 1});  // this node coordinated, so it has it
        const bool right = put.ok() && got.ok() && own.ok() && got->found() && own->found() &&
                           got->object() == object && own->object() == object;
        if (!right) ++wrong;
        if (put.ok()) context = put->context;
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  CHECK(wrong == 0);
  const dynamo::Stats stats = nodes[0].stats();
  CHECK(stats.puts == 4 * rounds);
  CHECK(stats.gets == 8 * rounds);
}

// What is kept of records that were read must never be older than what has been acknowledged, while
// they go from the object buffer to the engine all the time.
TEST_CASE("threads: no read is older than what was acknowledged before it") {
  const auto exchange = std::make_shared<Exchange>();
  Node node = start_node(exchange, "a", {"a"}, {}, milliseconds(2)).value();
  const Store store = node.open("sessions", {.quorum = one,
                                             .reconciler = dynamo::last_write_wins(),
                                             .durability = dynamo::Durability::buffered})
                          .value();
  constexpr int keys = 4;
  std::array<std::atomic<int>, keys> acknowledged{};
  std::atomic<bool> over{false};
  std::atomic<int> older{0};
  const auto read = [&] {
    for (int i = 0; !over; ++i) {
      const auto key = static_cast<std::size_t>(i % keys);
      const int least = acknowledged[key];
      const auto got = store.get("key" + std::to_string(key));
      if (!got.ok() || (least > 0 && std::stoi(std::string(got->object())) < least)) ++older;
    }
  };
  std::thread first(read);
  std::thread second(read);
  int failed = 0;
  for (int i = 1; i <= 4000; ++i) {
    const auto key = static_cast<std::size_t>(i % keys);
    const auto put = store.put("key" + std::to_string(key), Context(), std::to_string(i));
    if (put.ok()) acknowledged[key] = i;
    failed += put.ok() ? 0 : 1;
  }
  over = true;
  first.join();
  second.join();
  CHECK(failed == 0);
  CHECK(older == 0);
}

TEST_CASE("threads: nodes on an application's io_context") {
  const std::size_t threads = test::threads_now();
  const std::size_t descriptors = test::descriptors_now();
  {
    asio::io_context context;
    auto work = asio::make_work_guard(context);
    std::thread runner([&context] { context.run(); });
    {
      std::vector<Node> nodes = start_all(std::make_shared<Exchange>(), context.get_executor());
      CHECK(test::threads_now() == threads + 1 + 3);  // a flusher each
      put_and_get(nodes);

      const Store store = nodes[0].open("carts").value();
      std::promise<std::thread::id> ran_on;
      store.async_get("key", [&](const absl::StatusOr<GetResult>&) {
        ran_on.set_value(std::this_thread::get_id());
      });
      CHECK(ran_on.get_future().get() == runner.get_id());
    }
    work.reset();
    runner.join();
  }
  CHECK(test::threads_end_at(threads));
  CHECK(test::descriptors_now() == descriptors);
}

TEST_CASE("threads: nodes on an application's thread_pool") {
  const std::size_t threads = test::threads_now();
  {
    asio::thread_pool pool(2);
    std::vector<Node> nodes = start_all(std::make_shared<Exchange>(), pool.get_executor());
    put_and_get(nodes);
    nodes.clear();
    pool.join();
  }
  CHECK(test::threads_end_at(threads));
}

TEST_CASE("threads: blocking calls where the node itself runs are refused at once") {
  const auto refused = [](const Store& store) {
    std::promise<absl::Status> status;
    asio::post(store.get_executor(), [&] { status.set_value(store.get("key").status()); });
    return status.get_future().get();
  };
  const auto exchange = std::make_shared<Exchange>();
  Node own = start_node(exchange, "a", {"a"}).value();
  const absl::Status status = refused(own.open("carts", {.quorum = one}).value());
  CHECK(absl::IsFailedPrecondition(status));
  CHECK_THAT(std::string(status.message()),
             test::ContainsSubstring("a thread that runs the node would wait for itself"));

  asio::thread_pool pool(2);
  Node lent = start_node(exchange, "b", {"b"}, pool.get_executor()).value();
  CHECK(absl::IsFailedPrecondition(refused(lent.open("carts", {.quorum = one}).value())));
}

TEST_CASE("threads: nobody runs the executor, so the caller's own clock ends the wait") {
  asio::io_context never_run;
  Node node =
      start_node(std::make_shared<Exchange>(), "a", {"a"}, never_run.get_executor()).value();
  const Store store = node.open("carts", {.quorum = one, .timeout = milliseconds(10)}).value();
  const auto got = store.get("key");
  CHECK(absl::IsDeadlineExceeded(got.status()));
  CHECK(got.status().message() ==
        "get \"key\": nothing ran the executor that was given to the node, so the outcome is "
        "unknown");
  CHECK(absl::IsDeadlineExceeded(store.put("key", Context(), "tea").status()));
}

TEST_CASE("threads: a node destroyed with operations in flight ends each with CANCELLED, once") {
  const int loops = GENERATE(1, 3);
  INFO("loops: " << loops);
  Tally tally;
  std::optional<Node> node =
      start_node(std::make_shared<Exchange>(), "a", {"a", "b"}, {}, std::chrono::seconds(1), loops)
          .value();
  const Store store =
      node->open("carts", {.quorum = both, .timeout = milliseconds(60'000)}).value();
  constexpr std::size_t count = 200;
  for (std::size_t i = 0; i < count; ++i) {
    const std::string key = "key" + std::to_string(i);
    if (i % 2 == 0) {
      store.async_get(key, [&](const absl::StatusOr<GetResult>& got) { tally.add(got.status()); });
    } else {
      store.async_put(key, Context(), "tea", [&](const absl::StatusOr<dynamo::PutResult>& put) {
        tally.add(put.status());
      });
    }
  }
  node.reset();
  CHECK(tally.size() == count);  // the library's own thread has run them before it ended
  CHECK(tally.count(absl::StatusCode::kCancelled) == count);
}

TEST_CASE("threads: a node destroyed by one of its own handlers ends the others' operations") {
  const std::size_t threads = test::threads_now();
  for (const bool lent : {false, true}) {
    Tally tally;
    asio::io_context context;
    auto work = asio::make_work_guard(context);
    std::thread runner([&context] { context.run(); });
    asio::any_io_executor executor;
    if (lent) executor = context.get_executor();
    std::optional<Node> node =
        start_node(std::make_shared<Exchange>(), "a", {"a", "b"}, executor).value();
    const Store slow =
        node->open("slow", {.quorum = both, .timeout = milliseconds(60'000)}).value();
    constexpr std::size_t count = 20;
    std::optional<Store> late = slow;
    for (std::size_t i = 0; i < count; ++i) {
      slow.async_get("key", [&](const absl::StatusOr<GetResult>& got) { tally.add(got.status()); });
    }
    slow.async_get("", [&](const absl::StatusOr<GetResult>&) {
      node.reset();
      late->async_get("key",
                      [&](const absl::StatusOr<GetResult>& got) { tally.add(got.status()); });
    });
    INFO("lent: " << lent);
    CHECK(tally.wait_for(count + 1));
    CHECK(tally.count(absl::StatusCode::kCancelled) == count);
    CHECK(tally.count(absl::StatusCode::kFailedPrecondition) == 1);
    work.reset();
    runner.join();
    CHECK(tally.size() == count + 1);
  }
  // The thread that destroyed its node could not wait for itself.
  CHECK(test::threads_end_at(threads));
}

TEST_CASE("threads: a store that outlives its node answers, and its thread ends with it") {
  const std::size_t threads = test::threads_now();
  Tally tally;
  {
    std::optional<Node> node = start_node(std::make_shared<Exchange>(), "a", {"a"}).value();
    std::optional<Store> store = node->open("carts", {.quorum = one}).value();
    REQUIRE(store->put("key", Context(), "tea").ok());
    node.reset();
    CHECK(test::threads_end_at(threads));
    CHECK(absl::IsFailedPrecondition(store->get("key").status()));
    store->async_get("key", [&](const absl::StatusOr<GetResult>& got) { tally.add(got.status()); });
    CHECK(tally.wait_for(1));
    CHECK(tally.count(absl::StatusCode::kFailedPrecondition) == 1);
  }
  CHECK(test::threads_end_at(threads));
}

// What was refused before it became a request, or answered on the caller's thread, was given to an
// executor that nobody ran any more.
TEST_CASE("threads: bad requests to a node that has stopped are answered, too") {
  const std::size_t threads = test::threads_now();
  Tally tally;
  {
    std::optional<Node> node = start_node(std::make_shared<Exchange>(), "a", {"a"}).value();
    std::optional<Store> store = node->open("carts", {.quorum = one}).value();
    node.reset();
    SECTION("get") {
      store->async_get("", [&](const absl::StatusOr<GetResult>& got) { tally.add(got.status()); });
    }
    SECTION("put") {
      store->async_put("", Context(), "tea", [&](const absl::StatusOr<dynamo::PutResult>& put) {
        tally.add(put.status());
      });
    }
    CHECK(tally.wait_for(1));
    CHECK(tally.count(absl::StatusCode::kInvalidArgument) == 1);
  }
  CHECK(test::threads_end_at(threads));
}

TEST_CASE("threads: calls from many threads while the node stops each get one answer") {
  for (int round = 0; round < 20; ++round) {
    Tally tally;
    Node node = start_node(std::make_shared<Exchange>(), "a", {"a"}).value();
    const Store store = node.open("carts", {.quorum = one}).value();
    constexpr std::size_t callers = 3;
    constexpr std::size_t calls = 50;
    std::vector<std::thread> threads;
    for (std::size_t caller = 0; caller < callers; ++caller) {
      threads.emplace_back([&] {
        for (std::size_t i = 0; i < calls; ++i) {
          store.async_get("key",
                          [&](const absl::StatusOr<GetResult>& got) { tally.add(got.status()); });
        }
      });
    }
    node.stop();
    for (std::thread& thread : threads) thread.join();
    REQUIRE(tally.wait_for(callers * calls));
  }
}
