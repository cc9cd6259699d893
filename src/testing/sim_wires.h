#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <dynamo/testing/sim_cluster.h>
#include <dynamo/transport.h>

#include "base/prng.h"
#include "testing/sim_context.h"
#include "testing/sim_journal.h"

namespace dynamo::testing {

// The network between simulated nodes: what SimNetwork and the faults of SimCluster do to packets.
// Packets arrive whole or not at all.
//
// Each ordered pair of addresses is a link. Packets of one lane of a link arrive in the order they
// were sent, unless chance has one overtaken; the lanes are connections of their own. What becomes
// of the k-th packet of a link depends on the seed and on k, never on what other links carry.
//
// Thread safety: one thread.
class SimWires {
 public:
  SimWires(std::shared_ptr<SimContext> context, SimNetwork rates = {}, std::uint64_t seed = 1,
           std::shared_ptr<SimJournal> journal = std::make_shared<SimJournal>());

  // The end of the network at `address`. It shares the network, as it may outlive the cluster.
  static std::unique_ptr<Transport> transport(std::shared_ptr<SimWires> network,
                                              std::string address);

  // Called for each packet from now on.
  void observe(SimJournal::PacketObserver observer) {
    journal_->observe_packets(std::move(observer));
  }

  // From now on these rates.
  void set_rates(const SimNetwork& rates) { rates_ = rates; }

  // Takes an address off the network, or puts it back. What is under way to it is lost.
  void disconnect(const std::string& address) { disconnected_.insert(address); }
  void connect(const std::string& address) { disconnected_.erase(address); }

  // Only addresses that some group has in common reach each other; those that no group names are a
  // group of their own. Replaces an earlier partition. No group at all: no partition.
  void partition(const std::vector<std::vector<std::string>>& groups);
  // One way, until heal().
  void cut(const std::string& from, const std::string& to);
  // What is sent that way from now on arrives at `until` or later.
  void clog(const std::string& from, const std::string& to, core::TimePoint until);
  // Ends all partitions, cuts and clogs, and connects whoever was disconnected.
  void heal();

  // Whether what `from` sends now gets to `to`, if chance does not lose it.
  bool reaches(const std::string& from, const std::string& to) const { return passes({from, to}); }
  // Whether a process is there.
  bool listens(const std::string& address) const { return receivers_.contains(address); }

  // The process at `address` is paused: up to a mebibyte waits for it, the rest is lost.
  void hold(const std::string& address) { held_.try_emplace(address); }
  void release(const std::string& address);

 private:
  class Port;

  struct Link {
    core::Prng prng{0};
    std::array<core::TimePoint, 2> last_arrival{};  // by lane
    core::TimePoint clogged_until{};
    std::deque<std::pair<Lane, std::string>> old{};  // what may be replayed
  };
  using Path = std::pair<std::string, std::string>;  // from, to
  struct Held {
    std::vector<std::pair<Path, std::string>> packets{};
    std::size_t bytes = 0;
  };
  enum class Order { kept, lost };

  Link& link(const Path& path);
  void send(const std::string& from, std::string_view to, Lane lane, std::string bytes);
  // Lets one copy arrive.
  void carry(const Path& path, Link& link, Lane lane, std::string bytes, Order order);
  void arrive(const Path& path, std::string bytes);
  core::TimePoint draw_latency(core::Prng& prng) const;
  bool passes(const Path& path) const;

  const std::shared_ptr<SimContext> context_;  // shared with the environments
  const std::shared_ptr<SimJournal> journal_;  // shared with the disks
  const std::uint64_t seed_;
  SimNetwork rates_;
  std::map<std::string, Transport::Receiver, std::less<>> receivers_;
  std::map<Path, Link> links_;
  std::set<std::string, std::less<>> disconnected_;
  std::vector<std::set<std::string, std::less<>>> groups_;
  std::set<Path> cuts_;
  std::map<std::string, Held, std::less<>> held_;
};

}  // namespace dynamo::testing
