#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <dynamo/membership.h>

#include "base/prng.h"

namespace bench {

// As many gossip memberships as are asked for, already in one cluster, on a network in memory and
// in virtual time: packets take 1 to 5 ms, nothing is lost, every node ticks five times a second.
class Network {
 public:
  struct Traffic {
    std::uint64_t messages = 0;
    std::uint64_t bytes = 0;
    std::uint64_t most_bytes = 0;  // sent by one node
  };

  Network(int members, int partitions, std::uint64_t seed);
  ~Network();
  Network(const Network&) = delete;
  Network& operator=(const Network&) = delete;

  // One more node, with three of the members as seeds.
  void join();
  void run_for(std::int64_t milliseconds);
  // Until all are in a view with so many present members; returns the milliseconds that it took, or
  // -1 after two minutes.
  std::int64_t run_until_all_see(std::size_t members);
  // Since the last call.
  Traffic traffic();

 private:
  struct Node {
    dynamo::Member self{};
    std::unique_ptr<dynamo::Membership> membership{};
    std::size_t sees = 0;  // present members
    std::uint64_t bytes = 0;
  };
  struct Packet {
    std::size_t to = 0;
    std::string payload{};
  };

  void start(std::size_t index, std::vector<std::string> seeds, std::string state);
  void send(std::size_t from, std::string_view to, std::string payload);
  void step();

  const int partitions_;
  dynamo::core::Prng prng_;
  std::vector<std::unique_ptr<Node>> nodes_;     // by name and address "n<index>"
  std::vector<std::vector<Packet>> packets_{8};  // by the millisecond, round about
  std::int64_t now_ = 1000;
  Traffic traffic_{};
};

}  // namespace bench
