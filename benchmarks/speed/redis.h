#pragma once

#include <cstddef>
#include <deque>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

#include <asio/io_context.hpp>

#include "speed/child.h"
#include "speed/stream.h"

// Redis as a peer: a master and two replicas, three processes on loopback, driven from the load's
// own loop by a client that does no more than it must.
namespace bench {

// Replies are taken in the order of the commands; what is said in one turn of the loop leaves in
// one write.
class RedisConnection : public Stream {
 public:
  RedisConnection(asio::io_context& io, int port);

  void read();
  // `done` is called with the reply's first line, without its end.
  void command(const std::vector<std::string_view>& words,
               std::function<void(std::string_view line)> done);

 private:
  std::size_t parse(std::string_view in);

  asio::io_context& io_;
  bool flush_posted_ = false;
  std::deque<std::function<void(std::string_view)>> waiting_;
};

class Redis {
 public:
  // `synced`: with an append-only file that is synced before each answer.
  Redis(asio::io_context& io, const std::filesystem::path& directory, bool synced);
  ~Redis();
  Redis(const Redis&) = delete;
  Redis& operator=(const Redis&) = delete;

  void fill(const std::vector<std::string>& keys, std::string_view value);
  // From the master. Each get that is in flight has a connection of its own, as most clients do it;
  // or all share one, whose commands leave together: the most that can be had of it.
  void get(std::string_view key, std::function<void()> done);
  void get_pipelined(std::string_view key, std::function<void()> done);
  // SET, and WAIT until one replica has it.
  void put(std::string_view key, std::string_view value, std::function<void()> done);

  const std::vector<pid_t>& pids() const { return pids_; }

 private:
  // WAIT keeps a connection busy, so each put that is in flight has one of its own.
  static constexpr int connections = 64;

  std::shared_ptr<RedisConnection> take();

  asio::io_context& io_;
  std::vector<std::unique_ptr<Child>> servers_;
  std::vector<pid_t> pids_;
  std::shared_ptr<RedisConnection> shared_;
  std::vector<std::shared_ptr<RedisConnection>> free_;
};

// Whether the program is there.
bool is_installed(std::string_view program);

}  // namespace bench
