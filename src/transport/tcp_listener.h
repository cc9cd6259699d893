#pragma once

#include <chrono>
#include <memory>
#include <set>
#include <vector>

#include <absl/status/statusor.h>
#include <asio/ip/tcp.hpp>
#include <asio/steady_timer.hpp>

#include "transport/address.h"
#include "transport/tcp_shared.h"

namespace dynamo::transport {

class TcpConnection;

// What comes in: the connections of a side, and on the first side the listening socket.
//
// Accepting never waits for a peer. A connection that has not sent its preamble holds a descriptor
// and nothing else, for a few seconds, and only `strangers_max` may do so at once.
//
// Thread safety: all in turn; but what is said of `siblings`.
class TcpListener : public std::enable_shared_from_this<TcpListener> {
 public:
  static constexpr int strangers_max = 64;

  explicit TcpListener(std::shared_ptr<TcpShared> shared);
  ~TcpListener();

  // Binds and begins to accept, for the listeners of other sides as well, by turns. These must be
  // closed after this one. Returns what it is bound to. UNAVAILABLE names the address.
  absl::StatusOr<asio::ip::tcp::endpoint> open(
      const Address& address, std::vector<std::shared_ptr<TcpListener>> siblings = {});
  void close();

  // Called by connections.
  void greeted() { --shared_->totals->strangers; }
  void closed(const std::shared_ptr<TcpConnection>& connection);

 private:
  asio::error_code bind(const asio::ip::tcp::endpoint& endpoint);
  void accept();
  void accepted(const asio::error_code& error, Socket socket, TcpListener& taker);
  void take(Socket socket);
  TcpListener& next_taker();
  void accept_later();
  void sweep_later();
  void sweep();

  const std::shared_ptr<TcpShared> shared_;

  // Guarded by TcpShared::turn.
  std::unique_ptr<Acceptor> acceptor_;
  std::unique_ptr<asio::steady_timer> pause_;
  std::unique_ptr<asio::steady_timer> timer_;             // runs while there are connections
  std::set<std::shared_ptr<TcpConnection>> connections_;  // shared with their pending reads
  std::vector<std::shared_ptr<TcpListener>> siblings_;    // let go when closed: no cycle remains
  std::size_t taken_ = 0;                                 // by any of them
};

}  // namespace dynamo::transport
