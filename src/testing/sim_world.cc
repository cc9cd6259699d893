#include "testing/sim_world.h"

#include <stdexcept>
#include <utility>

#include <dynamo/membership/fixed.h>
#include <dynamo/storage/memory.h>
#include <fmt/format.h>

#include "base/hash.h"
#include "host/host.h"

namespace dynamo::testing {

namespace {

[[noreturn]] void refuse(std::string_view what, const absl::Status& status) {
  throw std::invalid_argument(fmt::format("SimCluster: {}: {}", what, status.ToString()));
}

NodeOptions options_of(int index, const SimOptions& options) {
  NodeOptions node = options.node;
  node.name = SimWorld::name_of(index);
  if (!options.zones.empty()) {
    node.zone = options.zones[static_cast<std::size_t>(index) % options.zones.size()];
  }
  return node;
}

}  // namespace

SimWorld::SimWorld(SimOptions options) {
  if (options.nodes < 1) {
    refuse("nodes",
           absl::InvalidArgumentError(fmt::format("{}, the limit is 1 or more", options.nodes)));
  }
  std::vector<Member> members;
  for (int i = 0; i < options.nodes; ++i) {
    const NodeOptions node = options_of(i, options);
    members.push_back(
        {.name = node.name, .address = node.name, .zone = node.zone, .weight = node.weight});
  }
  nodes_.reserve(members.size());
  for (int i = 0; i < options.nodes; ++i) start_node(i, options, members);
  // Each node takes in its first view, so that a test begins with a cluster that knows itself.
  constexpr core::TimePoint start{0};
  run_until([] { return false; }, start);
}

void SimWorld::start_node(int index, const SimOptions& options,
                          const std::vector<Member>& members) {
  NodeOptions node = options_of(index, options);
  const std::string what = fmt::format("node {}", node.name);
  if (absl::Status status = node.validate(); !status.ok()) refuse(what, status);
  Components given = options.components ? options.components(index) : Components();
  if (given.executor) {
    refuse(what, absl::InvalidArgumentError("executor: given, but simulated nodes share "
                                            "SimCluster::executor()"));
  }

  host::Host::Parts parts;
  auto environment =
      std::make_unique<SimEnvironment>(context_, core::hash64(node.name, options.seed));
  environments_.push_back(environment.get());
  parts.environment = std::move(environment);
  parts.transport = given.transport != nullptr ? std::move(given.transport)
                                               : SimNetwork::transport(network_, node.name);
  parts.membership =
      given.membership != nullptr ? std::move(given.membership) : fixed_membership(members);
  parts.storage = given.storage != nullptr ? std::move(given.storage) : memory_storage();
  parts.log = std::move(given.log);
  absl::StatusOr<std::shared_ptr<host::Host>> host =
      host::Host::start(std::move(node), std::move(parts));
  if (!host.ok()) refuse(what, host.status());
  nodes_.emplace_back(*std::move(host));
}

SimWorld::~SimWorld() {
  nodes_.clear();
  // Stores in handlers that never ran keep their hosts, and these the context.
  context_->close();
}

void SimWorld::run_until(absl::FunctionRef<bool()> done, core::TimePoint limit) {
  SimScheduler& scheduler = context_->scheduler();
  if (scheduler.running()) {
    throw std::logic_error("SimCluster: run_for() or run_until() inside what the simulator runs");
  }
  while (!done() && scheduler.step(limit)) {
  }
}

std::string SimWorld::name_of(int index) {
  std::string name;
  for (int rest = index; rest >= 0; rest = rest / 26 - 1) {
    name.insert(name.begin(), static_cast<char>('a' + rest % 26));
  }
  return name;
}

}  // namespace dynamo::testing
