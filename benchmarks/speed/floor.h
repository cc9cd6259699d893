#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>

#include "speed/floor_disk.h"
#include "speed/floor_wire.h"

// The topology floor: three processes on asio, each with a hash map, that send the messages which a
// quorum operation needs and do nothing else. No versions, no ring, no checksums, no failures. The
// coordinator lives in the process of the load, as it does with the library; so what the library
// takes more than this is what it does more.
//
//   get, r = 2     reads its own map, asks one peer, done with its answer           2 messages
//   put, w = 2     writes its own map, sends to both peers, done with the first     4 messages
//   synced         the same, and everybody answers when LMDB has it (FloorDisk); done with the
//                  first two of the three
//
// What comes to one peer in one turn of the loop leaves in one write.
namespace bench {

// A node of the floor that others coordinate, on that port of the loopback, with a disk if there is
// a directory. Prints "ready"; never returns.
void run_floor_peer(int port, const std::filesystem::path& directory = {});
// The other side of a ping-pong: sends back whatever it gets. Prints "ready"; never returns.
void run_echo_peer(int port);

// The node of the floor in the process of the load.
//
// Thread safety: one thread at a time, the one that runs `io`.
class FloorNode {
 public:
  FloorNode(asio::io_context& io, const std::vector<int>& peer_ports,
            const std::filesystem::path& directory = {});

  // `done` gets the peer's value, and is called from the loop.
  void get(std::string_view key, std::function<void()> done);
  void put(std::string_view key, std::string_view value, std::function<void()> done);
  // Fills this node and the peers; returns when all have it.
  void fill(const std::vector<std::string>& keys, std::string_view value);

 private:
  struct Operation {
    std::function<void()> done{};
    std::string own{};  // what this node's map holds of the key
    int needed = 1;     // answers until it is done
    int awaited = 0;    // answers that are still to come
  };

  std::uint64_t open(Operation operation);
  void answered(const FloorFrame& frame);
  void send(std::size_t peer, const FloorFrame& frame);

  asio::io_context& io_;
  FloorMap map_;
  std::unique_ptr<FloorDisk> disk_;  // null: none
  std::vector<std::shared_ptr<FloorLink>> peers_;
  std::vector<Operation> operations_;
  std::vector<std::uint64_t> free_;
  bool flush_posted_ = false;
};

// Round trips over one connection.
class EchoClient {
 public:
  EchoClient(asio::io_context& io, int port);
  void ping(std::string_view bytes, std::function<void()> done);

 private:
  asio::io_context& io_;
  std::shared_ptr<FloorLink> link_;
  std::vector<std::function<void()>> waiting_;
  std::size_t first_ = 0;
  bool flush_posted_ = false;
};

}  // namespace bench
