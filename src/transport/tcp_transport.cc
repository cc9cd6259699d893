#include "transport/tcp_transport.h"

#include <pthread.h>
#include <signal.h>

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <system_error>
#include <utility>

#include <fmt/format.h>
#include <asio/execution/context.hpp>
#include <asio/query.hpp>
#include <asio/strand.hpp>

#include "transport/address.h"

namespace dynamo::transport {
namespace {

// What every io_context brings along.
using Scheduler = asio::detail::io_context_impl;

// asio would make up for a missing io_context by starting a hidden thread. Its scheduler is the
// only way to tell one behind strands and other wrappers.
bool runs_in_io_context(const asio::any_io_executor& executor) {
  return asio::has_service<Scheduler>(asio::query(executor, asio::execution::context));
}

// One that runs one handler at a time. Whoever makes an io_context for one thread has promised
// that; a strand would cost each read of a socket a thousand instructions. One over the
// io_context's own executor lies inside of an any_io_executor, any other in memory that is
// allocated.
Executor one_at_a_time(asio::any_io_executor executor) {
  using Native = asio::io_context::executor_type;
  const Native* const native = executor.target<Native>();
  if (native == nullptr) return asio::make_strand(std::move(executor));
  if (asio::use_service<Scheduler>(native->context()).concurrency_hint() == 1) return executor;
  return asio::make_strand(*native);
}

// The application's signals stay with its own threads; only what this thread itself causes reaches
// it.
sigset_t asynchronous_signals() {
  sigset_t signals;
  sigfillset(&signals);
  for (const int signal : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP}) {
    sigdelset(&signals, signal);
  }
  return signals;
}

}  // namespace

TcpTransport::TcpTransport(TcpOptions options, TcpTiming timing,
                           std::vector<asio::any_io_executor> loops)
    : options_(std::move(options)), timing_(timing), loops_(std::move(loops)) {}

TcpTransport::~TcpTransport() {
  stop();
  if (thread_.joinable()) thread_.detach();  // we are being destroyed on it; it ends by itself
}

absl::Status TcpTransport::validate() const {
  if (options_.packet_bytes_max < 1 || options_.packet_bytes_max > UINT32_MAX) {
    return absl::InvalidArgumentError("TcpOptions::packet_bytes_max must be 1 to 2^32-1");
  }
  if (options_.connections_max < 1) {
    return absl::InvalidArgumentError("TcpOptions::connections_max must be at least 1");
  }
  if (options_.executor && !runs_in_io_context(options_.executor)) {
    return absl::InvalidArgumentError("TcpOptions::executor does not belong to an io_context");
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> TcpTransport::start(Receiver receive) {
  if (!sides_.empty()) return absl::FailedPreconditionError("the TCP transport was started before");
  if (const auto status = validate(); !status.ok()) return status;
  const auto listen = parse_address(options_.listen);
  if (!listen.ok()) return listen.status();
  absl::StatusOr<Address> reachable = *listen;
  if (!options_.advertise.empty()) reachable = parse_address(options_.advertise);
  if (!reachable.ok()) return reachable.status();
  asio::error_code not_numeric;
  if (asio::ip::make_address(reachable->host, not_numeric).is_unspecified() && !not_numeric) {
    return absl::InvalidArgumentError(
        fmt::format("address \"{}\" is a wildcard, which peers cannot dial; set advertise",
                    reachable->to_string()));
  }

  make_sides(std::move(receive));
  absl::StatusOr<asio::ip::tcp::endpoint> bound = [&] {
    std::vector<std::shared_ptr<TcpListener>> others;
    for (std::size_t i = 1; i < sides_.size(); ++i) others.push_back(sides_[i].listener);
    const std::lock_guard lock(sides_.front().shared->turn);
    return sides_.front().listener->open(*listen, std::move(others));
  }();
  absl::Status status = bound.status();
  if (status.ok() && context_) status = start_thread();
  if (!status.ok()) {
    stop();
    return status;
  }
  if (options_.advertise.empty()) reachable->host = bound->address().to_string();
  if (reachable->port == 0) reachable->port = bound->port();
  return reachable->to_string();
}

void TcpTransport::make_sides(Receiver receive) {
  std::vector<asio::any_io_executor> executors = loops_;
  executors.insert(executors.begin(), options_.executor);
  if (!options_.executor) {
    context_ = std::make_shared<asio::io_context>(1);
    executors.front() = context_->get_executor();
  }
  const auto totals = std::make_shared<TcpTotals>();
  const auto all = std::make_shared<Receiver>(std::move(receive));
  for (asio::any_io_executor& executor : executors) {
    Side side{
        .shared = std::make_shared<TcpShared>(
            options_, timing_, totals, one_at_a_time(std::move(executor)),
            [all](std::string packet, std::string_view peer) { (*all)(std::move(packet), peer); })};
    side.listener = std::make_shared<TcpListener>(side.shared);
    side.peers = std::make_shared<TcpPeers>(side.shared);
    sides_.push_back(std::move(side));
  }
}

TcpPeers& TcpTransport::peers_for(std::string_view address) const {
  const std::size_t count = sides_.size();
  return *sides_[count == 1 ? 0 : std::hash<std::string_view>()(address) % count].peers;
}

absl::Status TcpTransport::start_thread() {
  work_ = std::make_unique<asio::executor_work_guard<asio::io_context::executor_type>>(
      context_->get_executor());
  // Blocked before the thread exists, so that it never runs without.
  const sigset_t blocked = asynchronous_signals();
  sigset_t before;
  pthread_sigmask(SIG_BLOCK, &blocked, &before);
  absl::Status status;
  try {
    thread_ = std::thread([context = context_] {
      pthread_setname_np(pthread_self(), "dyn-io");
      context->run();
    });
  } catch (const std::system_error& error) {
    status = absl::UnavailableError(
        fmt::format("cannot start the thread of the TCP transport: {}", error.what()));
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return status;
}

void TcpTransport::redial(std::string_view address) {
  if (!sides_.empty()) peers_for(address).redial(address);
}

void TcpTransport::send(std::string_view address, Lane lane, std::string packet) {
  if (!sides_.empty()) peers_for(address).send(address, lane, std::move(packet));
}

void TcpTransport::stop() {
  if (sides_.empty()) return;
  for (const Side& side : sides_) side.shared->gate.close();
  // The first one first: it accepts for the others.
  for (const Side& side : sides_) {
    const std::lock_guard lock(side.shared->turn);
    side.shared->stopped = true;
    side.listener->close();
    side.peers->close();
    side.shared->executor.reset();
  }
  work_.reset();
  join_thread();
}

void TcpTransport::join_thread() {
  // Every socket and timer is closed, so run() ends by itself.
  if (thread_.joinable() && thread_.get_id() != std::this_thread::get_id()) thread_.join();
}

}  // namespace dynamo::transport

namespace dynamo {

std::unique_ptr<Transport> tcp_transport(TcpOptions options) {
  return std::make_unique<transport::TcpTransport>(std::move(options));
}

}  // namespace dynamo
