#include "speed/cluster.h"

#include <signal.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <future>
#include <thread>
#include <utility>

#include <fmt/format.h>
#include <asio/bind_executor.hpp>
#include <asio/executor_work_guard.hpp>

#include "../../examples/loopback_ports.h"

namespace bench {

namespace {

constexpr const char* store_name = "bench";
constexpr const char* gossip = "gossip";

// The engine beneath, and a count of what goes into it.
class Counting final : public dynamo::StorageEngine {
 public:
  Counting(std::unique_ptr<dynamo::StorageEngine> engine, Commits& commits)
      : engine_(std::move(engine)), commits_(commits) {}

  absl::StatusOr<bool> read(std::string_view key,
                            absl::FunctionRef<void(std::string_view)> visit) override {
    return engine_->read(key, visit);
  }
  absl::Status write(std::span<const Write> batch) override {
    ++commits_.batches;
    commits_.records += batch.size();
    return engine_->write(batch);
  }
  absl::Status scan(std::string_view from,
                    absl::FunctionRef<bool(std::string_view, std::string_view)> visit) override {
    return engine_->scan(from, visit);
  }

 private:
  const std::unique_ptr<dynamo::StorageEngine> engine_;
  Commits& commits_;
};

dynamo::Member to_member(const std::string& text) {
  const std::size_t equals = text.find('=');
  return {.name = text.substr(0, equals), .address = text.substr(equals + 1)};
}

void add_idle_members(int count, std::vector<dynamo::Member>& members) {
  for (int i = 0; i < count; ++i) {
    // Where nobody listens.
    members.push_back({.name = fmt::format("idle{:04}", i),
                       .address = fmt::format("127.0.{}.{}:1", 1 + i / 250, 1 + i % 250),
                       .weight = 1e-6});
  }
}

}  // namespace

std::unique_ptr<dynamo::Node> start_node(const std::string& name,
                                         const std::filesystem::path& directory,
                                         const std::vector<std::string>& texts,
                                         asio::io_context* io, Commits& commits) {
  std::vector<dynamo::Member> members;
  dynamo::NodeOptions options{.name = name, .data_dir = directory};
  for (const std::string& text : texts) {
    if (text == gossip) continue;
    if (text.starts_with('*')) {
      options.threads = io == nullptr ? std::stoi(text.substr(1)) : 1;
      continue;
    }
    if (text.starts_with('+')) {
      add_idle_members(std::stoi(text), members);
      options.partitions = 65536;
      continue;
    }
    members.push_back(to_member(text));
    if (members.back().name == name) options.listen = members.back().address;
  }
  dynamo::Components parts;
  if (texts.back() == gossip) {
    for (const dynamo::Member& member : members) options.seeds.push_back(member.address);
  } else {
    parts.membership = dynamo::fixed_membership(members);
  }
  auto engine = dynamo::lmdb_storage({.path = directory});
  if (!engine.ok()) give_up(engine.status().ToString());
  parts.storage = std::make_unique<Counting>(*std::move(engine), commits);
  if (io != nullptr) parts.executor = io->get_executor();
  auto node = dynamo::Node::start(options, std::move(parts));
  if (!node.ok()) give_up(node.status().ToString());
  return std::make_unique<dynamo::Node>(*std::move(node));
}

dynamo::Store open_store(dynamo::Node& node, dynamo::Durability durability, int r, int w) {
  auto store = node.open(store_name, {.quorum = {.n = 3, .r = r, .w = w},
                                      .durability = durability,
                                      .timeout = std::chrono::seconds(30)});
  if (!store.ok()) give_up(store.status().ToString());
  return *std::move(store);
}

std::vector<std::string> loopback_members() {
  std::vector<std::string> members;
  char name = 'a';
  for (const int port : example::loopback_ports(3)) {
    members.push_back(fmt::format("{}=127.0.0.1:{}", name++, port));
  }
  return members;
}

Cluster::Cluster(const std::string& program, const std::filesystem::path& directory,
                 asio::io_context* io, const Options& options)
    : program_(program), directory_(directory), io_(io) {
  members_ = loopback_members();
  if (options.idle) members_.push_back(fmt::format("+{}", *options.idle));
  if (options.loops > 1) members_.push_back(fmt::format("*{}", options.loops));
  if (options.gossip) members_.emplace_back(gossip);
  std::filesystem::remove_all(directory);
  for (const char* other : {"b", "c"}) add_peer(other, members_);
  node_ = start_node("a", directory / "a", members_, io, commits_);
}

void Cluster::add_peer(const std::string& name, const std::vector<std::string>& members) {
  std::vector<std::string> command = {program_, "--node", name, (directory_ / name).string()};
  command.insert(command.end(), members.begin(), members.end());
  peers_.push_back(std::make_unique<Child>(std::move(command), "ready"));
  others_.push_back(peers_.back()->pid());
}

void Cluster::join(const std::string& name) {
  std::vector<std::string> members = members_;
  const int port = example::loopback_ports(1).front();
  members.insert(members.begin(), fmt::format("{}=127.0.0.1:{}", name, port));
  add_peer(name, members);
}

void Cluster::stop_one() const { ::kill(others_.front(), SIGSTOP); }

void Cluster::resume_one() const { ::kill(others_.front(), SIGCONT); }

dynamo::Store Cluster::store(dynamo::Durability durability, int r, int w) {
  return open_store(*node_, durability, r, w);
}

std::vector<dynamo::Context> Cluster::fill(const std::vector<std::string>& keys,
                                           const std::string& object) {
  asio::io_context own;
  asio::io_context& io = io_ != nullptr ? *io_ : own;
  const auto work = asio::make_work_guard(io);
  const dynamo::Store all = store(dynamo::Durability::buffered, 2, 3);
  std::vector<dynamo::Context> contexts(keys.size());
  // With more at once than a transport keeps for a peer, some would be lost.
  constexpr std::size_t bytes_in_flight = std::size_t{2} << 20;
  const std::size_t in_flight = std::clamp<std::size_t>(bytes_in_flight / object.size(), 1, 128);
  run_each(io, keys.size(), in_flight, [&](std::uint64_t key, std::function<void()> done) {
    all.async_put(keys[key], dynamo::Context(), object,
                  asio::bind_executor(io, [&contexts, key, done = std::move(done)](auto put) {
                    if (!put.ok()) give_up(put.status().ToString());
                    contexts[key] = std::move(put->context);
                    done();
                  }));
  });
  settle();
  return contexts;
}

void Cluster::settle() const {
  // Twice the flush interval; a node that runs on the load's loop gets its turns meanwhile.
  constexpr auto pause = std::chrono::seconds(2);
  if (io_ == nullptr) return std::this_thread::sleep_for(pause);
  io_->restart();
  io_->run_for(pause);
}

Sample Cluster::with_one_stopped(const std::function<Sample()>& measure) const {
  stop_one();
  const Sample sample = measure();
  resume_one();
  await_converged();
  return sample;
}

void Cluster::await_converged() const {
  bool converged = false;
  node_->async_await_converged(std::chrono::minutes(2), [&](const absl::Status& status) {
    if (!status.ok()) give_up(status.ToString());
    converged = true;
  });
  io_->restart();
  while (!converged) io_->run_one();
}

void run_node(const std::string& name, const std::filesystem::path& directory,
              const std::vector<std::string>& members) {
  Commits commits;
  const auto node = start_node(name, directory, members, nullptr, commits);
  std::puts("ready");
  std::fflush(stdout);
  await_parent();
}

}  // namespace bench
