#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include <asio/ip/tcp.hpp>

#include "transport/tcp_frame.h"
#include "transport/tcp_listener.h"
#include "transport/tcp_shared.h"

namespace dynamo::transport {

// One accepted connection: reads, and hands packets to the application. Never writes.
//
// Thread safety: all in turn.
class TcpConnection : public std::enable_shared_from_this<TcpConnection> {
 public:
  TcpConnection(std::shared_ptr<TcpShared> shared, std::shared_ptr<TcpListener> listener,
                Socket socket);

  void read();
  void sweep(std::chrono::steady_clock::time_point now);
  void close();
  bool is_stranger() const { return stranger_; }

 private:
  // Not in turn: delivers packets.
  void on_read(const asio::error_code& error, std::size_t size);
  bool take(const asio::error_code& error, std::size_t size);
  void refuse();

  const std::shared_ptr<TcpShared> shared_;
  const std::shared_ptr<TcpListener> listener_;  // let go by it when closed: no cycle remains

  Socket socket_;
  FrameReader reader_;
  std::vector<std::string> packets_;  // on their way to the application
  std::chrono::steady_clock::time_point progress_;
  bool stranger_ = true;  // has not sent a preamble, or a wrong one
  bool closed_ = false;
};

}  // namespace dynamo::transport
