#include "speed/etcd.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <thread>
#include <utility>

#include <fmt/format.h>
#include <asio/buffer.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/read.hpp>
#include <asio/read_until.hpp>
#include <asio/write.hpp>

#include "../../examples/loopback_ports.h"
#include "speed/stream.h"

namespace bench {

using asio::ip::tcp;

namespace {

std::string base64(std::string_view bytes) {
  constexpr std::string_view digits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t group = 0;
    const std::size_t size = std::min<std::size_t>(3, bytes.size() - i);
    for (std::size_t j = 0; j < 3; ++j) {
      group = group << 8 | (j < size ? static_cast<unsigned char>(bytes[i + j]) : 0);
    }
    for (std::size_t j = 0; j < 4; ++j) {
      text += j <= size ? digits[group >> (18 - 6 * j) & 63] : '=';
    }
  }
  return text;
}

// Of the body, from the lines before it.
std::size_t content_length(std::string_view head) {
  constexpr std::string_view name = "Content-Length: ";
  const std::size_t at = head.find(name);
  std::size_t length = 0;
  if (at == std::string_view::npos) give_up("etcd: an answer of unknown length");
  std::from_chars(head.data() + at + name.size(), head.data() + head.size(), length);
  return length;
}

}  // namespace

// One request at a time.
class EtcdConnection : public std::enable_shared_from_this<EtcdConnection> {
 public:
  EtcdConnection(asio::io_context& io, int port) : socket_(io) {
    socket_.connect(loopback(port), error_);
    if (!error_) socket_.set_option(tcp::no_delay(true));
  }
  bool is_open() const { return !error_; }
  void close() { socket_.close(error_); }

  // `done` gets whether it was answered with 200.
  void put(std::string_view key, std::string_view value, std::function<void(bool ok)> done) {
    const std::string body =
        fmt::format(R"({{"key":"{}","value":"{}"}})", base64(key), base64(value));
    out_ = fmt::format("POST /v3/kv/put HTTP/1.1\r\nHost: etcd\r\nContent-Length: {}\r\n\r\n{}",
                       body.size(), body);
    done_ = std::move(done);
    asio::async_write(socket_, asio::buffer(out_),
                      [self = shared_from_this()](const asio::error_code& error, std::size_t) {
                        if (!error) self->read_head();
                      });
  }

 private:
  void read_head() {
    asio::async_read_until(
        socket_, asio::dynamic_buffer(in_), "\r\n\r\n",
        [self = shared_from_this()](const asio::error_code& error, std::size_t size) {
          if (!error) self->read_body(size);
        });
  }
  void read_body(std::size_t head) {
    const std::size_t whole = head + content_length(std::string_view(in_).substr(0, head));
    const std::size_t missing = whole - std::min(whole, in_.size());
    asio::async_read(socket_, asio::dynamic_buffer(in_), asio::transfer_exactly(missing),
                     [self = shared_from_this()](const asio::error_code& error, std::size_t) {
                       if (error) return;
                       const bool ok = self->in_.starts_with("HTTP/1.1 200");
                       self->in_.clear();
                       std::exchange(self->done_, nullptr)(ok);
                     });
  }

  tcp::socket socket_;
  asio::error_code error_{};
  std::string out_;
  std::string in_;
  std::function<void(bool)> done_;
};

Etcd::Etcd(asio::io_context& io, const std::filesystem::path& directory) : io_(io) {
  const std::vector<int> ports = example::loopback_ports(6);
  std::filesystem::remove_all(directory);
  const auto url = [](int port) { return fmt::format("http://127.0.0.1:{}", port); };
  std::string cluster;
  for (std::size_t i = 0; i < 3; ++i) {
    cluster += fmt::format("{}n{}={}", i == 0 ? "" : ",", i, url(ports[3 + i]));
  }
  for (std::size_t i = 0; i < 3; ++i) {
    const std::string name = fmt::format("n{}", i);
    servers_.push_back(std::make_unique<Child>(
        std::vector<std::string>{"etcd", "--name", name, "--data-dir", (directory / name).string(),
                                 "--listen-client-urls", url(ports[i]), "--advertise-client-urls",
                                 url(ports[i]), "--listen-peer-urls", url(ports[3 + i]),
                                 "--initial-advertise-peer-urls", url(ports[3 + i]),
                                 "--initial-cluster", cluster, "--log-level", "error"},
        ""));
    pids_.push_back(servers_.back()->pid());
  }
  // Until it takes a put: it needs a leader first.
  for (int tries = 0;; ++tries) {
    if (tries == 300) give_up("etcd has not started");
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    const auto first = std::make_shared<EtcdConnection>(io_, ports[0]);
    if (!first->is_open()) continue;
    bool taken = false;
    first->put("first", "x", [&](bool ok) { taken = ok; });
    io_.restart();
    io_.run_for(std::chrono::seconds(2));
    first->close();
    if (taken) break;
  }
  for (int i = 0; i < connections; ++i) {
    free_.push_back(std::make_shared<EtcdConnection>(io_, ports[0]));
  }
}

Etcd::~Etcd() {
  for (const auto& connection : free_) connection->close();
  io_.restart();
  io_.poll();
}

void Etcd::put(std::string_view key, std::string_view value, std::function<void()> done) {
  if (free_.empty()) give_up("etcd: too many puts at once");
  const std::shared_ptr<EtcdConnection> connection = free_.back();
  free_.pop_back();
  connection->put(key, value, [this, connection, done = std::move(done)](bool ok) {
    if (!ok) give_up("etcd: a put has failed");
    free_.push_back(connection);
    done();
  });
}

}  // namespace bench
