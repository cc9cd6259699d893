#include "testing/sim_world.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <utility>

#include <dynamo/membership/gossip.h>
#include <fmt/format.h>

#include "base/hash.h"
#include "ring/placement.h"

namespace dynamo::testing {

namespace {

[[noreturn]] void refuse(std::string_view what, const absl::Status& status) {
  throw std::invalid_argument(fmt::format("SimCluster: {}: {}", what, status.ToString()));
}

// Refuses what is out of range before anything is made of it.
SimOptions checked(SimOptions options) {
  if (options.nodes < 1) {
    refuse("nodes",
           absl::InvalidArgumentError(fmt::format("{}, the limit is 1 or more", options.nodes)));
  }
  for (const absl::Status& status : {options.network.validate(), options.disk.validate()}) {
    if (!status.ok()) refuse("options", status);
  }
  if (!(options.clock_drift >= 0 && options.clock_drift <= 0.01)) {
    refuse("options", absl::InvalidArgumentError(fmt::format(
                          "clock_drift: {}, the limit is 0 to 0.01", options.clock_drift)));
  }
  return options;
}

// Parts per million, from -drift to drift.
std::int64_t draw_drift(double clock_drift, std::uint64_t seed) {
  const auto most = static_cast<std::uint64_t>(std::llround(clock_drift * 1e6));
  core::Prng prng(seed ^ 0x6472696674);
  return static_cast<std::int64_t>(prng.below(2 * most + 1)) - static_cast<std::int64_t>(most);
}

}  // namespace

SimWorld::SimWorld(SimOptions options)
    : options_(checked(std::move(options))),
      wires_(std::make_shared<SimWires>(context_, options_.network, options_.seed, journal_)) {
  for (int i = 0; i < options_.nodes; ++i) make_computer(i);
  for (int i = 0; i < options_.nodes; ++i) {
    const absl::Status status = start(i);
    if (!status.ok()) refuse("node " + name_of(i), status);
  }
  // A test begins with a cluster that knows itself. A membership of the application's own takes its
  // time, and says by itself when that is.
  const core::TimePoint limit = own_membership_ ? core::TimePoint{0} : std::chrono::minutes(10);
  run_until([this] { return all_in(latest_view()); }, limit);
  founded_ = true;
  began_ = context_->scheduler().now();
}

bool SimWorld::all_in(const View& view) const {
  if (view.number == 0 || static_cast<int>(view.members.size()) < size()) return false;
  if (!view.moves.empty()) return false;  // of those that were not there when it was founded
  return std::ranges::all_of(computers_, [&](const Computer& computer) {
    std::uint64_t number = 0;
    computer.host->inspect([&](const core::NodeState& state, const core::RecordReader&) {
      number = state.view.number;
    });
    return number == view.number;
  });
}

// Those that are started later are in no position to found another cluster.
NodeOptions SimWorld::options_of(int index) const {
  NodeOptions node = options_.node;
  node.name = name_of(index);
  if (!options_.zones.empty()) {
    node.zone = options_.zones[static_cast<std::size_t>(index) % options_.zones.size()];
  }
  if (!options_.threads.empty()) {
    node.threads = options_.threads[static_cast<std::size_t>(index) % options_.threads.size()];
  }
  for (int i = 0; i < size(); ++i) {
    if (i != index || !founded_) node.seeds.push_back(name_of(i));
  }
  return node;
}

void SimWorld::make_computer(int index) {
  const std::string name = name_of(index);
  computers_.push_back(
      {.storage =
           std::make_shared<SimStorage>(context_, name, options_.disk, options_.seed, journal_),
       .drift_ppm = draw_drift(options_.clock_drift, core::hash64(name, options_.seed))});
}

absl::StatusOr<int> SimWorld::add() {
  const int index = size();
  make_computer(index);
  if (absl::Status status = start(index); !status.ok()) return status;
  return index;
}

SimWorld::~SimWorld() {
  for (Computer& computer : computers_) {
    computer.host = nullptr;
    computer.environment = nullptr;
    computer.node.reset();
  }
  // Stores in handlers that never ran keep their hosts, and these the context.
  context_->close();
}

SimWorld::Computer& SimWorld::computer(int node) {
  return computers_.at(static_cast<std::size_t>(node));
}

const SimWorld::Computer& SimWorld::computer(int node) const {
  return computers_.at(static_cast<std::size_t>(node));
}

absl::StatusOr<host::Host::Parts> SimWorld::parts_of(int index, const NodeOptions& node) {
  if (absl::Status status = node.validate(); !status.ok()) return status;
  Components given = options_.components ? options_.components(index) : Components();
  if (given.executor) {
    return absl::InvalidArgumentError(
        "executor: given, but simulated nodes share SimCluster::executor()");
  }
  Computer& computer = this->computer(index);
  host::Host::Parts parts;
  // Another life draws other numbers.
  auto environment = std::make_unique<SimEnvironment>(
      context_, core::hash64(node.name, options_.seed + computer.boots++ * 0x9e3779b97f4a7c15),
      computer.storage, computer.drift_ppm);
  environment->set_wall_offset(computer.wall_offset);
  computer.environment = environment.get();
  parts.environment = std::move(environment);
  parts.transport = given.transport != nullptr ? std::move(given.transport)
                                               : SimWires::transport(wires_, node.name);
  parts.membership = std::move(given.membership);
  own_membership_ = own_membership_ || parts.membership != nullptr;
  if (parts.membership == nullptr) {
    parts.membership = gossip_membership(
        {.cluster = node.cluster, .partitions = node.partitions, .seeds = node.seeds});
  }
  parts.storage = SimStorage::open(computer.storage, std::move(given.storage));
  computer.alive = std::make_shared<bool>(true);
  if (given.log) {
    parts.log = [log = std::move(given.log), alive = computer.alive](const LogRecord& record) {
      if (*alive) log(record);
    };
  }
  parts.observe = [journal = journal_, context = context_, alive = computer.alive,
                   name = node.name](const core::Actions& actions) {
    if (*alive) journal->step(context->scheduler().now(), name, actions);
  };
  parts.flush_part_bytes_min = 1024;
  return parts;
}

absl::Status SimWorld::start(int index) {
  NodeOptions node = options_of(index);
  absl::StatusOr<host::Host::Parts> parts = parts_of(index, node);
  if (!parts.ok()) return parts.status();
  Computer& computer = this->computer(index);
  absl::StatusOr<std::shared_ptr<host::Host>> host =
      host::Host::start(std::move(node), *std::move(parts));
  if (!host.ok()) {
    computer.environment = nullptr;
    return host.status();
  }
  computer.host = host->get();
  computer.node.emplace(*std::move(host));
  computer.storage->started();
  return absl::OkStatus();
}

const View& SimWorld::latest_view() {
  for (Computer& computer : computers_) {
    if (computer.host == nullptr || computer.host->stopped()) continue;
    computer.host->inspect([&](const core::NodeState& state, const core::RecordReader&) {
      if (state.ring != nullptr && state.view.number > latest_.number) latest_ = state.view;
    });
  }
  return latest_;
}

bool SimWorld::is_member(int node) {
  const std::vector<Member>& members = latest_view().members;
  const auto named = [&](const Member& member) { return member.name == name_of(node); };
  return std::ranges::none_of(members, named) ||
         std::ranges::any_of(members, [&](const Member& member) {
           return named(member) && core::is_present(member);
         });
}

Node& SimWorld::node(int index) {
  Computer& computer = this->computer(index);
  if (!computer.node) {
    throw std::logic_error(fmt::format("SimCluster: node {} is down", name_of(index)));
  }
  return *computer.node;
}

SimEnvironment& SimWorld::environment(int node) {
  this->node(node);
  return *computer(node).environment;
}

host::Host& SimWorld::host(int node) {
  this->node(node);
  return *computer(node).host;
}

host::Host* SimWorld::any_host() {
  host::Host* latest = nullptr;
  std::uint64_t number = 0;
  for (Computer& computer : computers_) {
    if (computer.host == nullptr || computer.host->stopped()) continue;
    computer.host->inspect([&](const core::NodeState& state, const core::RecordReader&) {
      if (state.ring == nullptr || state.ring->view_number() <= number) return;
      number = state.ring->view_number();
      latest = computer.host;
    });
  }
  return latest;
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
