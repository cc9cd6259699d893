#include <dynamo/node.h>

#include <string_view>
#include <utility>

#include <fmt/format.h>
#include <asio/post.hpp>

#include "causality/last_write_wins.h"
#include "host/store_state.h"
#include "store/handler_scope.h"
#include "store/options.h"

namespace dynamo {

Node::Node(std::shared_ptr<host::Host> host) : host_(std::move(host)) {}

Node::Node(Node&&) noexcept = default;

Node& Node::operator=(Node&& other) noexcept {
  if (this == &other) return *this;
  stop();
  host_ = std::move(other.host_);
  return *this;
}

Node::~Node() { stop(); }

absl::StatusOr<Store> Node::open(std::string name, StoreOptions options) {
  if (absl::Status status = host::check_store(name, options); !status.ok()) return status;
  const bool last_write_wins = core::is_last_write_wins(options.reconciler.get());
  core::StoreFacts facts{.name = std::move(name),
                         .n = options.quorum.n,
                         .conflict = last_write_wins ? core::Conflict::last_write_wins
                                                     : core::Conflict::keep_siblings};
  // Replicas choose the winner; there is nothing left to reconcile.
  if (last_write_wins) options.reconciler = nullptr;
  if (absl::Status status = host_->open_store(facts); !status.ok()) return status;
  return Store(
      std::make_shared<const host::StoreState>(host_, std::move(facts), std::move(options)));
}

std::string Node::address() const { return host_->address(); }

ClusterStatus Node::status() const { return host_->status(); }

Stats Node::stats() const { return host_->stats(); }

RingView Node::ring() const { return host_->ring_view(); }

namespace {

// The node itself ends the call at its deadline. Only when nobody runs the executor that was lent
// to it does the caller's own clock have to.
constexpr auto grace = std::chrono::milliseconds(100);

// Blocks until the node is so far, or `deadline` has passed.
// `start` begins the call and returns its number.
absl::Status await(host::Host& host, std::chrono::milliseconds deadline, std::string_view call_name,
                   absl::FunctionRef<std::uint64_t(core::TimePoint, host::Host::WaitDone)> start) {
  if (detail::in_handler()) {
    return absl::FailedPreconditionError(
        "a blocking call inside a handler or a reconciler; use the async form");
  }
  if (absl::Status status = host.may_block(); !status.ok()) return status;
  if (absl::Status status = host::check_timeout(deadline); !status.ok()) return status;
  struct Call {
    host::Waiter waiter;
    absl::Status status;
  };
  // Shared with the node, which may answer after we have stopped waiting.
  const auto call = std::make_shared<Call>();
  const core::TimePoint until = host.now().steady + deadline;
  const std::uint64_t request = start(until, [call](absl::Status status) {
    call->status = std::move(status);
    call->waiter.set();
  });
  // Not a copy: who shares a status is counted in Abseil's library, where the thread sanitizer sees
  // nothing of it.
  if (host.wait(call->waiter, until + grace)) return std::move(call->status);
  host.cancel(request);
  return absl::DeadlineExceededError(
      fmt::format("{}: nothing ran the executor that was given to the node", call_name));
}

absl::Status await(host::Host& host, core::ClientWait::Goal goal,
                   std::chrono::milliseconds deadline, std::string_view call_name) {
  return await(host, deadline, call_name, [&](core::TimePoint until, host::Host::WaitDone done) {
    return host.start_wait({.deadline = until, .goal = goal}, std::move(done));
  });
}

void start_await(std::shared_ptr<host::Host> host, core::ClientWait::Goal goal,
                 std::chrono::milliseconds deadline, detail::ErasedHandler<absl::Status> handler) {
  if (absl::Status status = host::check_timeout(deadline); !status.ok()) {
    handler.complete([status = std::move(status)]() mutable { return std::move(status); });
    return host->handler_given();
  }
  const auto hook = handler.cancel;
  const std::uint64_t request = host->start_wait(
      {.deadline = host->now().steady + deadline, .goal = goal},
      [complete = std::move(handler.complete)](absl::Status status) mutable {
        complete([status = std::move(status)]() mutable { return std::move(status); });
      });
  if (hook) hook->arm([host = std::move(host), request] { host->cancel(request); });
}

}  // namespace

using Goal = core::ClientWait::Goal;

absl::Status Node::await_converged(std::chrono::milliseconds deadline) {
  return await(*host_, Goal::converged, deadline, "await_converged");
}

absl::Status Node::drain(std::chrono::milliseconds deadline) {
  return await(*host_, Goal::drained, deadline, "drain");
}

absl::Status Node::leave(std::chrono::milliseconds deadline) {
  return await(*host_, Goal::left, deadline, "leave");
}

absl::Status Node::remove(const std::string& name, bool force) {
  constexpr auto timeout = std::chrono::seconds(10);
  const core::TimePoint begun = host_->now().steady;
  const Change change{.kind = Change::Kind::remove, .member = {.name = name}, .force = force};
  const absl::Status asked =
      await(*host_, timeout, "remove", [&](core::TimePoint, host::Host::WaitDone done) {
        return host_->change(change, std::move(done));
      });
  if (!asked.ok()) return asked;
  return await(*host_, timeout, "remove", [&](core::TimePoint, host::Host::WaitDone done) {
    return host_->start_wait({.deadline = begun + timeout, .goal = Goal::removed, .member = name},
                             std::move(done));
  });
}

bool Node::can_stop() const { return host_->can_stop(); }

asio::any_io_executor Node::handler_executor(host::Host& host) { return host.executor(); }

void Node::start_converge(std::shared_ptr<host::Host> host, std::chrono::milliseconds deadline,
                          detail::ErasedHandler<absl::Status> handler) {
  start_await(std::move(host), Goal::converged, deadline, std::move(handler));
}

void Node::start_drain(std::shared_ptr<host::Host> host, std::chrono::milliseconds deadline,
                       detail::ErasedHandler<absl::Status> handler) {
  start_await(std::move(host), Goal::drained, deadline, std::move(handler));
}

void Node::start_leave(std::shared_ptr<host::Host> host, std::chrono::milliseconds deadline,
                       detail::ErasedHandler<absl::Status> handler) {
  start_await(std::move(host), Goal::left, deadline, std::move(handler));
}

asio::any_io_executor Node::stopping_executor(host::Host& host) { return host.stopping_executor(); }

void Node::start_stop(std::shared_ptr<host::Host> host, const asio::any_io_executor& executor,
                      detail::ErasedHandler<void> handler) {
  asio::post(executor, [host = std::move(host), complete = std::move(handler.complete)]() mutable {
    host->stop();
    // Before the handler, which may end what the host's timers belong to.
    host.reset();
    complete([] {});
  });
}

void Node::stop() {
  if (host_ != nullptr) host_->stop();
}

}  // namespace dynamo
