// Coroutines on the application's own io_context. The nodes have threads of their own; every
// co_await comes back to the application's, so what the coroutines share needs no lock.
//
// g++ 12 destroys a braced temporary or a capturing lambda inside a co_await expression twice.
// Options and contexts are safe there; name anything else first.

#include <cstdio>
#include <string>
#include <tuple>
#include <variant>

#include <dynamo/dynamo.h>
#include <asio/awaitable.hpp>
#include <asio/co_spawn.hpp>
#include <asio/experimental/awaitable_operators.hpp>
#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>
#include <asio/use_awaitable.hpp>

#include "local_cluster.h"

namespace {

using asio::use_awaitable;

// Adds one to a counter. A missing key is no error, and an error is no exception.
asio::awaitable<absl::Status> raise(dynamo::Store counters, std::string key) {
  const auto seen = co_await counters.async_get(key, use_awaitable);
  if (!seen.ok()) co_return seen.status();
  const int value = seen->found() ? std::stoi(seen->object()) : 0;
  const auto put =
      co_await counters.async_put(key, seen->context, std::to_string(value + 1), use_awaitable);
  co_return put.status();
}

// Gives up after ten seconds, whatever the store's own timeout: the loser of || is cancelled.
asio::awaitable<absl::StatusOr<dynamo::GetResult>> read(dynamo::Store counters, std::string key) {
  using namespace asio::experimental::awaitable_operators;
  asio::steady_timer deadline(co_await asio::this_coro::executor, std::chrono::seconds(10));
  auto first =
      co_await (counters.async_get(key, use_awaitable) || deadline.async_wait(use_awaitable));
  if (first.index() == 0) co_return std::get<0>(std::move(first));
  co_return absl::DeadlineExceededError("gave up after 10 s");
}

asio::awaitable<int> count(dynamo::Store counters) {
  using namespace asio::experimental::awaitable_operators;
  for (int i = 0; i < 3; ++i) {
    // Two keys, so the two may run at once; two writers of one key would make siblings.
    const auto raised = co_await (raise(counters, "tea") && raise(counters, "jam"));
    example::require(std::get<0>(raised));
    example::require(std::get<1>(raised));
  }
  const dynamo::GetResult found = example::require(co_await read(counters, "tea"));
  co_return std::stoi(found.object());
}

}  // namespace

int main() {
  example::LocalCluster cluster;
  const dynamo::Store counters = example::require(cluster.node(0).open("counters"));

  asio::io_context io;
  int counted = 0;
  asio::co_spawn(io, count(counters), [&](const std::exception_ptr& error, int value) {
    if (error) std::rethrow_exception(error);
    counted = value;
  });
  io.run();  // returns once nothing is awaited any more
  std::printf("counted to %d\n", counted);
  return counted == 3 ? 0 : 1;
}
