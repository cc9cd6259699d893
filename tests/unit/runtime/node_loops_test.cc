// Nodes with several loops (NodeOptions::threads).

#include <array>
#include <atomic>
#include <fstream>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <asio/bind_cancellation_slot.hpp>
#include <asio/cancellation_signal.hpp>
#include <asio/io_context.hpp>

#include "catch.hpp"
#include "unit/runtime/in_process.h"

using dynamo::Context;
using dynamo::GetResult;
using dynamo::Node;
using dynamo::PutResult;
using dynamo::Store;
using std::chrono::milliseconds;
using std::chrono::seconds;
using test::Exchange;
using test::start_node;
using test::Tally;

namespace {

constexpr dynamo::Quorum two_of_three = {.n = 3, .r = 2, .w = 2};
const std::vector<std::string> abc = {"a", "b", "c"};

// "dyn-loop": 1 and so on.
std::map<std::string, int> library_threads() {
  std::map<std::string, int> names;
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    std::string name;
    std::getline(std::ifstream(task.path() / "comm"), name);
    if (name.starts_with("dyn-")) ++names[name];
  }
  return names;
}

std::vector<Node> start_all(const std::array<int, 3>& loops) {
  const auto exchange = std::make_shared<Exchange>();
  std::vector<Node> nodes;
  for (std::size_t i = 0; i < abc.size(); ++i) {
    nodes.push_back(start_node(exchange, abc[i], abc, {}, seconds(1), loops[i]).value());
  }
  return nodes;
}

}  // namespace

TEST_CASE("loops: each has a thread, and all end with the node") {
  const std::size_t threads = test::threads_now();
  const std::size_t descriptors = test::descriptors_now();
  {
    const Node node =
        start_node(std::make_shared<Exchange>(), "a", {"a"}, {}, seconds(1), 3).value();
    const std::map<std::string, int> expected = {
        {"dyn-loop", 1}, {"dyn-loop-1", 1}, {"dyn-loop-2", 1}, {"dyn-call", 1}, {"dyn-flush", 1}};
    CHECK(library_threads() == expected);
  }
  CHECK(test::threads_end_at(threads));
  CHECK(test::descriptors_now() == descriptors);
}

TEST_CASE("loops: an application's executor is one loop") {
  asio::io_context context;
  const auto node =
      start_node(std::make_shared<Exchange>(), "a", {"a"}, context.get_executor(), seconds(1), 2);
  CHECK(node.status() ==
        absl::InvalidArgumentError("threads: 2, the limit is 1 on an application's executor"));
}

// Where they differ, a packet of one is for several loops of another.
TEST_CASE("loops: nodes with different numbers of them understand each other") {
  for (const std::array<int, 3>& loops : {std::array{1, 2, 3}, std::array{4, 4, 4}}) {
    std::vector<Node> nodes = start_all(loops);
    std::vector<Store> stores;
    for (Node& node : nodes) {
      stores.push_back(node.open("carts", {.quorum = two_of_three}).value());
    }
    Tally puts;
    constexpr std::size_t count = 300;
    for (std::size_t i = 0; i < count; ++i) {
      stores[i % 3].async_put(
          "key" + std::to_string(i), Context(), std::to_string(i),
          [&](const absl::StatusOr<PutResult>& put) { puts.add(put.status()); });
    }
    REQUIRE(puts.wait_for(count));
    CHECK(puts.count(absl::StatusCode::kOk) == count);
    std::atomic<int> wrong{0};
    Tally gets;
    for (std::size_t i = 0; i < count; ++i) {
      stores[(i + 1) % 3].async_get(
          "key" + std::to_string(i), [&, i](const absl::StatusOr<GetResult>& got) {
            const bool right = got.ok() && got->object() == std::to_string(i);
            if (!right) ++wrong;
            gets.add(got.status());
          });
    }
    REQUIRE(gets.wait_for(count));
    CHECK(wrong == 0);
  }
}

