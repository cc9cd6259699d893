// Every asynchronous operation with every kind of completion token that asio knows; but for
// Node::async_stop, which can be done once only: async_stop_test.cc.

#include <chrono>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include <dynamo/node.h>
#include <dynamo/testing/sim_cluster.h>
#include <asio/awaitable.hpp>
#include <asio/bind_cancellation_slot.hpp>
#include <asio/bind_executor.hpp>
#include <asio/cancellation_signal.hpp>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/executor_work_guard.hpp>
#include <asio/experimental/awaitable_operators.hpp>
#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/use_future.hpp>
#include <asio/version.hpp>
#if ASIO_VERSION >= 102400
#include <asio/as_tuple.hpp>
#include <asio/deferred.hpp>
#else
#include <asio/experimental/as_tuple.hpp>
#include <asio/experimental/deferred.hpp>
#endif

#include "catch.hpp"
#include "unit/runtime/in_process.h"

namespace {

using dynamo::Context;
using dynamo::Store;
using namespace std::chrono_literals;
#if ASIO_VERSION >= 102400
using asio::as_tuple;
using asio::deferred;
#else
using asio::experimental::as_tuple;
using asio::experimental::deferred;
#endif

template <class T>
absl::Status status_of(const absl::StatusOr<T>& result) {
  return result.status();
}
// Of many keys: of the first that failed.
absl::Status status_of(const std::vector<absl::StatusOr<dynamo::GetResult>>& results) {
  for (const auto& result : results) {
    if (!result.ok()) return result.status();
  }
  return absl::OkStatus();
}

absl::Status status_of(const absl::Status& status) { return status; }

// What the operations are asked of.
struct Target {
  dynamo::Node* node = nullptr;
  Store store;
};

// The operations, each with a token still to come. They are functions and not lambdas so that
// coroutines may call them.
struct Get {
  using Result = absl::StatusOr<dynamo::GetResult>;
  template <class Token>
  static auto start(const Target& on, Token&& token) {
    return on.store.async_get("k", std::forward<Token>(token));
  }
};
struct GetWithOptions {
  using Result = absl::StatusOr<dynamo::GetResult>;
  template <class Token>
  static auto start(const Target& on, Token&& token) {
    const dynamo::ReadOptions options{.timeout = 5000ms};
    return on.store.async_get("k", options, std::forward<Token>(token));
  }
};
struct GetMany {
  using Result = std::vector<absl::StatusOr<dynamo::GetResult>>;
  template <class Token>
  static auto start(const Target& on, Token&& token) {
    return on.store.async_get_many(std::vector<std::string>{"k", "l"}, std::forward<Token>(token));
  }
};
struct GetManyWithOptions {
  using Result = std::vector<absl::StatusOr<dynamo::GetResult>>;
  template <class Token>
  static auto start(const Target& on, Token&& token) {
    const dynamo::ReadOptions options{.timeout = 5000ms};
    return on.store.async_get_many(std::vector<std::string>{"k", "l"}, options,
                                   std::forward<Token>(token));
  }
};
struct Put {
  using Result = absl::StatusOr<dynamo::PutResult>;
  template <class Token>
  static auto start(const Target& on, Token&& token) {
    return on.store.async_put("k", Context(), "object", std::forward<Token>(token));
  }
};
struct PutWithOptions {
  using Result = absl::StatusOr<dynamo::PutResult>;
  template <class Token>
  static auto start(const Target& on, Token&& token) {
    const dynamo::WriteOptions options{.timeout = 5000ms};
    return on.store.async_put("k", Context(), "object", options, std::forward<Token>(token));
  }
};
struct Erase {
  using Result = absl::StatusOr<dynamo::PutResult>;
  template <class Token>
  static auto start(const Target& on, Token&& token) {
    return on.store.async_erase("k", Context(), std::forward<Token>(token));
  }
};
struct EraseWithOptions {
  using Result = absl::StatusOr<dynamo::PutResult>;
  template <class Token>
  static auto start(const Target& on, Token&& token) {
    const dynamo::WriteOptions options{.timeout = 5000ms};
    return on.store.async_erase("k", Context(), options, std::forward<Token>(token));
  }
};

struct AwaitConverged {
  using Result = absl::Status;
  template <class Token>
  static auto start(const Target& on, Token&& token) {
    return on.node->async_await_converged(60s, std::forward<Token>(token));
  }
};

dynamo::StoreOptions last_write_wins(int n) {
  return {.quorum = {.n = n, .r = n, .w = n},
          .reconciler = dynamo::last_write_wins(),
          .sloppy = false,
          .timeout = 60s};
}

// A node alone, and the application's own io_context, which one thread runs.
struct Application {
  Application() : node(test::start_node(std::make_shared<test::Exchange>(), "a", {"a"}).value()) {
    on = Target{&node, node.open("sessions", last_write_wins(1)).value()};
  }
  ~Application() {
    work.reset();
    thread.join();
  }

