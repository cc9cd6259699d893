#pragma once

#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <dynamo/transport.h>
#include <asio/connect.hpp>
#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>

#include "transport/address.h"

namespace test {

// Far more than anything here takes; reached only by a failing test.
inline constexpr std::chrono::seconds patience{30};

// Keeps the packets that a transport receives.
//
// Thread safety: any thread. Must outlive the transport.
class Mailbox {
 public:
  dynamo::Transport::Receiver receiver() {
    return [this](std::string packet, std::string_view) {
      const std::lock_guard lock(mutex_);
      packets_.push_back(std::move(packet));
      changed_.notify_all();
    };
  }
  // False if they do not arrive.
  bool wait_for(std::size_t count) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, patience, [&] { return packets_.size() >= count; });
  }
  // What has arrived since the last call.
  std::vector<std::string> take() {
    const std::lock_guard lock(mutex_);
    return std::exchange(packets_, {});
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> packets_;
};

// Spins until `condition` holds; for what nothing announces.
template <class Condition>
bool eventually(Condition condition) {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::yield();
  }
  return true;
}

// Sends packet after packet until the mailbox has one: the first may be lost to a dying connection.
inline bool send_until_received(dynamo::Transport& from, std::string_view address, Mailbox& to) {
  return eventually([&] {
    from.send(address, dynamo::Lane::request, "again");
    return !to.take().empty();
  });
}

// A peer that does not keep to the protocol.
class RawPeer {
 public:
  explicit RawPeer(std::string_view address) : socket_(context_) {
    const auto parsed = dynamo::transport::parse_address(address);
    socket_.connect({asio::ip::make_address(parsed->host), parsed->port});
    const timeval timeout{.tv_sec = patience.count(), .tv_usec = 0};
    ::setsockopt(socket_.native_handle(), SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
  }
  // False if the other side has closed.
  bool send(std::string_view bytes) {
    const auto sent = ::send(socket_.native_handle(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    return sent == static_cast<ssize_t>(bytes.size());
  }
  // True once the other side has closed; false if it does not.
  bool wait_for_close() {
    char byte = 0;
    const auto got = ::recv(socket_.native_handle(), &byte, 1, 0);
    return got == 0 || (got < 0 && errno == ECONNRESET);
  }
  void close() { socket_.close(); }

 private:
  asio::io_context context_;
  asio::ip::tcp::socket socket_;
};

}  // namespace test
