// Three ways to call one store: block, hold a future, or be called back on a thread of one's own.

#include <cstdio>
#include <future>
#include <thread>

#include <dynamo/dynamo.h>
#include <asio/bind_cancellation_slot.hpp>
#include <asio/bind_executor.hpp>
#include <asio/cancellation_signal.hpp>
#include <asio/io_context.hpp>
#include <asio/use_future.hpp>

#include "../local_cluster.h"

namespace {

using Got = absl::StatusOr<dynamo::GetResult>;

// On the thread that runs `io`, whoever did the work.
bool comes_back_here(const dynamo::Store& store, asio::io_context& io) {
  const std::thread::id here = std::this_thread::get_id();
  bool same = false;
  store.async_get("k", asio::bind_executor(io, [&](const Got& got) {
                    same = got.ok() && std::this_thread::get_id() == here;
                  }));
  io.run();  // an operation under way counts as work
  return same;
}

// Inside a handler a blocking call would hold up the thread that others wait for.
absl::Status blocks_in_a_handler(const dynamo::Store& store) {
  std::promise<absl::Status> promise;
  std::future<absl::Status> said = promise.get_future();
  store.async_get("k", [store, promise = std::move(promise)](const Got&) mutable {
    promise.set_value(store.get("k").status());
  });
  return said.get();
}

// Cancelled or done first: the handler comes once, either way.
absl::Status cancelled(const dynamo::Store& store, asio::io_context& io) {
  asio::cancellation_signal signal;
  absl::Status ended;
  auto handler = asio::bind_executor(io, [&](const Got& got) { ended = got.status(); });
  store.async_get("k", asio::bind_cancellation_slot(signal.slot(), std::move(handler)));
  signal.emit(asio::cancellation_type::terminal);
  io.restart();
  io.run();
  return ended;
}

// A node for itself that uses two processors: each loop has every other partition.
bool has_two_loops() {
  const example::Directory data;
  dynamo::NodeOptions options{.name = "a", .listen = "127.0.0.1:0"};
  options.data_dir = data.path();
  options.threads = 2;
  dynamo::Node node = example::require(dynamo::Node::start(options));
  const dynamo::Store store =
      example::require(node.open("s", {.quorum = {.n = 1, .r = 1, .w = 1}}));
  return store.put("k", dynamo::Context(), "v").ok();
}

}  // namespace

int main() {
  example::LocalCluster cluster;
  const dynamo::Store store = example::require(cluster.node(0).open("s"));

  example::require(store.put("k", dynamo::Context(), "v").status());  // blocks this thread

  std::future<Got> future = store.async_get("k", asio::use_future);
  std::printf("future: %s\n", example::require(future.get()).object().c_str());

  asio::io_context io;
  if (!comes_back_here(store, io)) return 1;
  const absl::Status ended = cancelled(store, io);
  std::printf("cancelled: %s\n", ended.ToString().c_str());

  const absl::Status refused = blocks_in_a_handler(store);
  std::printf("in a handler: %s\n", refused.ToString().c_str());
  if (!has_two_loops()) return 1;
  const bool known = ended.ok() || absl::IsCancelled(ended);
  return known && absl::IsFailedPrecondition(refused) ? 0 : 1;
}
