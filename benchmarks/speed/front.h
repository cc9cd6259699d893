#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <asio/io_context.hpp>

#include "speed/child.h"
#include "speed/floor_wire.h"
#include "speed/load.h"

namespace bench {

// A node of the library behind a port, where clients of other processes ask it: gets, and puts that
// write back what they have read. `members` as run_node() takes them. Prints "ready"; never
// returns.
void run_front(int port, const std::string& name, const std::filesystem::path& directory,
               const std::vector<std::string>& members);

// A cluster of three that lives in other processes, and a client that hands each request to one of
// them at random, as a load balancer does (paper, 6.4).
//
// Thread safety: one thread at a time, the one that runs `io`.
class Fronts {
 public:
  Fronts(asio::io_context& io, const std::string& program, const std::filesystem::path& directory);

  void get(std::string_view key, std::function<void()> done);
  void read_and_write(std::string_view key, std::string_view object, std::function<void()> done);
  // Writes all keys; returns when they are there.
  void fill(const std::vector<std::string>& keys, std::string_view object);
  const std::vector<pid_t>& pids() const { return pids_; }

 private:
  void send(FloorFrame frame, std::function<void()> done);

  asio::io_context& io_;
  Keys choice_{3, 3};
  std::vector<std::unique_ptr<Child>> nodes_;
  std::vector<pid_t> pids_;
  std::vector<std::shared_ptr<FloorLink>> links_;
  std::vector<std::function<void()>> waiting_;  // by id
  std::vector<std::uint64_t> free_;
  bool flush_posted_ = false;
};

}  // namespace bench
