#include <dynamo/testing/sim_cluster.h>

#include <utility>

#include <fmt/format.h>

#include "testing/sim_world.h"

namespace dynamo::testing {

SimCluster::SimCluster(SimOptions options)
    : world_(std::make_unique<SimWorld>(std::move(options))) {}

SimCluster::~SimCluster() = default;

int SimCluster::size() const { return static_cast<int>(world_->nodes().size()); }

absl::StatusOr<Store> SimCluster::open(int node, std::string name, StoreOptions options) {
  if (node < 0 || node >= size()) {
    return absl::InvalidArgumentError(
        fmt::format("node: {}, the limit is 0 to {}", node, size() - 1));
  }
  return this->node(node).open(std::move(name), std::move(options));
}

Node& SimCluster::node(int i) { return world_->nodes().at(static_cast<std::size_t>(i)); }

asio::any_io_executor SimCluster::executor() { return world_->context().get_executor(); }

void SimCluster::run_for(std::chrono::nanoseconds duration) {
  world_->run_until([] { return false; }, world_->context().scheduler().after(duration));
}

bool SimCluster::run_until(absl::FunctionRef<bool()> done, std::chrono::nanoseconds limit) {
  bool said = false;
  world_->run_until([&] { return said = done(); }, world_->context().scheduler().after(limit));
  return said;
}

std::chrono::nanoseconds SimCluster::now() const { return world_->context().scheduler().now(); }

}  // namespace dynamo::testing
