#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

#include <asio/io_context.hpp>

#include "speed/child.h"

// etcd as a peer: three processes on loopback, each put synced by a majority. Driven through its
// JSON gateway, 64 connections to the leader or whoever it is, from the load's own loop; a client
// of its own protocol would take less of its time.
namespace bench {

class EtcdConnection;

class Etcd {
 public:
  Etcd(asio::io_context& io, const std::filesystem::path& directory);
  ~Etcd();
  Etcd(const Etcd&) = delete;
  Etcd& operator=(const Etcd&) = delete;

  void put(std::string_view key, std::string_view value, std::function<void()> done);

  const std::vector<pid_t>& pids() const { return pids_; }

 private:
  static constexpr int connections = 64;

  asio::io_context& io_;
  std::vector<std::unique_ptr<Child>> servers_;
  std::vector<pid_t> pids_;
  std::vector<std::shared_ptr<EtcdConnection>> free_;
};

}  // namespace bench
