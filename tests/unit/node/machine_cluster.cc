#include "unit/node/machine_cluster.h"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include <fmt/format.h>

namespace test {

using namespace dynamo::core;

absl::StatusOr<bool> MachineCluster::Node::read(
    std::string_view key, absl::FunctionRef<void(std::string_view)> visit) const {
  if (!read_error.ok() && is_kind(key, RecordKind::object)) return read_error;
  if (const auto at = buffer.find(std::string(key)); at != buffer.end()) {
    if (at->second) visit(*at->second);
    return at->second.has_value();
  }
  const auto at = engine.find(std::string(key));
  if (at == engine.end()) return false;
  visit(at->second);
  return true;
}

absl::StatusOr<std::string> MachineCluster::Node::scan(
    std::string_view from, std::size_t limit,
    absl::FunctionRef<void(std::string_view, std::string_view)> visit) const {
  std::map<std::string, std::optional<std::string>> merged(buffer);
  merged.insert(engine.begin(), engine.end());
  for (auto at = merged.lower_bound(std::string(from)); at != merged.end(); ++at) {
    if (limit-- == 0) return at->first;
    if (at->second) visit(at->first, *at->second);
  }
  return std::string();
}

MachineCluster::MachineCluster(std::vector<std::string> names, Options options)
    : options_(std::move(options)) {
  for (const std::string& name : names) {
    auto node = std::make_unique<Node>();
    const std::uint64_t number = nodes_.size() + 1;
    node->identity = {.name = name,
                      .identity = {number, number},
                      .partitions = options_.partitions,
                      .boot = 1,
                      .boot_random = ++last_random_ << 40};
    nodes_.emplace(name, std::move(node));
  }
  for (auto& [name, node] : nodes_) start(*node);
  if (!options_.with_view) return;
  for (const auto& [name, node] : nodes_) step(name, ViewChanged{view()});
}

void MachineCluster::start(Node& node) {
  node.machine = std::make_unique<Machine>(node.identity,
                                           NodeSettings{.cluster_label = options_.label,
                                                        .partitions = options_.partitions,
                                                        .hint_bytes_max = options_.hint_bytes_max,
                                                        .seed = ++last_random_});
  for (const auto& [key, record] : node.engine) {
    if (const absl::Status status = node.machine->restore(key, record); !status.ok()) {
      throw std::runtime_error(status.ToString());
    }
  }
}

dynamo::View MachineCluster::view() const {
  dynamo::View view{.number = 1, .cluster = {7, 7}};
  for (const auto& [name, node] : nodes_) view.members.push_back({.name = name, .address = name});
  return view;
}

Now MachineCluster::now_at(const Node& node) const {
  return {now.steady, now.wall_us + node.skew.count()};
}

std::uint64_t MachineCluster::get(const std::string& at, const std::string& key,
                                  const GetArgs& args) {
  step(at, ClientGet{.request = ++last_request_,
                     .store = store,
                     .key = key,
                     .r = args.r,
                     .sloppy = args.sloppy,
                     .at_least = args.at_least,
                     .deadline = now.steady + args.timeout});
  return last_request_;
}

std::uint64_t MachineCluster::put(const std::string& at, const std::string& key,
                                  std::optional<std::string> object, const PutArgs& args) {
  step(at, ClientPut{.request = ++last_request_,
                     .store = store,
                     .key = key,
                     .context = args.context,
                     .object = std::move(object),
                     .ttl = args.ttl,
                     .id = args.id,
                     .w = args.w,
                     .siblings_max = args.siblings_max,
                     .synced = args.synced,
                     .sloppy = args.sloppy,
                     .deadline = now.steady + args.timeout});
  return last_request_;
}

std::uint64_t MachineCluster::converge(const std::string& at, std::chrono::milliseconds timeout) {
  step(at, ClientWait{.request = ++last_request_, .deadline = now.steady + timeout});
  return last_request_;
}

absl::Status MachineCluster::converged(std::uint64_t request) {
  if (!converges_.contains(request)) throw std::runtime_error("not converged yet");
  return converges_.at(request);
}

void MachineCluster::step(const std::string& at, Event event) {
  Node& node = this->node(at);
  Actions actions;
  node.machine->step(now_at(node), std::move(event), node, actions);
  take(at, actions);
}

void MachineCluster::take(const std::string& from, Actions& actions) {
  Node& node = this->node(from);
  node.machine->end_turn(now_at(node), actions);
  for (WriteRecord& write : actions.writes) {
    node.buffer.insert_or_assign(write.key, std::move(write.record));
    node.writes.push_back(write.write);
  }
  for (SendPacket& packet : actions.packets) {
    absl::StatusOr<Packet> read = read_packet(packet.packet);
    if (!read.ok()) throw std::runtime_error(read.status().ToString());
    for (const Message& message : read->messages) all_messages.push_back(message);
    packets.push_back(
        {from, packet.address, std::move(packet.packet), *std::move(read), packet.lane});
  }
  for (CompleteGet& get : actions.gets) {
    if (!gets_.emplace(get.request, std::move(get.answer)).second)
      throw std::runtime_error("a get was answered twice");
  }
  for (CompletePut& put : actions.puts) {
    if (!puts_.emplace(put.request, std::move(put.answer)).second)
      throw std::runtime_error("a put was answered twice");
  }
  for (CompleteWait& converge : actions.waits) {
    if (!converges_.emplace(converge.request, std::move(converge.status)).second)
      throw std::runtime_error("a converge was answered twice");
  }
  for (LogLine& line : actions.log) log.push_back(std::move(line.text));
  for (std::string& payload : actions.membership) membership.push_back(std::move(payload));
}

absl::StatusOr<GetAnswer> MachineCluster::got(std::uint64_t request) {
  if (!gets_.contains(request)) throw std::runtime_error("the get is not answered yet");
  return gets_.at(request);
}

absl::StatusOr<PutAnswer> MachineCluster::done(std::uint64_t request) {
  if (!puts_.contains(request)) throw std::runtime_error("the put is not answered yet");
  return puts_.at(request);
}

bool MachineCluster::finished(std::uint64_t request) const {
  return gets_.contains(request) || puts_.contains(request) || converges_.contains(request);
}

absl::StatusOr<GetAnswer> MachineCluster::get_now(const std::string& at, const std::string& key,
                                                  const GetArgs& args) {
  const std::uint64_t request = get(at, key, args);
  run();
  return got(request);
}

absl::StatusOr<PutAnswer> MachineCluster::put_now(const std::string& at, const std::string& key,
                                                  std::optional<std::string> object,
                                                  const PutArgs& args) {
  const std::uint64_t request = put(at, key, std::move(object), args);
  run();
  return done(request);
}

std::vector<std::string> MachineCluster::objects(const std::string& at, const std::string& key,
                                                 int r) {
  const absl::StatusOr<GetAnswer> answer = get_now(at, key, {.r = r});
  if (!answer.ok()) return {answer.status().ToString()};
  std::vector<std::string> objects;
  for (const dynamo::Version& version : answer->versions) objects.push_back(version.object);
  std::ranges::sort(objects);
  return objects;
}

void MachineCluster::deliver() {
  if (loses) drop(loses);
  for (const Sent& sent : std::exchange(packets, {})) deliver(sent);
}

void MachineCluster::deliver_to(const std::string& to, std::string bytes, std::string peer) {
  if (node(to).up) step(to, PacketReceived{std::move(bytes), std::move(peer)});
}

std::size_t MachineCluster::drop(const std::function<bool(const Sent&)>& which) {
  return std::erase_if(packets, which);
}

void MachineCluster::sync(const std::string& name) {
  Node& node = this->node(name);
  for (auto& [key, record] : node.buffer) {
    if (record) {
      node.engine.insert_or_assign(key, *std::move(record));
    } else {
      node.engine.erase(key);
    }
  }
  node.buffer.clear();
  if (!node.writes.empty()) step(name, BatchWritten{std::exchange(node.writes, {})});
}

void MachineCluster::fail_writes(const std::string& name, const absl::Status& status) {
  Node& node = this->node(name);
  node.buffer.clear();
  step(name, WriteFailed{std::exchange(node.writes, {}), status});
}

void MachineCluster::run() {
  for (bool busy = true; busy;) {
    busy = !packets.empty();
    deliver();
    for (const auto& [name, node] : nodes_) {
      if (!node->up || node->writes.empty()) continue;
      busy = true;
      sync(name);
    }
  }
}

void MachineCluster::advance(std::chrono::milliseconds duration) {
  const TimePoint until = now.steady + duration;
  while (now.steady < until) {
    now.steady += std::chrono::milliseconds(10);
    now.wall_us += 10'000;
    for (const auto& [name, node] : nodes_) {
      if (node->up && node->machine->next_tick() <= now.steady) step(name, Tick{});
    }
    run();
  }
}

void MachineCluster::restart(const std::string& name) {
  Node& node = this->node(name);
  node.buffer.clear();
  node.writes.clear();
  ++node.identity.boot;
  node.identity.boot_random = ++last_random_ << 40;
  start(node);
  step(name, ViewChanged{view()});
}

std::vector<std::string> MachineCluster::owners(const std::string& key, int n) {
  return nodes_.begin()->second->machine->state().owners(key, n);
}

std::string MachineCluster::key_where(
    const std::function<bool(const std::vector<std::string>&)>& wanted) {
  for (int i = 0; i < 10'000; ++i) {
    const std::string key = fmt::format("k{}", i);
    if (wanted(owners(key, store.n))) return key;
  }
  throw std::runtime_error("no such key");
}

std::string MachineCluster::key_of(const std::vector<std::string>& owners) {
  return key_where([&](const auto& candidates) { return candidates == owners; });
}

std::string MachineCluster::key_owned_first_by(const std::string& name) {
  return key_where([&](const auto& owners) { return owners.front() == name; });
}

std::string MachineCluster::key_not_owned_by(const std::string& name) {
  return key_where([&](const auto& owners) { return std::ranges::count(owners, name) == 0; });
}

std::string MachineCluster::object_key(const std::string& key) {
  return dynamo::core::object_key(store.name, nodes_.begin()->second->machine->state().hash(key));
}

}  // namespace test
