#include "stage.h"

#include <algorithm>
#include <iterator>

#include <dynamo/membership/fixed.h>
#include <fmt/format.h>

#include "base/hash.h"
#include "causality/context_body.h"
#include "causality/write_id.h"
#include "testing/sim_world.h"

namespace scenario {

using dynamo::Context;
using dynamo::testing::SimCluster;
using dynamo::testing::SimWorld;

namespace {

constexpr const char* default_store = "carts";
// Long enough for what is under way once an answer is there, and too short for anything new.
constexpr auto settling = std::chrono::milliseconds(1);

dynamo::StoreOptions store_options(Command& command) {
  dynamo::StoreOptions options;
  options.quorum.n = command.find_number("n").value_or(options.quorum.n);
  options.quorum.r =
      command.find_number("r").value_or(std::min(options.quorum.r, options.quorum.n));
  options.quorum.w =
      command.find_number("w").value_or(std::min(options.quorum.w, options.quorum.n));
  options.timeout = command.find_duration("timeout").value_or(options.timeout);
  if (const auto reconciler = command.find("reconciler")) {
    if (*reconciler != "last_write_wins") command.refuse("no such reconciler");
    options.reconciler = dynamo::last_write_wins();
  }
  if (const auto durability = command.find("durability")) {
    if (*durability != "buffered" && *durability != "synced") command.refuse("no such durability");
    if (*durability == "buffered") options.durability = dynamo::Durability::buffered;
  }
  return options;
}

std::string failure(const absl::Status& status) {
  return fmt::format("{} {}", absl::StatusCodeToString(status.code()),
                     std::string(status.message()));
}

dynamo::core::History history_of(const Context& context) {
  return context.body() == nullptr ? dynamo::core::History() : context.body()->history;
}

}  // namespace

std::vector<std::string> Stage::run(const std::string& line) {
  Command command(line);
  output_.clear();
  const std::string& verb = command.verb();
  if (verb == "cluster") {
    start(command);
  } else if (verb == "open") {
    open(command);
  } else if (verb == "put" || verb == "erase") {
    put(command, verb == "erase");
  } else if (verb == "get") {
    get(command);
  } else if (verb == "converge") {
    converge(command);
  } else if (verb == "down" || verb == "up") {
    network(command, verb == "up");
  } else if (verb == "clock") {
    clock(command);
  } else if (verb == "advance") {
    advance(command);
  } else {
    command.refuse("no such command");
  }
  std::ranges::move(conversation_.take(), std::back_inserter(output_));
  return output_;
}

SimCluster& Stage::cluster(const Command& command) {
  if (!cluster_) command.refuse("there is no cluster yet");
  return *cluster_;
}

int Stage::node_at(const Command& command, const std::string& name) {
  for (int i = 0; i < cluster(command).size(); ++i) {
    if (SimWorld::name_of(i) == name) return i;
  }
  command.refuse(fmt::format("there is no node {}", name));
}

const dynamo::Store& Stage::store_of(Command& command, const std::string& node) {
  const std::string name = command.find("store").value_or(default_store);
  const auto at = stores_.find({node, name});
  if (at == stores_.end()) command.refuse(fmt::format("store {} is not open at {}", name, node));
  return at->second;
}

void Stage::start(Command& command) {
  const std::vector<std::string> nodes = command.list("nodes");
  const std::vector<std::string> keys = command.list("keys");
  const dynamo::StoreOptions options = store_options(command);
  command.finish(0);
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    if (nodes[i] != SimWorld::name_of(static_cast<int>(i)))
      command.refuse("nodes are a, b, c, ...");
  }
  stores_.clear();
  // A fixed list: its conversations have no gossip in them, and it always gives keys the same
  // owners.
  std::vector<dynamo::Member> members;
  for (const std::string& node : nodes) members.push_back({.name = node, .address = node});
  cluster_.emplace(dynamo::testing::SimOptions{
      .nodes = static_cast<int>(nodes.size()),
      // What is written is told at once, so that a conversation is about messages.
      .disk = {.write_latency = std::chrono::nanoseconds(0)},
      .components = [members](int) {
        return dynamo::Components{.membership = dynamo::fixed_membership(members)};
      }});
  cluster_->world().network().observe([this](const auto& packet) { conversation_.hear(packet); });
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    absl::StatusOr<dynamo::Store> store =
        cluster_->open(static_cast<int>(i), default_store, options);
    if (!store.ok()) command.refuse(store.status().ToString());
    stores_.emplace(std::pair(nodes[i], default_store), *std::move(store));
  }
  cluster_->run_for(settling);
  conversation_.take();  // that everybody hears of the store is the same everywhere
  for (const std::string& key : keys) output_.push_back(owners(key));
}

std::string Stage::owners(const std::string& key) {
  const dynamo::Store& store = stores_.at({SimWorld::name_of(0), default_store});
  return fmt::format("{} -> {}", key, fmt::join(store.preference_list(key), " "));
}

