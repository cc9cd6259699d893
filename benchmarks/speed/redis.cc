#include "speed/redis.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdlib>
#include <thread>
#include <utility>

#include <fmt/format.h>
#include <asio/post.hpp>

#include "../../examples/loopback_ports.h"

namespace bench {

using asio::ip::tcp;

namespace {

// Of a reply that is complete at the beginning of `bytes`; 0 if none is.
std::size_t reply_size(std::string_view bytes) {
  const std::size_t end = bytes.find("\r\n");
  if (end == std::string_view::npos) return 0;
  if (bytes.front() != '$') return end + 2;
  long size = -1;
  std::from_chars(bytes.data() + 1, bytes.data() + end, size);
  if (size < 0) return end + 2;
  const std::size_t whole = end + 2 + static_cast<std::size_t>(size) + 2;
  return whole <= bytes.size() ? whole : 0;
}

void await_port(int port) {
  asio::io_context io;
  for (int tries = 0; tries < 200; ++tries) {
    tcp::socket socket(io);
    asio::error_code error;
    socket.connect(loopback(port), error);
    if (!error) return;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  give_up(fmt::format("nobody listens on port {}", port));
}

std::vector<std::string> server_command(int port, int master,
                                        const std::filesystem::path& directory, bool synced) {
  const std::filesystem::path own = directory / std::to_string(port);
  std::filesystem::create_directories(own);
  std::vector<std::string> command = {"redis-server",
                                      "--port",
                                      std::to_string(port),
                                      "--bind",
                                      "127.0.0.1",
                                      "--save",
                                      "",
                                      "--dir",
                                      own.string(),
                                      "--appendonly",
                                      synced ? "yes" : "no",
                                      "--appendfsync",
                                      "always",
                                      "--repl-diskless-sync-delay",
                                      "0"};
  if (master != port) {
    command.insert(command.end(), {"--replicaof", "127.0.0.1", std::to_string(master)});
  }
  return command;
}

}  // namespace

bool is_installed(std::string_view program) {
  const char* path = std::getenv("PATH");
  std::string_view left = path == nullptr ? "" : path;
  while (!left.empty()) {
    const std::string_view folder = left.substr(0, left.find(':'));
    left.remove_prefix(std::min(left.size(), folder.size() + 1));
    if (std::filesystem::exists(std::filesystem::path(folder) / program)) return true;
  }
  return false;
}

RedisConnection::RedisConnection(asio::io_context& io, int port) : Stream(io, port), io_(io) {}

void RedisConnection::read() {
  Stream::read([this](std::string_view bytes) { return parse(bytes); });
}

std::size_t RedisConnection::parse(std::string_view in) {
  std::size_t at = 0;
  while (at < in.size()) {
    const std::string_view bytes = in.substr(at);
    const std::size_t size = reply_size(bytes);
    if (size == 0) break;
    const std::string_view line = bytes.substr(0, bytes.find("\r\n"));
    if (line.front() == '-') give_up(fmt::format("Redis: {}", line));
    const auto done = std::move(waiting_.front());
    waiting_.pop_front();
    done(line);
    at += size;
  }
  return at;
}

void RedisConnection::command(const std::vector<std::string_view>& words,
                              std::function<void(std::string_view line)> done) {
  waiting_.push_back(std::move(done));
  fmt::format_to(std::back_inserter(out()), "*{}\r\n", words.size());
  for (const std::string_view word : words) {
    fmt::format_to(std::back_inserter(out()), "${}\r\n", word.size());
    out().append(word);
    out().append("\r\n");
  }
  if (std::exchange(flush_posted_, true)) return;
  asio::post(io_, [self = shared_from_this(), this] {
    flush_posted_ = false;
    flush();
  });
}

Redis::Redis(asio::io_context& io, const std::filesystem::path& directory, bool synced) : io_(io) {
  const std::vector<int> ports = example::loopback_ports(3);
  std::filesystem::remove_all(directory);
  for (const int port : ports) {
    servers_.push_back(
        std::make_unique<Child>(server_command(port, ports.front(), directory, synced), ""));
    pids_.push_back(servers_.back()->pid());
    await_port(port);
  }
  const auto connect = [&] {
    auto connection = std::make_shared<RedisConnection>(io_, ports.front());
    connection->read();
    return connection;
  };
  shared_ = connect();
  for (int i = 0; i < connections; ++i) free_.push_back(connect());
  // Until both replicas follow.
  for (bool follow = false; !follow;) {
    bool answered = false;
    shared_->command({"SET", "first", "x"}, [](std::string_view) {});
    shared_->command({"WAIT", "2", "500"}, [&](std::string_view line) {
      follow = line == ":2";
      answered = true;
    });
    io_.restart();
    while (!answered) io_.run_one();
  }
}

Redis::~Redis() {
  shared_->close();
  for (const auto& writer : free_) writer->close();
  io_.restart();
  io_.poll();
}

std::shared_ptr<RedisConnection> Redis::take() {
  if (free_.empty()) give_up("Redis: too many operations at once");
  std::shared_ptr<RedisConnection> connection = std::move(free_.back());
  free_.pop_back();
  return connection;
}

void Redis::get(std::string_view key, std::function<void()> done) {
  const std::shared_ptr<RedisConnection> connection = take();
  connection->command({"GET", key},
                      [this, connection, done = std::move(done)](std::string_view line) {
                        if (line == "$-1") give_up("Redis: a key is missing");
                        free_.push_back(connection);
                        done();
                      });
}

void Redis::get_pipelined(std::string_view key, std::function<void()> done) {
  shared_->command({"GET", key}, [done = std::move(done)](std::string_view line) {
    if (line == "$-1") give_up("Redis: a key is missing");
    done();
  });
}

void Redis::put(std::string_view key, std::string_view value, std::function<void()> done) {
  const std::shared_ptr<RedisConnection> connection = take();
  connection->command({"SET", key, value}, [](std::string_view) {});
  connection->command({"WAIT", "1", "0"},
                      [this, connection, done = std::move(done)](std::string_view line) {
                        if (line == ":0") give_up("Redis: no replica has it");
                        free_.push_back(connection);
                        done();
                      });
}

void Redis::fill(const std::vector<std::string>& keys, std::string_view value) {
  std::size_t missing = keys.size();
  for (const std::string& key : keys) {
    shared_->command({"SET", key, value}, [&missing](std::string_view) { --missing; });
  }
  io_.restart();
  while (missing > 0) io_.run_one();
}

}  // namespace bench
