#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <dynamo/membership/gossip.h>

#include "base/prng.h"

namespace test {

// Gossip memberships on a network and on disks that a test makes go wrong, in virtual time. Names
// are addresses. Every view that anybody ever publishes is compared with all others: two of one
// number must be the same.
class GossipNet {
 public:
  struct Node {
    dynamo::Member self{};
    dynamo::GossipOptions options{};
    std::string disk{};
    std::unique_ptr<dynamo::Membership> membership{};  // null: it is down
    std::optional<dynamo::View> view{};
    int views = 0;  // published since it was started
    absl::Status started{};
  };

  explicit GossipNet(std::uint64_t seed) : prng_(seed) {}

  dynamo::GossipOptions options(std::vector<std::string> seeds = {}) const {
    return {.partitions = 16, .seeds = std::move(seeds)};
  }
  // Starts it, or starts it again with what is on its disk.
  absl::Status start(const std::string& name, std::vector<std::string> seeds = {});
  absl::Status start_with(const std::string& name, dynamo::GossipOptions options);
  void stop(const std::string& name) { node(name).membership.reset(); }
  void wipe(const std::string& name);
  Node& node(const std::string& name) { return nodes_.at(name); }
  const std::map<std::string, Node>& nodes() const { return nodes_; }

  void run(std::chrono::milliseconds time);
  bool run_until(const std::function<bool()>& done,
                 std::chrono::milliseconds limit = std::chrono::minutes(2));
  std::chrono::milliseconds now() const { return std::chrono::milliseconds(now_); }

  // Both ways.
  void cut(const std::string& a, const std::string& b) { cuts_.insert(std::minmax(a, b)); }
  void heal() { cuts_.clear(); }
  void lose(double rate) { loss_ = rate; }
  void duplicate(double rate) { duplication_ = rate; }
  void fail_disks(double rate) { disk_errors_ = rate; }

  std::uint64_t messages() const { return messages_; }
  std::uint64_t bytes() const { return bytes_; }
  // Everybody who is up has a view of that many present members.
  bool all_see(std::size_t members) const;
  // Two different views of one number; empty: there were none.
  const std::string& split() const { return split_; }

 private:
  struct Packet {
    std::string from{};
    std::string to{};
    std::string payload{};
  };
  void send(const std::string& from, std::string_view to, std::string payload);
  void deliver(const Packet& packet);
  void published(Node& node, dynamo::View view);

  dynamo::core::Prng prng_;
  std::map<std::string, Node> nodes_;
  std::multimap<std::int64_t, Packet> packets_;  // by the millisecond they arrive in
  std::set<std::pair<std::string, std::string>> cuts_;
  std::map<std::pair<dynamo::Identity, std::uint64_t>, dynamo::View> chosen_;
  std::string split_{};
  double loss_ = 0;
  double duplication_ = 0;
  double disk_errors_ = 0;
  std::int64_t now_ = 1000;
  std::uint64_t messages_ = 0;
  std::uint64_t bytes_ = 0;
};

std::size_t present(const dynamo::View& view);
dynamo::MemberState state_of(const dynamo::View& view, const std::string& name);
// What nodes do when a move is theirs to end: here all are ended at once.
void finish_moves(GossipNet& net, const std::string& by);

}  // namespace test
