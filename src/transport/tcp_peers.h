#pragma once

#include <array>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include <dynamo/transport.h>
#include <asio/steady_timer.hpp>

#include "transport/tcp_link.h"
#include "transport/tcp_shared.h"

namespace dynamo::transport {

// The outgoing side: a link per address and lane, made on first use.
//
// send() queues the packet and writes it at once if the link is up and idle: a packet holds all
// that one turn of the application has for the peer. Else, if none is on its way, it posts one
// handler that flushes all links with something to send.
//
// Thread safety: send() from any thread; the rest in turn.
class TcpPeers : public std::enable_shared_from_this<TcpPeers> {
 public:
  explicit TcpPeers(std::shared_ptr<TcpShared> shared);

  void send(std::string_view address, Lane lane, std::string packet);
  // Links to that address that wait before they dial again need not. Any thread.
  void redial(std::string_view address);
  void close();

 private:
  using Lanes = std::array<std::shared_ptr<TcpLink>, 2>;  // shared with pending handlers

  std::shared_ptr<TcpLink> push(std::string_view address, Lane lane, std::string packet);
  bool flush_here(TcpLink& link);
  void flush();
  void sweep_later();
  void sweep();

  const std::shared_ptr<TcpShared> shared_;

  // Guarded by mutex_.
  std::mutex mutex_;
  bool open_ = true;
  std::optional<Executor> executor_;
  std::map<std::string, Lanes, std::less<>> links_;
  std::vector<std::shared_ptr<TcpLink>> to_flush_;
  bool flush_posted_ = false;

  // Guarded by TcpShared::turn.
  std::unique_ptr<asio::steady_timer> timer_;  // runs while there are links
};

}  // namespace dynamo::transport
