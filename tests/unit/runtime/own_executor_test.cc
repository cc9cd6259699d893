// Nodes on executors that are neither an io_context's nor a thread_pool's.

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

#include <absl/functional/any_invocable.h>
#include <asio/execution/blocking.hpp>
#include <asio/execution/context.hpp>
#include <asio/execution/outstanding_work.hpp>
#include <asio/execution_context.hpp>
#include <asio/io_context.hpp>
#include <asio/post.hpp>
#include <asio/prefer.hpp>
#include <asio/strand.hpp>
#include <asio/thread_pool.hpp>

#include "catch.hpp"
#include "unit/runtime/in_process.h"

using dynamo::Context;
using dynamo::Node;
using dynamo::Store;
using test::Exchange;
using test::start_node;

namespace {

// An application's own: a queue and a thread that nothing of asio's knows.
class Queue final : public asio::execution_context {
 public:
  class executor_type;

  ~Queue() {
    add(nullptr);
    thread_.join();
    shutdown();
  }
  executor_type get_executor() noexcept;
  void add(absl::AnyInvocable<void()> work) {
    const std::lock_guard lock(mutex_);
    work_.push_back(std::move(work));
    changed_.notify_one();
  }

 private:
  void run() {
    while (true) {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return !work_.empty(); });
      absl::AnyInvocable<void()> work = std::move(work_.front());
      work_.pop_front();
      lock.unlock();
      if (work == nullptr) return;
      work();
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<absl::AnyInvocable<void()>> work_;  // guarded; null: the end
  std::thread thread_{[this] { run(); }};
};

class Queue::executor_type {
 public:
  explicit executor_type(Queue& queue) noexcept : queue_(&queue) {}

  asio::execution_context& query(asio::execution::context_t) const noexcept { return *queue_; }
  static constexpr asio::execution::blocking_t query(asio::execution::blocking_t) noexcept {
    return asio::execution::blocking.never;
  }
  executor_type require(asio::execution::blocking_t::never_t) const noexcept { return *this; }
  template <class Function>
  void execute(Function&& function) const {
    queue_->add(std::forward<Function>(function));
  }
  friend bool operator==(const executor_type&, const executor_type&) noexcept = default;

 private:
  // What lies here is not what any executor of asio's begins with.
  std::uintptr_t own_ = 8;
  Queue* queue_;
};

Queue::executor_type Queue::get_executor() noexcept { return executor_type(*this); }

constexpr dynamo::Quorum one = {.n = 1, .r = 1, .w = 1};

// The handler's thread.
std::thread::id put_and_get(Node& node) {
  const Store store = node.open("carts", {.quorum = one}).value();
  CHECK(store.put("key", Context(), "tea").ok());
  std::promise<std::thread::id> ran_on;
  store.async_get("key", {.timeout = std::chrono::seconds(10)}, [&](const auto& got) {
    CHECK(got.ok());
    ran_on.set_value(std::this_thread::get_id());
  });
  return ran_on.get_future().get();
}

}  // namespace

// Asio's any_io_executor::target() takes the caller's word for the type, so every executor was
// taken for an io_context's: a thread_pool ran the sockets, and of any other asio made up for what
// it lacks by a thread that nobody had asked for.
TEST_CASE("threads: a node on an executor that is none of asio's") {
  const std::size_t threads = test::threads_now();
  {
    Queue queue;
    Node node = start_node(std::make_shared<Exchange>(), "a", {"a"}, queue.get_executor()).value();
    CHECK(test::threads_now() == threads + 3);  // the queue's, a loop and a flusher
    std::promise<std::thread::id> queue_thread;
    queue.add([&] { queue_thread.set_value(std::this_thread::get_id()); });
    CHECK(put_and_get(node) == queue_thread.get_future().get());
  }
  CHECK(test::threads_end_at(threads));
}

// What was posted held the timer of the turns as well, and destroyed it when the io_context of that
// was gone.
TEST_CASE("threads: a turn that an application's executor still holds outlives the node's loops") {
  Queue queue;
  std::promise<void> free;
  {
    Node node = start_node(std::make_shared<Exchange>(), "a", {"a"}, queue.get_executor()).value();
    std::promise<void> held_up;
    queue.add([&] {
      held_up.set_value();
      free.get_future().wait();
    });
    held_up.get_future().wait();
    CHECK(node.open("carts", {.quorum = one}).ok());  // which wants a turn
  }
  free.set_value();
}

TEST_CASE("threads: an io_context is known behind strands and properties of its executor") {
  asio::io_context context;
  const asio::any_io_executor plain = context.get_executor();
  const std::size_t threads = test::threads_now();
  for (const asio::any_io_executor& executor :
       {plain, asio::prefer(plain, asio::execution::outstanding_work.tracked),
        asio::any_io_executor(asio::make_strand(context)),
        asio::any_io_executor(asio::make_strand(plain))}) {
    const Node node = start_node(std::make_shared<Exchange>(), "a", {"a"}, executor).value();
    CHECK(test::threads_now() == threads + 1);  // a flusher
  }
  CHECK(test::threads_end_at(threads));
}

TEST_CASE("threads: sockets and timers are not a thread_pool's") {
  asio::thread_pool pool(2);
  for (const asio::any_io_executor& executor :
       {asio::any_io_executor(pool.get_executor()),
        asio::any_io_executor(asio::make_strand(pool.get_executor()))}) {
    const std::size_t threads = test::threads_now();
    {
      Node node = start_node(std::make_shared<Exchange>(), "a", {"a"}, executor).value();
      CHECK(test::threads_now() == threads + 2);  // a loop and a flusher
      std::promise<absl::Status> refused;
      asio::post(executor, [&, own = node.open("carts", {.quorum = one}).value()] {
        refused.set_value(own.get("key").status());
      });
      CHECK(absl::IsFailedPrecondition(refused.get_future().get()));
    }
    CHECK(test::threads_end_at(threads));
  }
}

// Turns on the pool, sockets on a loop beside it.
TEST_CASE("threads: nodes on a thread_pool answer one another over TCP") {
  asio::thread_pool pool(2);
  const auto start = [&](const std::string& name, std::vector<std::string> seeds) {
    dynamo::Components components;
    components.storage = dynamo::memory_storage();
    components.executor = pool.get_executor();
    dynamo::NodeOptions options{.name = name, .listen = "127.0.0.1:0"};
    options.seeds = std::move(seeds);
    options.partitions = 8;
    return Node::start(std::move(options), std::move(components)).value();
  };
  Node a = start("a", {});
  Node b = start("b", {std::string(a.address())});
  REQUIRE(b.await_converged(std::chrono::seconds(30)).ok());
  const dynamo::StoreOptions both = {.quorum = {.n = 2, .r = 2, .w = 2},
                                     .timeout = std::chrono::seconds(10)};
  const Store of_a = a.open("carts", both).value();
  const Store of_b = b.open("carts", both).value();
  for (int i = 0; i < 100; ++i) {
    const std::string key = "key" + std::to_string(i);
    REQUIRE(of_a.put(key, Context(), "tea").ok());
    const auto got = of_b.get(key);
    REQUIRE(got.ok());
    CHECK(got->object() == "tea");
  }
}
