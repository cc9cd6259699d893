#include <dynamo/testing/sim_cluster.h>

#include <stdexcept>
#include <utility>

#include <fmt/format.h>

#include "testing/sim_world.h"

namespace dynamo::testing {

SimCluster::SimCluster(SimOptions options)
    : world_(std::make_unique<SimWorld>(std::move(options))) {}

SimCluster::~SimCluster() = default;

int SimCluster::size() const { return world_->size(); }

int SimCluster::add() {
  const absl::StatusOr<int> index = world_->add();
  if (index.ok()) return *index;
  throw std::runtime_error(fmt::format("SimCluster: node {}: {}", SimWorld::name_of(size() - 1),
                                       index.status().ToString()));
}

absl::StatusOr<Store> SimCluster::open(int node, std::string name, StoreOptions options) {
  if (node < 0 || node >= size()) {
    return absl::InvalidArgumentError(
        fmt::format("node: {}, the limit is 0 to {}", node, size() - 1));
  }
  if (!is_up(node)) {
    return absl::FailedPreconditionError(fmt::format("node {} is down", SimWorld::name_of(node)));
  }
  return this->node(node).open(std::move(name), std::move(options));
}

Node& SimCluster::node(int i) { return world_->node(i); }

bool SimCluster::is_up(int node) const { return world_->is_up(node); }

asio::any_io_executor SimCluster::executor() { return world_->context().get_executor(); }

void SimCluster::run_for(std::chrono::nanoseconds duration) {
  world_->run_until([] { return false; }, world_->context().scheduler().after(duration));
}

bool SimCluster::run_until(absl::FunctionRef<bool()> done, std::chrono::nanoseconds limit) {
  bool said = false;
  world_->run_until([&] { return said = done(); }, world_->context().scheduler().after(limit));
  return said;
}

std::chrono::nanoseconds SimCluster::now() const { return world_->now(); }

void SimCluster::crash(int node) { world_->crash(node); }

void SimCluster::power_loss(int node) { world_->power_loss(node); }

void SimCluster::restart(int node) {
  const absl::Status status = world_->restart(node);
  if (status.ok()) return;
  throw std::runtime_error(
      fmt::format("SimCluster: node {}: {}", SimWorld::name_of(node), status.ToString()));
}

void SimCluster::wipe(int node) { world_->wipe(node); }

void SimCluster::pause(int node) { world_->pause(node); }

void SimCluster::resume(int node) { world_->resume(node); }

void SimCluster::partition(std::vector<std::vector<int>> groups) { world_->partition(groups); }

void SimCluster::cut(int from, int to) { world_->cut(from, to); }

void SimCluster::heal() { world_->network().heal(); }

void SimCluster::shift_clock(int node, std::chrono::nanoseconds by) {
  world_->shift_clock(node, by);
}

DiskImage SimCluster::disk_of(int node) const { return world_->storage(node).image(); }

void SimCluster::restore_disk(int node, const DiskImage& image) {
  world_->restore_disk(node, image);
}

bool SimCluster::converged() { return world_->not_converged().empty(); }

std::uint64_t SimCluster::trace_hash() const { return world_->journal().hash(); }

}  // namespace dynamo::testing
