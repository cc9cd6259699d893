#include "transport/tcp_transport.h"

#include <pthread.h>
#include <signal.h>

#include <cstdint>
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

// asio would make up for a missing io_context by starting a hidden thread. Its scheduler is what
// every io_context brings along, and the only way to tell one behind strands and other wrappers.
bool runs_in_io_context(const asio::any_io_executor& executor) {
  return asio::has_service<asio::detail::io_context_impl>(
      asio::query(executor, asio::execution::context));
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

TcpTransport::TcpTransport(TcpOptions options, TcpTiming timing)
    : options_(std::move(options)), timing_(timing) {}

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
  if (shared_) return absl::FailedPreconditionError("the TCP transport was started before");
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

  asio::any_io_executor executor = options_.executor;
  if (!executor) {
    context_ = std::make_shared<asio::io_context>(1);
    executor = context_->get_executor();
  }
  shared_ = std::make_shared<TcpShared>(options_, timing_, asio::make_strand(std::move(executor)),
                                        std::move(receive));
  listener_ = std::make_shared<TcpListener>(shared_);
  peers_ = std::make_shared<TcpPeers>(shared_);
  absl::StatusOr<asio::ip::tcp::endpoint> bound = [&] {
    const std::lock_guard lock(shared_->turn);
    return listener_->open(*listen);
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
  if (peers_) peers_->redial(address);
}

void TcpTransport::send(std::string_view address, Lane lane, std::string packet) {
  if (peers_) peers_->send(address, lane, std::move(packet));
}

void TcpTransport::stop() {
  if (!shared_) return;
  shared_->gate.close();
  {
    const std::lock_guard lock(shared_->turn);
    shared_->stopped = true;
    listener_->close();
    peers_->close();
    shared_->executor.reset();
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