  asio::io_context context;
  asio::executor_work_guard<asio::io_context::executor_type> work = make_work_guard(context);
  std::thread thread{[this] { context.run(); }};
  dynamo::Node node;
  std::optional<Target> on;
};

template <class Result>
Result in_time(std::future<Result> future) {
  REQUIRE(future.wait_for(30s) == std::future_status::ready);  // only a broken test gets there
  return future.get();
}

// Answers once, or breaks its promise when it is destroyed without having run. Cannot be copied.
template <class Operation>
struct MoveOnly {
  std::unique_ptr<std::promise<absl::Status>> done = std::make_unique<std::promise<absl::Status>>();
  void operator()(const typename Operation::Result& result) && {
    done->set_value(status_of(result));
  }
};

template <class Operation>
asio::awaitable<absl::Status> awaited(const Target& on) {
  const auto result = co_await Operation::start(on, asio::use_awaitable);
  co_return status_of(result);
}

template <class Operation>
asio::awaitable<absl::Status> awaited_as_tuple(const Target& on) {
  const auto result = co_await Operation::start(on, as_tuple(asio::use_awaitable));
  co_return status_of(std::get<0>(result));
}

template <class Operation>
asio::awaitable<bool> awaited_with_timer(const Target& on) {
  using namespace asio::experimental::awaitable_operators;
  asio::steady_timer timer(co_await asio::this_coro::executor, 30s);
  asio::awaitable<typename Operation::Result> operation = Operation::start(on, asio::use_awaitable);
  asio::awaitable<void> alarm = timer.async_wait(asio::use_awaitable);
  const auto first = co_await (std::move(operation) || std::move(alarm));
  co_return first.index() == 0 && status_of(std::get<0>(first)).ok();
}

template <class Coroutine>
auto run(Application& application, Coroutine coroutine) {
  return in_time(asio::co_spawn(application.context, std::move(coroutine), asio::use_future));
}

}  // namespace

#define EVERY_OPERATION                                                                           \
  Get, GetWithOptions, GetMany, GetManyWithOptions, Put, PutWithOptions, Erase, EraseWithOptions, \
      AwaitConverged

TEMPLATE_TEST_CASE("tokens: callbacks", "", EVERY_OPERATION) {
  Application application;
  SECTION("a lambda, on the library's own thread for handlers") {
    std::promise<absl::Status> done;
    std::promise<std::thread::id> where;
    TestType::start(*application.on, [&](const typename TestType::Result& result) {
      where.set_value(std::this_thread::get_id());
      done.set_value(status_of(result));
    });
    CHECK(in_time(done.get_future()).ok());
    CHECK(in_time(where.get_future()) != std::this_thread::get_id());
  }
  SECTION("one that can only be moved") {
    MoveOnly<TestType> handler;
    auto done = handler.done->get_future();
    TestType::start(*application.on, std::move(handler));
    CHECK(in_time(std::move(done)).ok());
  }
  SECTION("bound to an executor: there it runs") {
    std::promise<std::thread::id> where;
    TestType::start(*application.on,
                    asio::bind_executor(application.context, [&](const typename TestType::Result&) {
                      where.set_value(std::this_thread::get_id());
                    }));
    CHECK(in_time(where.get_future()) == application.thread.get_id());
  }
}

TEMPLATE_TEST_CASE("tokens: futures, and none", "", EVERY_OPERATION) {
  Application application;
  const auto result = in_time(TestType::start(*application.on, asio::use_future));
  CHECK(status_of(result).ok());
  TestType::start(*application.on, asio::detached);
}

TEMPLATE_TEST_CASE("tokens: a lazy one starts nothing until it is called, and again each time", "",
                   EVERY_OPERATION) {
  Application application;
  const auto requests = [&] {
    const dynamo::Stats stats = application.node.stats();
    return stats.gets + stats.puts;
  };
  const auto operation = TestType::start(*application.on, deferred);
  CHECK(requests() == 0);
  std::uint64_t before = 0;
  for (int i = 0; i < 2; ++i) {
    CHECK(status_of(in_time(operation(asio::use_future))).ok());
    if (std::is_same_v<TestType, AwaitConverged>) continue;  // is not counted
    CHECK(requests() > before);
    before = requests();
  }
}

TEMPLATE_TEST_CASE("tokens: coroutines on the application's own io_context", "", EVERY_OPERATION) {
  Application application;
  CHECK(run(application, awaited<TestType>(*application.on)).ok());
  CHECK(run(application, awaited_as_tuple<TestType>(*application.on)).ok());
  CHECK(run(application, awaited_with_timer<TestType>(*application.on)));
}

TEMPLATE_TEST_CASE("tokens: each operation can be cancelled on its own", "", EVERY_OPERATION) {
  // Of three owners two never answer, so nothing ends by itself.
  const auto exchange = std::make_shared<test::Exchange>();
  auto node = test::start_node(exchange, "a", {"a", "b", "c"});
  REQUIRE(node.ok());
  const Target on{&*node, node->open("sessions", last_write_wins(3)).value()};
  asio::cancellation_signal cancel;
  std::promise<absl::Status> cancelled;
  std::promise<absl::Status> other;
  TestType::start(
      on, asio::bind_cancellation_slot(cancel.slot(), [&](const typename TestType::Result& result) {
        cancelled.set_value(status_of(result));
      }));
  TestType::start(
      on, [&](const typename TestType::Result& result) { other.set_value(status_of(result)); });
  cancel.emit(asio::cancellation_type::terminal);
  CHECK(absl::IsCancelled(in_time(cancelled.get_future())));
  auto rest = other.get_future();
  CHECK(rest.wait_for(0s) == std::future_status::timeout);
  node->stop();
  CHECK(absl::IsCancelled(in_time(std::move(rest))));
}
