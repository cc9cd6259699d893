// What goes wrong with the nodes of a simulated cluster. A process dies in three steps: no event
// reaches it any more, its disk answers it no more, and only then is what is left of it taken down,
// by the same stop() that ends a node in good order. So nothing in a node is there for the
// simulator's sake, and nothing of a dead one can do harm.

#include <algorithm>
#include <utility>

#include "testing/sim_world.h"

namespace dynamo::testing {

void SimWorld::kill(int node, SimFault how) {
  Computer& computer = this->computer(node);
  if (!computer.node) return;
  journal_->fault(how);
  const bool committing = computer.environment->is_committing();
  const bool survives =
      committing && (how == SimFault::power_loss ? computer.storage->survives_power_loss()
                                                 : computer.storage->survives_crash());
  if (committing) journal_->fault(survives ? SimFault::batch_kept : SimFault::batch_lost);
  computer.environment->die(survives);
  computer.storage->sever();
  *computer.alive = false;
  bury(computer);
}

void SimWorld::bury(Computer& computer) {
  computer.node->stop();
  wires_->release(name_of(static_cast<int>(&computer - computers_.data())));
  computer.paused = false;
  computer.host = nullptr;
  computer.environment = nullptr;
  // It may be this very node that is running, and has come to here through its log.
  context_->scheduler().schedule(context_->scheduler().now(),
                                 [node = std::make_shared<Node>(*std::move(computer.node))] {});
  computer.node.reset();
}

void SimWorld::crash(int node) { kill(node, SimFault::crash); }

void SimWorld::power_loss(int node) { kill(node, SimFault::power_loss); }

absl::Status SimWorld::restart(int node) {
  Computer& computer = this->computer(node);
  if (computer.node) bury(computer);
  journal_->fault(SimFault::restart);
  return start(node);
}

void SimWorld::wipe(int node) {
  crash(node);
  journal_->fault(SimFault::wipe);
  computer(node).storage->wipe();
}

void SimWorld::restore_disk(int node, const DiskImage& image) {
  crash(node);
  journal_->fault(SimFault::old_copy);
  computer(node).storage->restore(image);
}

void SimWorld::pause(int node) {
  Computer& computer = this->computer(node);
  if (!computer.node || std::exchange(computer.paused, true)) return;
  journal_->fault(SimFault::pause);
  computer.environment->pause();
  wires_->hold(name_of(node));
}

void SimWorld::resume(int node) {
  Computer& computer = this->computer(node);
  if (!std::exchange(computer.paused, false)) return;
  computer.environment->resume();
  wires_->release(name_of(node));
}

void SimWorld::partition(const std::vector<std::vector<int>>& groups) {
  std::vector<std::vector<std::string>> names;
  for (const std::vector<int>& group : groups) {
    std::vector<std::string>& named = names.emplace_back();
    for (const int node : group) {
      this->computer(node);
      named.push_back(name_of(node));
    }
  }
  wires_->partition(names);
}

void SimWorld::cut(int from, int to) {
  computer(from);
  computer(to);
  wires_->cut(name_of(from), name_of(to));
}

void SimWorld::shift_clock(int node, std::chrono::nanoseconds by) {
  Computer& computer = this->computer(node);
  journal_->fault(SimFault::clock_shift);
  computer.wall_offset += std::chrono::duration_cast<std::chrono::microseconds>(by);
  if (computer.environment != nullptr) computer.environment->set_wall_offset(computer.wall_offset);
}

void SimWorld::set_rates(const SimNetwork& network, const SimDisk& disk) {
  wires_->set_rates(network);
  for (Computer& computer : computers_) computer.storage->set_rates(disk);
}

}  // namespace dynamo::testing
