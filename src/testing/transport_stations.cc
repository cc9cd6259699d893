#include "testing/transport_stations.h"

#include <algorithm>
#include <exception>
#include <thread>

#include <fmt/format.h>

#include "testing/broken_rule.h"

namespace dynamo::testing {

void Watch::call(std::string what, absl::FunctionRef<void()> call) {
  {
    const std::lock_guard lock(mutex_);
    doing_ = what;
    since_ = Clock::now();
    changed_.notify_all();
  }
  std::string thrown;
  try {
    call();
  } catch (const std::exception& error) {
    thrown = fmt::format("{} threw: {}", what, error.what());
  } catch (...) {
    thrown = what + " threw";
  }
  const std::lock_guard lock(mutex_);
  doing_.clear();
  if (given_up_) throw RuleBroken{"nobody waits for this any more"};
  if (!thrown.empty()) throw RuleBroken{thrown};
}

void Watch::run_rule(const std::function<void()>& rule) {
  absl::Status status;
  try {
    rule();
  } catch (const RuleBroken& wrong) {
    status = broken(wrong.message);
  }
  const std::lock_guard lock(mutex_);
  result_ = std::move(status);
  changed_.notify_all();
}

bool Watch::overdue() const { return !doing_.empty() && Clock::now() - since_ > patience_; }

absl::Status Watch::run(const std::shared_ptr<Watch>& watch, std::shared_ptr<void> keep_alive,
                        std::function<void()> rule, absl::FunctionRef<void()> give_up) {
  std::thread thread([watch, keep_alive = std::move(keep_alive), rule = std::move(rule)]() mutable {
    watch->run_rule(rule);
    // What the rule used ends here: its destructors are code of the application, too.
    rule = nullptr;
    keep_alive.reset();
  });
  std::unique_lock lock(watch->mutex_);
  while (!watch->result_ && !watch->overdue()) {
    watch->changed_.wait_for(lock, std::min(watch->patience_, std::chrono::milliseconds(100)));
  }
  if (!watch->result_) {
    watch->given_up_ = true;
    absl::Status status = broken(
        fmt::format("{} has not returned after {} ms", watch->doing_, watch->patience_.count()));
    lock.unlock();
    give_up();
    thread.detach();
    return status;
  }
  absl::Status status = *watch->result_;
  lock.unlock();
  thread.join();
  return status;
}

struct Station::Arrivals {
  const std::string name;
  std::mutex mutex{};
  std::condition_variable changed{};
  std::set<core::Hash128> expected{};  // guarded, as all that follows
  std::set<core::Hash128> arrived{};
  std::string wrong{};  // the first thing that was
  int inside = 0;       // calls of `receive` under way
  bool held = false;
  bool stopped = false;
};

namespace {

core::Hash128 tag(std::string_view packet) { return core::hash128(packet, 0); }

}  // namespace

Station::Station(std::string name, std::unique_ptr<Transport> transport, Watch& watch)
    : name_(std::move(name)),
      watch_(watch),
      arrivals_(std::make_shared<Arrivals>(name_)),
      transport_(std::move(transport)) {}

void Station::take(Arrivals& arrivals, const std::string& packet,
                   const std::function<void(const std::string&)>& on_packet) {
  std::unique_lock lock(arrivals.mutex);
  ++arrivals.inside;
  const core::Hash128 at = tag(packet);
  if (arrivals.stopped) {
    arrivals.wrong = fmt::format("{} received a packet after its stop() returned", arrivals.name);
  } else if (!arrivals.expected.contains(at) && arrivals.wrong.empty()) {
    arrivals.wrong =
        fmt::format("{} received {}, which nobody sent to it", arrivals.name, quote(packet));
  }
  if (on_packet) {
    lock.unlock();
    on_packet(packet);
    lock.lock();
  }
  arrivals.arrived.insert(at);
  arrivals.changed.notify_all();
  arrivals.changed.wait(lock, [&] { return !arrivals.held; });
  --arrivals.inside;
}

absl::Status Station::try_start() {
  absl::StatusOr<std::string> address = absl::UnknownError("");
  watch_.call(fmt::format("start() of {}", name_), [&] {
    address = transport_->start(
        [arrivals = arrivals_, on_packet = on_packet_](std::string packet, std::string_view) {
          take(*arrivals, packet, on_packet);
        });
  });
  if (!address.ok()) return address.status();
  address_ = *std::move(address);
  return absl::OkStatus();
}

void Station::start() {
  if (absl::Status status = try_start(); !status.ok()) {
    throw RuleBroken{fmt::format("start() of {} failed: {}", name_, status.ToString())};
  }
  if (address_.empty()) throw RuleBroken{fmt::format("start() of {} returned no address", name_)};
}

void Station::send(std::string_view address, Lane lane, std::string packet) {
  watch_.call(fmt::format("send() of {} bytes from {} to {}", packet.size(), name_, quote(address)),
              [&] { transport_->send(address, lane, std::move(packet)); });
}

void Station::send_unwatched(std::string_view address, Lane lane, std::string packet) {
  try {
    transport_->send(address, lane, std::move(packet));
  } catch (...) {
    const std::lock_guard lock(arrivals_->mutex);
    arrivals_->wrong = fmt::format("send() of {} threw", name_);
  }
}

void Station::stop() {
  watch_.call(fmt::format("stop() of {}", name_), [&] { transport_->stop(); });
  const std::lock_guard lock(arrivals_->mutex);
  arrivals_->stopped = true;
  if (arrivals_->inside > 0) {
    throw RuleBroken{fmt::format("stop() of {} returned while `receive` was running", name_)};
  }
}

void Station::expect(std::string_view packet) {
  const std::lock_guard lock(arrivals_->mutex);
  arrivals_->expected.insert(tag(packet));
}

bool Station::await(std::string_view packet, std::chrono::milliseconds limit) {
  std::unique_lock lock(arrivals_->mutex);
  const core::Hash128 at = tag(packet);
  return arrivals_->changed.wait_for(lock, limit, [&] { return arrivals_->arrived.contains(at); });
}

void Station::hold(bool held) {
  const std::lock_guard lock(arrivals_->mutex);
  arrivals_->held = held;
  arrivals_->changed.notify_all();
}

void Station::throw_if_wrong() const {
  const std::lock_guard lock(arrivals_->mutex);
  if (!arrivals_->wrong.empty()) throw RuleBroken{arrivals_->wrong};
}

void deliver(Station& from, Station& to, Lane lane, const std::string& packet,
             std::chrono::milliseconds patience) {
  to.expect(packet);
  const auto end = std::chrono::steady_clock::now() + patience;
  for (auto wait = std::chrono::milliseconds(25);; wait *= 2) {
    from.send(to.address(), lane, packet);
    const auto left = end - std::chrono::steady_clock::now();
    if (to.await(packet,
                 std::min(wait, std::chrono::duration_cast<std::chrono::milliseconds>(left)))) {
      break;
    }
    from.throw_if_wrong();
    to.throw_if_wrong();
    if (std::chrono::steady_clock::now() > end) {
      throw RuleBroken{fmt::format(
          "a packet of {} bytes on the {} lane from {} to {} never arrived", packet.size(),
          lane == Lane::bulk ? "bulk" : "request", from.name(), to.name())};
    }
  }
  from.throw_if_wrong();
  to.throw_if_wrong();
}

}  // namespace dynamo::testing
