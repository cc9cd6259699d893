#include "gossip_net.h"

#include <algorithm>

#include <fmt/format.h>

#include "ring/placement.h"
#include "wire/view_codec.h"

namespace test {

using dynamo::Member;
using dynamo::View;

std::size_t present(const View& view) {
  return static_cast<std::size_t>(std::ranges::count_if(view.members, dynamo::core::is_present));
}

dynamo::MemberState state_of(const View& view, const std::string& name) {
  dynamo::MemberState state = dynamo::MemberState::removed;
  for (const Member& member : view.members) {
    if (member.name == name && (dynamo::core::is_present(member) || state == member.state ||
                                member.state == dynamo::MemberState::left)) {
      state = member.state;
    }
  }
  return state;
}

void finish_moves(GossipNet& net, const std::string& by) {
  GossipNet::Node& node = net.node(by);
  if (node.membership == nullptr || !node.view) return;
  for (const dynamo::Move& move : std::vector(node.view->moves)) {
    node.membership->change({.kind = dynamo::Change::Kind::finish_move, .move = move})
        .IgnoreError();
  }
}

absl::Status GossipNet::start(const std::string& name, std::vector<std::string> seeds) {
  return start_with(name, options(std::move(seeds)));
}

absl::Status GossipNet::start_with(const std::string& name, dynamo::GossipOptions options) {
  Node& node = nodes_[name];
  node.options = std::move(options);
  if (node.self.name.empty()) {
    node.self = {.identity = {prng_.next() | 1, prng_.next()}, .name = name, .address = name};
  }
  node.membership = dynamo::gossip_membership(node.options);
  node.view.reset();
  node.views = 0;
  dynamo::Membership::Callbacks callbacks;
  callbacks.publish = [this, &node](View view) { published(node, std::move(view)); };
  callbacks.send = [this, name](std::string_view to, std::string payload) {
    send(name, to, std::move(payload));
  };
  callbacks.persist = [this, &node](std::string state) -> absl::Status {
    if (prng_.chance(disk_errors_)) return absl::ResourceExhaustedError("full");
    node.disk = std::move(state);
    return absl::OkStatus();
  };
  node.started = node.membership->start(node.self, node.disk, prng_.next(), std::move(callbacks));
  if (!node.started.ok()) node.membership.reset();
  return node.started;
}

void GossipNet::wipe(const std::string& name) {
  Node& node = nodes_.at(name);
  node.membership.reset();
  node.disk.clear();
  node.self.identity = {prng_.next() | 1, prng_.next()};
}

void GossipNet::published(Node& node, View view) {
  const auto [at, first] = chosen_.try_emplace({view.cluster, view.number}, view);
  if (!first && !dynamo::core::same_view(at->second, view)) {
    split_ = fmt::format("{} is in another view {} than others were", node.self.name, view.number);
  }
  if (node.view && (node.view->number >= view.number || node.view->cluster != view.cluster)) {
    split_ =
        fmt::format("{} went from view {} to {}", node.self.name, node.view->number, view.number);
  }
  node.view = std::move(view);
  ++node.views;
}

void GossipNet::send(const std::string& from, std::string_view to, std::string payload) {
  ++messages_;
  bytes_ += payload.size();
  const Packet packet{from, std::string(to), std::move(payload)};
  const int copies = prng_.chance(loss_) ? 0 : prng_.chance(duplication_) ? 2 : 1;
  for (int i = 0; i < copies; ++i) {
    const std::uint64_t late = prng_.chance(duplication_) ? prng_.below(20000) : 0;
    packets_.emplace(now_ + static_cast<std::int64_t>(1 + prng_.below(5) + late), packet);
  }
}

void GossipNet::deliver(const Packet& packet) {
  if (cuts_.contains(std::minmax(packet.from, packet.to))) return;
  const auto to = nodes_.find(packet.to);
  if (to == nodes_.end() || to->second.membership == nullptr) return;
  to->second.membership->receive(packet.payload);
}

void GossipNet::run(std::chrono::milliseconds time) {
  run_until([] { return false; }, time);
}

bool GossipNet::run_until(const std::function<bool()>& done, std::chrono::milliseconds limit) {
  const std::int64_t end = now_ + limit.count();
  for (; now_ < end; ++now_) {
    while (!packets_.empty() && packets_.begin()->first <= now_) {
      const Packet packet = std::move(packets_.extract(packets_.begin()).mapped());
      deliver(packet);
    }
    if (now_ % 200 == 0) {
      const std::chrono::steady_clock::time_point now{std::chrono::milliseconds(now_)};
      for (auto& [name, node] : nodes_) {
        if (node.membership != nullptr) node.membership->tick(now);
      }
    }
    if (now_ % 50 == 0 && done()) return true;
  }
  return done();
}

bool GossipNet::all_see(std::size_t members) const {
  return std::ranges::all_of(nodes_, [&](const auto& entry) {
    const Node& node = entry.second;
    return node.membership == nullptr || (node.view && present(*node.view) == members);
  });
}

}  // namespace test