void Stage::open(Command& command) {
  const std::string who = command.get("at");
  const std::string name = command.get("store");
  const dynamo::StoreOptions options = store_options(command);
  command.finish(0);
  absl::StatusOr<dynamo::Store> store = cluster(command).open(node_at(command, who), name, options);
  cluster_->run_for(settling);
  output_ = conversation_.take();
  output_.push_back(fmt::format("{}: open {}", who, store.ok() ? "OK" : failure(store.status())));
  if (store.ok()) stores_.insert_or_assign(std::pair(who, name), *std::move(store));
}

Context Stage::context_of(Command& command) {
  const std::string name = command.find("context").value_or("none");
  if (name == "none") return {};
  const auto at = contexts_.find(name);
  if (at == contexts_.end()) command.refuse(fmt::format("there is no context {}", name));
  return at->second;
}

void Stage::keep_context(Command& command, const Context& context) {
  contexts_["last"] = context;
  if (const auto name = command.find("as")) contexts_[*name] = context;
}

void Stage::print_answer(const std::string& who, const std::string& answer,
                         const std::optional<dynamo::Outcome>& outcome) {
  output_ = conversation_.take();
  output_.push_back(fmt::format("{}: {}", who, answer));
  if (outcome) {
    output_.push_back(
        fmt::format("   {} ({})", dynamo::to_string(outcome->verdict), to_string(*outcome)));
  }
  cluster_->run_for(settling);
}

void Stage::put(Command& command, bool erase) {
  const std::string who = command.get("at");
  const std::string key = command.get("key");
  const dynamo::Store& store = store_of(command, who);
  const Context context = context_of(command);
  const std::string object = erase ? "" : command.get("object");
  dynamo::WriteOptions options{.w = command.find_number("w"),
                               .timeout = command.find_duration("timeout")};
  if (const auto name = command.find("id")) {
    const auto wall = cluster(command).world().environment(node_at(command, who)).now().wall_us;
    const auto drawn = dynamo::core::make_write_id(dynamo::core::HybridTime::at(wall),
                                                   dynamo::core::hash64(*name, 0));
    options.id = ids_.try_emplace(*name, drawn).first->second;
    conversation_.name_write(options.id, *name);
  }
  const absl::StatusOr<dynamo::PutResult> result =
      erase ? store.erase(key, context, options) : store.put(key, context, object, options);
  std::string answer = command.verb() + " ";
  if (result.ok()) {
    keep_context(command, result->context);
    answer += "OK context=" + conversation_.text(key, history_of(result->context));
  } else {
    answer += failure(result.status());
  }
  command.finish(0);
  print_answer(who, answer, outcome_of(result));
}

void Stage::get(Command& command) {
  const std::string who = command.get("at");
  const std::string key = command.get("key");
  const dynamo::Store& store = store_of(command, who);
  const dynamo::ReadOptions options{.r = command.find_number("r"),
                                    .timeout = command.find_duration("timeout")};
  const absl::StatusOr<dynamo::GetResult> result = store.get(key, options);
  std::string answer;
  if (result.ok()) {
    keep_context(command, result->context);
    std::vector<std::string> versions;
    for (const dynamo::Version& version : result->versions) {
      versions.push_back(
          fmt::format("{}={}", conversation_.text(key, version.dot), version.object));
    }
    std::ranges::sort(versions);
    answer = fmt::format("get OK {} context={}",
                         versions.empty() ? "absent" : fmt::format("{}", fmt::join(versions, " ")),
                         conversation_.text(key, history_of(result->context)));
  } else {
    answer = "get " + failure(result.status());
  }
  command.finish(0);
  print_answer(who, answer, outcome_of(result));
}

void Stage::converge(Command& command) {
  const std::string who = command.get("at");
  const auto timeout = command.find_duration("timeout").value_or(std::chrono::seconds(5));
  command.finish(0);
  const absl::Status status = cluster(command).node(node_at(command, who)).await_converged(timeout);
  print_answer(who, "converge " + (status.ok() ? std::string("OK") : failure(status)),
               std::nullopt);
}

void Stage::network(const Command& command, bool connect) {
  command.finish(1);
  const std::string& name = command.words().front();
  dynamo::testing::SimWires& network = cluster(command).world().network();
  const std::string address = cluster_->node(node_at(command, name)).address();
  connect ? network.connect(address) : network.disconnect(address);
}

void Stage::clock(const Command& command) {
  command.finish(2);
  const int node = node_at(command, command.words()[0]);
  cluster_->world().environment(node).set_wall_offset(command.duration(command.words()[1]));
}

void Stage::advance(const Command& command) {
  command.finish(1);
  cluster(command).run_for(command.duration(command.words().front()));
}

}  // namespace scenario
