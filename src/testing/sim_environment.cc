#include "testing/sim_environment.h"

#include <utility>

#include "host/host.h"

namespace dynamo::testing {

namespace {

using core::TimePoint;

// 14 October 2007, the first day of the conference that the paper was presented at.
constexpr std::chrono::microseconds wall_start = std::chrono::seconds(1'192'320'000);

constexpr std::int64_t million = 1'000'000;

}  // namespace

SimEnvironment::SimEnvironment(std::shared_ptr<SimContext> context, std::uint64_t seed,
                               std::shared_ptr<SimStorage> storage, std::int64_t drift_ppm)
    : context_(std::move(context)),
      storage_(std::move(storage)),
      drift_ppm_(drift_ppm),
      prng_(seed) {}

TimePoint SimEnvironment::local(TimePoint at) const {
  if (drift_ppm_ == 0) return at;
  const std::int64_t ns = at.count();
  return TimePoint(ns + ns / million * drift_ppm_ + ns % million * drift_ppm_ / million);
}

TimePoint SimEnvironment::global(TimePoint at) const {
  if (drift_ppm_ == 0 || at == TimePoint::max()) return at;
  const std::int64_t ns = at.count();
  const std::int64_t rate = million + drift_ppm_;
  TimePoint global(ns / rate * million + ns % rate * million / rate);
  while (local(global) < at) ++global;
  return global;
}

core::Now SimEnvironment::now() const {
  const TimePoint now = local(context_->scheduler().now());
  const auto wall =
      wall_start + wall_offset_ + std::chrono::duration_cast<std::chrono::microseconds>(now);
  return {now, wall.count()};
}

void SimEnvironment::run(const std::shared_ptr<Life>& life,
                         std::function<void(host::Host&)> event) {
  if (life->host == nullptr) return;
  if (!life->paused) {
    event(*life->host);
    return;
  }
  life->held.push_back(std::move(event));
}

SimScheduler::Ticket SimEnvironment::schedule(TimePoint at,
                                              std::function<void(host::Host&)> event) {
  return context_->scheduler().schedule(
      global(at), [life = life_, due = std::move(event)]() mutable { run(life, std::move(due)); });
}

void SimEnvironment::resume() {
  life_->paused = false;
  for (std::function<void(host::Host&)>& event : std::exchange(life_->held, {})) {
    context_->scheduler().schedule(
        context_->scheduler().now(),
        [life = life_, due = std::move(event)]() mutable { run(life, std::move(due)); });
  }
}

void SimEnvironment::wake(int desk) {
  schedule(now().steady, [desk](host::Host& host) { host.turn(desk); });
}

void SimEnvironment::wake_at(int desk, TimePoint at) {
  SimScheduler::Ticket& ticket = turns_[desk];
  context_->scheduler().cancel(ticket);
  ticket = {};
  if (at == TimePoint::max()) return;
  ticket = schedule(at, [desk](host::Host& host) { host.turn(desk); });
}

void SimEnvironment::flush_at(TimePoint at) {
  const bool pending = flush_.sequence != 0;
  if (at == TimePoint::max() || (pending && flush_at_ <= at)) return;
  if (pending) context_->scheduler().cancel(flush_);
  flush_at_ = at;
  flush_ = schedule(at, [this](host::Host& host) {
    flush_ = {};  // before the flush, which may ask for the next one
    begin_flush(host);
  });
}

void SimEnvironment::begin_flush(host::Host& host) {
  if (is_committing()) return;  // its end asks for the next
  life_->committing = host.begin_flush();
  if (!is_committing()) return;
  const auto end = [life = life_](host::Host& written) {
    const auto batch = std::exchange(life->committing, {});
    written.end_flush(batch, written.write(batch));
  };
  const TimePoint took = storage_ == nullptr ? TimePoint() : storage_->commit_time();
  context_->scheduler().schedule(context_->scheduler().after(took),
                                 [life = life_, end] { run(life, end); });
}

void SimEnvironment::stop() {
  life_->held.clear();  // some of them hold the life
  host::Host* host = std::exchange(life_->host, nullptr);
  if (host == nullptr || !is_committing()) return;
  const auto batch = std::exchange(life_->committing, {});
  host->end_flush(batch, host->write(batch));
}

void SimEnvironment::die(bool batch_survives) {
  life_->held.clear();
  host::Host* host = std::exchange(life_->host, nullptr);
  const auto batch = std::exchange(life_->committing, {});
  // Nobody hears how it ended.
  if (batch_survives && host != nullptr && !batch.empty()) host->write(batch).IgnoreError();
}

asio::any_io_executor SimEnvironment::executor() const { return context_->get_executor(); }

absl::Status SimEnvironment::may_block() const {
  if (!context_->scheduler().running()) return absl::OkStatus();
  return absl::FailedPreconditionError(
      "a blocking call in what the simulator runs would stop the time it waits for; use the async "
      "form here");
}

bool SimEnvironment::wait(host::Waiter& waiter, TimePoint until) {
  const TimePoint limit = global(until);
  while (!waiter.done() && context_->scheduler().step(limit)) {
  }
  return waiter.done();
}

}  // namespace dynamo::testing
