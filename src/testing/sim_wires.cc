#include "testing/sim_wires.h"

#include <algorithm>
#include <bit>

#include <fmt/format.h>

#include "base/hash.h"

namespace dynamo::testing {

using core::TimePoint;

namespace {

constexpr std::size_t held_bytes_max = std::size_t{1} << 20;
constexpr std::size_t old_packets_max = 32;

// Exponentially distributed with this mean, nearly: the number of leading zeros of a random number
// is geometric, and the bits behind them fill the steps evenly. In integers, because a logarithm's
// last bit differs between machines.
TimePoint draw_exponential(core::Prng& prng, TimePoint mean) {
  const std::uint64_t drawn = prng.next() | 1;
  const int zeros = std::countl_zero(drawn);
  const auto fraction = static_cast<std::int64_t>((drawn << zeros << 1) >> 48);
  const std::int64_t steps = (std::int64_t{zeros + 1} << 16) - fraction;  // 1.5 * 2^16 in the mean
  return TimePoint(mean.count() / (3 << 15) * steps + mean.count() % (3 << 15) * steps / (3 << 15));
}

}  // namespace

class SimWires::Port final : public Transport {
 public:
  Port(std::shared_ptr<SimWires> network, std::string address)
      : network_(std::move(network)), address_(std::move(address)) {}
  ~Port() override { stop(); }

  absl::StatusOr<std::string> start(Receiver receive) override {
    listening_ = network_->receivers_.try_emplace(address_, std::move(receive)).second;
    if (listening_) return address_;
    return absl::UnavailableError(fmt::format("address {} is in use", address_));
  }
  void send(std::string_view address, Lane lane, std::string packet) override {
    if (listening_) network_->send(address_, address, lane, std::move(packet));
  }
  void stop() override {
    if (std::exchange(listening_, false)) network_->receivers_.erase(address_);
  }

 private:
  const std::shared_ptr<SimWires> network_;
  const std::string address_;
  bool listening_ = false;
};

SimWires::SimWires(std::shared_ptr<SimContext> context, SimNetwork rates, std::uint64_t seed,
                   std::shared_ptr<SimJournal> journal)
    : context_(std::move(context)), journal_(std::move(journal)), seed_(seed), rates_(rates) {}

std::unique_ptr<Transport> SimWires::transport(std::shared_ptr<SimWires> network,
                                               std::string address) {
  return std::make_unique<Port>(std::move(network), std::move(address));
}

void SimWires::partition(const std::vector<std::vector<std::string>>& groups) {
  groups_.clear();
  for (const std::vector<std::string>& group : groups) {
    groups_.emplace_back(group.begin(), group.end());
  }
  journal_->fault(SimFault::partition);
}

void SimWires::cut(const std::string& from, const std::string& to) {
  cuts_.emplace(from, to);
  journal_->fault(SimFault::cut);
}

void SimWires::clog(const std::string& from, const std::string& to, TimePoint until) {
  Link& clogged = link({from, to});
  clogged.clogged_until = std::max(clogged.clogged_until, until);
  journal_->fault(SimFault::clog);
}

void SimWires::heal() {
  groups_.clear();
  cuts_.clear();
  disconnected_.clear();
  for (auto& [path, link] : links_) link.clogged_until = {};
}

void SimWires::release(const std::string& address) {
  auto held = held_.extract(address);
  if (held.empty()) return;
  for (auto& [path, bytes] : held.mapped().packets) {
    context_->scheduler().schedule(
        context_->scheduler().now(),
        [this, at = path, packet = std::move(bytes)]() mutable { arrive(at, std::move(packet)); });
  }
}

SimWires::Link& SimWires::link(const Path& path) {
  const auto [at, added] = links_.try_emplace(path);
  if (added) {
    at->second.prng = core::Prng(core::hash64(path.second, core::hash64(path.first, seed_)));
  }
  return at->second;
}

bool SimWires::passes(const Path& path) const {
  const auto& [from, to] = path;
  if (disconnected_.contains(from) || disconnected_.contains(to)) return false;
  if (cuts_.contains(path)) return false;
  if (groups_.empty()) return true;
  bool named = false;
  for (const auto& group : groups_) {
    const bool has_from = group.contains(from);
    const bool has_to = group.contains(to);
    if (has_from && has_to) return true;
    named = named || has_from || has_to;
  }
  return !named;
}

TimePoint SimWires::draw_latency(core::Prng& prng) const {
  return rates_.latency_min + draw_exponential(prng, rates_.latency_mean - rates_.latency_min);
}

void SimWires::send(const std::string& from, std::string_view to, Lane lane, std::string bytes) {
  const Path path(from, std::string(to));
  Link& link = this->link(path);
  // Always as many draws, so that a packet that is blocked changes nothing for the next.
  const bool dropped = link.prng.chance(rates_.loss);
  const bool overtaken = link.prng.chance(rates_.reordering);
  const bool duplicated = link.prng.chance(rates_.duplication);
  const bool replayed = link.prng.chance(rates_.replay);
  const std::uint64_t which = link.prng.next();

  const bool open = passes(path);
  const bool lost = dropped || !open || !receivers_.contains(path.second);
  journal_->packet({context_->scheduler().now(), from, to, lane, bytes, lost});
  if (!open) journal_->fault(SimFault::blocked);
  if (open && dropped) journal_->fault(SimFault::loss);
  if (lost) return;
  if (replayed && !link.old.empty()) {
    journal_->fault(SimFault::replay);
    const auto& [old_lane, old_bytes] = link.old[which % link.old.size()];
    carry(path, link, old_lane, old_bytes, Order::lost);
  }
  if (rates_.replay > 0) {
    link.old.emplace_back(lane, bytes);
    if (link.old.size() > old_packets_max) link.old.pop_front();
  }
  if (duplicated) {
    journal_->fault(SimFault::duplication);
    carry(path, link, lane, bytes, Order::lost);
  }
  if (overtaken) journal_->fault(SimFault::reordering);
  carry(path, link, lane, std::move(bytes), overtaken ? Order::lost : Order::kept);
}

void SimWires::carry(const Path& path, Link& link, Lane lane, std::string bytes, Order order) {
  SimScheduler& scheduler = context_->scheduler();
  TimePoint arrival = scheduler.after(draw_latency(link.prng));
  if (order == Order::kept) {
    TimePoint& last = link.last_arrival[lane == Lane::bulk ? 1 : 0];
    last = arrival = std::max(arrival, last);
  } else {
    // Late enough for others to overtake it, on a network of constant latency too.
    arrival += draw_exponential(link.prng, 4 * rates_.latency_mean);
  }
  // The context destroys its events before the network goes.
  scheduler.schedule(
      std::max(arrival, link.clogged_until),
      [this, path, packet = std::move(bytes)]() mutable { arrive(path, std::move(packet)); });
}

void SimWires::arrive(const Path& path, std::string bytes) {
  if (!passes(path)) {
    journal_->fault(SimFault::blocked);
    return;
  }
  if (const auto held = held_.find(path.second); held != held_.end()) {
    held->second.bytes += bytes.size();
    if (held->second.bytes > held_bytes_max) return;
    held->second.packets.emplace_back(path, std::move(bytes));
    return;
  }
  const auto receiver = receivers_.find(path.second);
  if (receiver != receivers_.end()) receiver->second(std::move(bytes), "");
}

}  // namespace dynamo::testing
