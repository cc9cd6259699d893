#include "transport/tcp_listener.h"

#include <string>
#include <utility>

#include <fmt/format.h>
#include <asio/ip/address.hpp>
#include <asio/ip/v6_only.hpp>
#include <asio/post.hpp>

#include "transport/tcp_connection.h"

namespace dynamo::transport {

using asio::ip::tcp;

TcpListener::TcpListener(std::shared_ptr<TcpShared> shared) : shared_(std::move(shared)) {}

TcpListener::~TcpListener() = default;

absl::StatusOr<tcp::endpoint> TcpListener::open(
    const Address& address, std::vector<std::shared_ptr<TcpListener>> siblings) {
  siblings_ = std::move(siblings);
  const auto unavailable = [&](const asio::error_code& error) {
    return absl::UnavailableError(
        fmt::format("cannot listen on {}: {}", address.to_string(), error.message()));
  };
  asio::error_code error;
  // Synchronous: unlike async_resolve() it starts no thread.
  tcp::resolver resolver(*shared_->executor);
  const auto found =
      resolver.resolve(address.host, std::to_string(address.port),
                       tcp::resolver::passive | tcp::resolver::numeric_service, error);
  if (error) return unavailable(error);
  error = asio::error::host_not_found;
  for (const auto& entry : found) {
    error = bind(entry.endpoint());
    if (!error) break;
  }
  tcp::endpoint bound;
  if (!error) bound = acceptor_->local_endpoint(error);
  if (error) {
    acceptor_.reset();
    return unavailable(error);
  }
  accept();
  return bound;
}

asio::error_code TcpListener::bind(const tcp::endpoint& endpoint) {
  asio::error_code error;
  acceptor_ = std::make_unique<Acceptor>(*shared_->executor);
  acceptor_->open(endpoint.protocol(), error);
  if (error) return error;
  set_close_on_exec(acceptor_->native_handle());
  // A restart need not wait for the connections of the last run to be forgotten.
  acceptor_->set_option(Acceptor::reuse_address(true), error);
  if (!error && endpoint.address().is_v6() && endpoint.address().is_unspecified()) {
    acceptor_->set_option(asio::ip::v6_only(false), error);
  }
  if (!error) acceptor_->bind(endpoint, error);
  if (!error) acceptor_->listen(Acceptor::max_listen_connections, error);
  return error;
}

TcpListener& TcpListener::next_taker() {
  const std::size_t next = taken_++ % (siblings_.size() + 1);
  return next == 0 ? *this : *siblings_[next - 1];
}

void TcpListener::accept() {
  TcpListener& taker = next_taker();
  // Of a sibling: it is there until it is closed, which is after this one.
  acceptor_->async_accept(
      *taker.shared_->executor,
      in_turn(shared_, [self = shared_from_this(), taker = taker.shared_from_this()](
                           const asio::error_code& error, Socket socket) {
        self->accepted(error, std::move(socket), *taker);
      }));
}

void TcpListener::accepted(const asio::error_code& error, Socket socket, TcpListener& taker) {
  // Out of descriptors or memory, most likely: to try again at once would spin.
  if (error) return accept_later();
  set_close_on_exec(socket.native_handle());
  ++shared_->counters.accepted;
  TcpTotals& totals = *shared_->totals;
  if (totals.strangers >= strangers_max || totals.connections >= shared_->options.connections_max) {
    ++shared_->counters.refused;  // and closed, by going out of scope
  } else {
    set_keep_alive(socket);
    ++totals.strangers;
    ++totals.connections;
    if (&taker == this) {
      take(std::move(socket));
    } else {
      asio::post(*taker.shared_->executor,
                 in_turn(taker.shared_,
                         [self = taker.shared_from_this(), accepted = std::move(socket)]() mutable {
                           self->take(std::move(accepted));
                         }));
    }
  }
  accept();
}

void TcpListener::take(Socket socket) {
  auto connection = std::make_shared<TcpConnection>(shared_, shared_from_this(), std::move(socket));
  connections_.insert(connection);
  connection->read();
  if (!timer_) sweep_later();
}

void TcpListener::accept_later() {
  pause_ = std::make_unique<asio::steady_timer>(*shared_->executor, shared_->timing.accept_pause);
  pause_->async_wait(
      in_turn(shared_, [self = shared_from_this()](const asio::error_code&) { self->accept(); }));
}

void TcpListener::closed(const std::shared_ptr<TcpConnection>& connection) {
  if (connection->is_stranger()) greeted();
  --shared_->totals->connections;
  connections_.erase(connection);
}

void TcpListener::sweep_later() {
  timer_ = std::make_unique<asio::steady_timer>(*shared_->executor, shared_->timing.sweep);
  timer_->async_wait(
      in_turn(shared_, [self = shared_from_this()](const asio::error_code&) { self->sweep(); }));
}

void TcpListener::sweep() {
  const auto now = std::chrono::steady_clock::now();
  timer_.reset();
  const auto connections = connections_;  // the sweep closes some
  for (const auto& connection : connections) connection->sweep(now);
  if (!connections_.empty()) sweep_later();
}

void TcpListener::close() {
  acceptor_.reset();
  pause_.reset();
  timer_.reset();
  siblings_.clear();
  const auto connections = connections_;
  for (const auto& connection : connections) connection->close();
}

}  // namespace dynamo::transport
