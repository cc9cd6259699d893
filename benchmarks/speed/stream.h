#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>

namespace bench {

asio::ip::tcp::endpoint loopback(int port);

// A connection whose bytes are taken apart as they come, and that has one write under way at a
// time: what is appended meanwhile leaves with the next.
class Stream : public std::enable_shared_from_this<Stream> {
 public:
  // Given all that is there, returns how much of it is done with.
  using OnBytes = std::function<std::size_t(std::string_view bytes)>;

  explicit Stream(asio::ip::tcp::socket socket);
  // Connects to that port.
  Stream(asio::io_context& io, int port);

  // `on_bytes` is called until the connection ends. Once.
  void read(OnBytes on_bytes);
  std::string& out() { return out_; }
  void flush();
  void close() { socket_.close(); }

 private:
  void read_more();

  asio::ip::tcp::socket socket_;
  OnBytes on_bytes_;
  std::vector<char> in_;
  std::size_t in_size_ = 0;
  std::string out_;
  std::string leaving_;
  bool writing_ = false;
};

}  // namespace bench
