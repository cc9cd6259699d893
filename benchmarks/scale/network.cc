#include "scale/network.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <utility>

#include <dynamo/membership/gossip.h>
#include <fmt/format.h>

#include "membership/gossip_messages.h"
#include "ring/placement.h"

namespace bench {

namespace {

std::string name_of(std::size_t index) { return fmt::format("n{}", index); }

std::size_t index_of(std::string_view name) {
  std::size_t index = 0;
  std::from_chars(name.data() + 1, name.data() + name.size(), index);
  return index;
}

}  // namespace

Network::Network(int members, int partitions, std::uint64_t seed)
    : partitions_(partitions), prng_(seed) {
  dynamo::membership::GossipState state{.incarnation = 1,
                                        .view = dynamo::View{.number = 1, .cluster = {1, 2}}};
  for (int i = 0; i < members; ++i) {
    nodes_.push_back(std::make_unique<Node>());
    const std::string name = name_of(static_cast<std::size_t>(i));
    nodes_.back()->self = {
        .identity = {prng_.next() | 1, prng_.next()}, .name = name, .address = name};
    state.view->members.push_back(nodes_.back()->self);
  }
  std::ranges::sort(state.view->members, {}, &dynamo::Member::name);
  const std::string stored = encode_state(state);
  for (std::size_t i = 0; i < nodes_.size(); ++i) start(i, {name_of(0), name_of(1)}, stored);
}

Network::~Network() = default;

void Network::start(std::size_t index, std::vector<std::string> seeds, std::string state) {
  Node& node = *nodes_[index];
  node.membership =
      dynamo::gossip_membership({.partitions = partitions_, .seeds = std::move(seeds)});
  dynamo::Membership::Callbacks callbacks;
  callbacks.publish = [&node](const dynamo::View& view) {
    node.sees =
        static_cast<std::size_t>(std::ranges::count_if(view.members, dynamo::core::is_present));
  };
  callbacks.send = [this, index](std::string_view to, std::string payload) {
    send(index, to, std::move(payload));
  };
  callbacks.persist = [](const std::string&) { return absl::OkStatus(); };
  node.membership->start(node.self, std::move(state), prng_.next(), std::move(callbacks))
      .IgnoreError();
}

void Network::join() {
  nodes_.push_back(std::make_unique<Node>());
  const std::string name = name_of(nodes_.size() - 1);
  nodes_.back()->self = {
      .identity = {prng_.next() | 1, prng_.next()}, .name = name, .address = name};
  start(nodes_.size() - 1, {name_of(0), name_of(1), name_of(2)}, {});
}

void Network::send(std::size_t from, std::string_view to, std::string payload) {
  ++traffic_.messages;
  traffic_.bytes += payload.size();
  nodes_[from]->bytes += payload.size();
  const auto at = static_cast<std::size_t>(now_) + 1 + prng_.below(5);
  packets_[at % packets_.size()].push_back({index_of(to), std::move(payload)});
}

// Nodes tick in turn, so that they are not all awake in the same millisecond.
void Network::step() {
  constexpr std::size_t period = 200;
  ++now_;
  std::vector<Packet>& due = packets_[static_cast<std::size_t>(now_) % packets_.size()];
  for (Packet& packet : std::exchange(due, {})) {
    nodes_[packet.to]->membership->receive(std::move(packet.payload));
  }
  const std::chrono::steady_clock::time_point now{std::chrono::milliseconds(now_)};
  for (std::size_t i = static_cast<std::size_t>(now_) % period; i < nodes_.size(); i += period) {
    nodes_[i]->membership->tick(now);
  }
}

void Network::run_for(std::int64_t milliseconds) {
  for (const std::int64_t end = now_ + milliseconds; now_ < end;) step();
}

std::int64_t Network::run_until_all_see(std::size_t members) {
  constexpr std::int64_t patience = 120'000;
  for (const std::int64_t begin = now_; now_ < begin + patience;) {
    step();
    const bool all = std::ranges::all_of(
        nodes_, [members](const std::unique_ptr<Node>& node) { return node->sees == members; });
    if (all) return now_ - begin;
  }
  return -1;
}

Network::Traffic Network::traffic() {
  for (const std::unique_ptr<Node>& node : nodes_) {
    traffic_.most_bytes = std::max(traffic_.most_bytes, std::exchange(node->bytes, 0));
  }
  return std::exchange(traffic_, {});
}

}  // namespace bench
