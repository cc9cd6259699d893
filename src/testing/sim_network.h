#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>

#include <dynamo/transport.h>

#include "testing/sim_context.h"

namespace dynamo::testing {

// A packet at the moment it is sent. Valid during the call of the observer only.
struct SimPacket {
  core::TimePoint sent_at{};
  std::string_view from{};
  std::string_view to{};
  Lane lane = Lane::request;
  std::string_view bytes{};
  bool lost = false;  // sender or receiver is off the network, or nobody listens there
};

// The network between simulated nodes. It is perfect: what is sent arrives whole, once, in order,
// `latency` later. Only a node that is off the network neither sends nor receives.
//
// Thread safety: one thread.
class SimNetwork {
 public:
  static constexpr core::TimePoint latency = std::chrono::microseconds(100);
  using Observer = std::function<void(const SimPacket&)>;

  explicit SimNetwork(std::shared_ptr<SimContext> context) : context_(std::move(context)) {}

  // The end of the network at `address`. It shares the network, as it may outlive the cluster.
  static std::unique_ptr<Transport> transport(std::shared_ptr<SimNetwork> network,
                                              std::string address);

  // Called for each packet from now on.
  void observe(Observer observer) { observer_ = std::move(observer); }

  // Takes an address off the network, or puts it back. What is under way to it is lost.
  void disconnect(const std::string& address) { disconnected_.insert(address); }
  void connect(const std::string& address) { disconnected_.erase(address); }

 private:
  class Port;

  void send(const std::string& from, std::string_view to, Lane lane, std::string bytes);
  bool reaches(const std::string& to) const;

  const std::shared_ptr<SimContext> context_;  // shared with the environments
  std::map<std::string, Transport::Receiver, std::less<>> receivers_;
  std::set<std::string, std::less<>> disconnected_;
  Observer observer_;
};

}  // namespace dynamo::testing