TEST_CASE("loops: many callers that block, each for keys of its own") {
  std::vector<Node> nodes = start_all({2, 3, 1});
  std::vector<Store> stores;
  for (Node& node : nodes) {
    stores.push_back(
        node.open("carts", {.quorum = two_of_three, .durability = dynamo::Durability::buffered})
            .value());
  }
  constexpr int rounds = 200;
  std::atomic<int> wrong{0};
  std::vector<std::thread> callers;
  for (std::size_t caller = 0; caller < 6; ++caller) {
    callers.emplace_back([&, caller] {
      const Store& store = stores[caller % 3];
      std::array<Context, 4> contexts;
      for (int i = 0; i < rounds; ++i) {
        const auto at = static_cast<std::size_t>(i) % contexts.size();
        const std::string key = "key" + std::to_string(caller) + "." + std::to_string(at);
        const auto put = store.put(key, contexts[at], std::to_string(i));
        const auto got = store.get(key);
        const bool right = put.ok() && got.ok() && got->found() && got->versions.size() == 1 &&
                           got->object() == std::to_string(i);
        if (!right) ++wrong;
        if (put.ok()) contexts[at] = put->context;
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  CHECK(wrong == 0);
  std::uint64_t puts = 0;
  for (const Node& node : nodes) puts += node.stats().puts;
  CHECK(puts == 6 * rounds);  // of all loops
}

// One key, so one loop: what several writers at once leave is what they have not seen of each
// other.
TEST_CASE("loops: concurrent writers of one key lose nothing") {
  std::vector<Node> nodes = start_all({3, 2, 2});
  std::vector<std::thread> writers;
  std::mutex mutex;
  std::set<std::string> written;
  for (std::size_t writer = 0; writer < 3; ++writer) {
    const Store store = nodes[writer].open("carts", {.quorum = two_of_three}).value();
    writers.emplace_back([&, writer, store] {
      for (int i = 0; i < 10; ++i) {
        const std::string object = std::to_string(writer) + "/" + std::to_string(i);
        if (!store.put("key", Context(), object).ok()) continue;
        const std::lock_guard lock(mutex);
        written.insert(object);
      }
    });
  }
  for (std::thread& writer : writers) writer.join();
  const auto got = nodes[0].open("carts", {.quorum = two_of_three}).value().get("key", {.r = 3});
  REQUIRE(got.ok());
  std::set<std::string> found;
  for (const auto& version : got->versions) found.insert(std::string(version.object));
  CHECK(found == written);
  CHECK(found.size() == 30);
}

// Hints, comparisons, deletes and a disk that is new, all while loops are at work.
TEST_CASE("loops: a node goes, and another comes in its place") {
  const auto exchange = std::make_shared<Exchange>();
  const auto start = [&](const std::string& name, int loops) {
    return start_node(exchange, name, abc, {}, milliseconds(20), loops).value();
  };
  Node a = start("a", 2);
  Node b = start("b", 3);
  std::optional<Node> c = start("c", 3);
  std::atomic<bool> over{false};
  std::atomic<int> done{0};
  std::atomic<int> failed{0};
  std::vector<std::thread> writers;
  constexpr int keys = 40;
  for (int writer = 0; writer < 3; ++writer) {
    const Store store = (writer == 0 ? b : a).open("carts", {.quorum = two_of_three}).value();
    writers.emplace_back([&, writer, store] {
      for (int i = 0; !over; ++i) {
        const std::string key = "key" + std::to_string(i % keys) + "." + std::to_string(writer);
        const auto got = store.get(key);
        const Context context = got.ok() ? got->context : Context();
        const bool ok = i % 5 == 4 ? store.erase(key, context).ok()
                                   : store.put(key, context, std::to_string(i)).ok();
        if (!ok) ++failed;
        ++done;
      }
    });
  }
  const auto wait_for = [&](int more) {
    const int until = done + more;
    while (done < until) std::this_thread::yield();
  };
  wait_for(300);
  c.reset();
  wait_for(600);
  c = start("c", 2);
  wait_for(600);
  over = true;
  for (std::thread& writer : writers) writer.join();
  CHECK(failed == 0);
  REQUIRE(a.await_converged(seconds(60)).ok());
  const Store there = c->open("carts", {.quorum = two_of_three}).value();
  const Store here = a.open("carts", {.quorum = two_of_three}).value();
  int found = 0;
  for (int writer = 0; writer < 3; ++writer) {
    for (int i = 0; i < keys; ++i) {
      const std::string key = "key" + std::to_string(i) + "." + std::to_string(writer);
      const auto all = here.get(key, {.r = 3});
      const auto own = there.get(key, {.r = 1});
      INFO(all.status().ToString() << " " << own.status().ToString());
      REQUIRE((all.ok() && own.ok()));
      CHECK(all->found() == own->found());
      if (all->found() && own->found()) CHECK(all->object() == own->object());
      if (own->found()) ++found;
    }
  }
  CHECK(found > keys);
}

TEST_CASE("loops: a cancelled operation ends, whichever loop has it") {
  // Nobody answers: the other owner is not there.
  Node node = start_node(std::make_shared<Exchange>(), "a", {"a", "b"}, {}, seconds(1), 3).value();
  const Store store =
      node.open("carts", {.quorum = {.n = 2, .r = 2, .w = 2}, .timeout = milliseconds(60'000)})
          .value();
  Tally tally;
  constexpr std::size_t count = 30;
  std::vector<asio::cancellation_signal> signals(count);
  for (std::size_t i = 0; i < count; ++i) {
    store.async_get(
        "key" + std::to_string(i),
        asio::bind_cancellation_slot(signals[i].slot(), [&](const absl::StatusOr<GetResult>& got) {
          tally.add(got.status());
        }));
  }
  for (asio::cancellation_signal& signal : signals) signal.emit(asio::cancellation_type::terminal);
  REQUIRE(tally.wait_for(count));
  CHECK(tally.count(absl::StatusCode::kCancelled) == count);
}

TEST_CASE("loops: calls from many threads while the node stops each get one answer") {
  for (int round = 0; round < 20; ++round) {
    Tally tally;
    Node node = start_node(std::make_shared<Exchange>(), "a", {"a"}, {}, seconds(1), 2).value();
    const Store store = node.open("carts", {.quorum = {.n = 1, .r = 1, .w = 1}}).value();
    constexpr std::size_t callers = 3;
    constexpr std::size_t calls = 50;
    std::vector<std::thread> threads;
    for (std::size_t caller = 0; caller < callers; ++caller) {
      threads.emplace_back([&, caller] {
        for (std::size_t i = 0; i < calls; ++i) {
          store.async_put("key" + std::to_string(caller * calls + i), Context(), "tea",
                          [&](const absl::StatusOr<PutResult>& put) { tally.add(put.status()); });
        }
      });
    }
    node.stop();
    for (std::thread& thread : threads) thread.join();
    REQUIRE(tally.wait_for(callers * calls));
  }
}
