// A turn: what has come in is stepped, then at once the packets leave, and the answers.

#include <algorithm>
#include <iterator>
#include <utility>

#include <fmt/format.h>

#include "host/host.h"

namespace dynamo::host {

namespace {

constexpr auto membership_period = std::chrono::milliseconds(200);

}  // namespace

void Host::turn(By by) {
  // Once only: what comes in meanwhile wakes us again, after the sockets have had their turn.
  if (run_inbox(effects_)) perform(effects_, by);
  effects_.clear();  // at once: handlers keep their executors busy
}

void Host::Effects::clear() {
  actions.clear();
  gets.clear();
  puts.clear();
  waits.clear();
  membership_due = false;
}

bool Host::run_inbox(Effects& effects) {
  const std::lock_guard lock(machine_mutex_);
  {
    const std::lock_guard inbox_lock(inbox_mutex_);
    taken_.swap(inbox_);
    woken_ = false;
  }
  if (stopped()) {
    cancel_all(std::move(taken_));
    return false;
  }
  const core::Now at = now();
  for (std::size_t i = 0; i < taken_.size(); ++i) {
    if (i % core::RecordReader::expected_max == 0) expect(i);
    Request& request = taken_[i];
    if (request.since != core::TimePoint{}) admission_.waited(at.steady - request.since);
    if (auto* get = std::get_if<GetDone>(&request.done)) {
      gets_.try_emplace(gets_.end(), request.number,
                        Pending<GetDone>{std::move(*get), request.since});
    }
    if (auto* put = std::get_if<PutDone>(&request.done)) {
      puts_.try_emplace(puts_.end(), request.number,
                        Pending<PutDone>{std::move(*put), request.since});
    }
    if (auto* wait = std::get_if<WaitDone>(&request.done)) {
      waits_.emplace(request.number, std::move(*wait));
    }
    machine_->step(at, std::move(request.event), *reader_, effects.actions);
    apply(effects.actions, effects);
  }
  const bool due = machine_->next_tick() <= at.steady;
  if (due) {
    machine_->step(at, core::Tick{}, *reader_, effects.actions);
    apply(effects.actions, effects);
  }
  machine_->end_turn(at, effects.actions);
  admission_.adjust(at.steady);
  publish_view();
  parts_.environment->wake_at(std::min(machine_->next_tick(), next_membership_tick_));
  const bool empty = taken_.empty();
  taken_.clear();
  effects.membership_due = at.steady >= next_membership_tick_;
  return !empty || due || effects.membership_due || !effects.actions.packets.empty() ||
         !membership_left_.empty() || !changes_left_.empty() || !log_left_.empty();
}

// REQUIRES: machine_mutex_ is held.
void Host::expect(std::size_t from) {
  const std::size_t to = std::min(taken_.size(), from + core::RecordReader::expected_max);
  for (std::size_t i = from; i < to; ++i) machine_->expect(taken_[i].event);
  machine_->bring(*reader_);
}

// REQUIRES: machine_mutex_ is held.
void Host::publish_view() {
  if (stopped() || core::LocalView::is_current(local_view_.get(), machine_->state())) return;
  local_view_ = core::LocalView::of(machine_->state());
  local_reads_->publish(local_view_);
}

void Host::apply(core::Actions& actions, Effects& effects) {
  if (parts_.observe) parts_.observe(actions);
  if (!actions.writes.empty()) {
    const core::TimePoint at = steady_now();
    // First: of what was in the buffer before, none may be written after these.
    if (std::exchange(actions.flush, false)) flush_all_ = true;
    for (core::WriteRecord& write : actions.writes) buffer_.put(std::move(write), at);
    actions.writes.clear();
    parts_.environment->flush_at(buffer_.due());
  }
  const bool completes = !actions.gets.empty() || !actions.puts.empty();
  const core::TimePoint finished = completes ? steady_now() : core::TimePoint{};
  for (core::CompleteGet& get : actions.gets) {
    const auto done = gets_.find(get.request);
    if (done == gets_.end()) continue;
    machine_->note_latency(finished, finished - done->second.since);
    statistics_.get_finished(
        finished - done->second.since,
        {.ok = get.answer.ok(), .versions = get.answer.ok() ? get.answer->versions.size() : 0});
    effects.gets.emplace_back(std::move(done->second.done), std::move(get.answer));
    gets_.erase(done);
    admission_.finished();
  }
  for (core::CompletePut& put : actions.puts) {
    const auto done = puts_.find(put.request);
    if (done == puts_.end()) continue;
    machine_->note_latency(finished, finished - done->second.since);
    statistics_.put_finished(finished - done->second.since, put.answer.ok());
    effects.puts.emplace_back(std::move(done->second.done), std::move(put.answer));
    puts_.erase(done);
    admission_.finished();
  }
  for (core::CompleteWait& wait : actions.waits) {
    const auto done = waits_.find(wait.request);
    if (done == waits_.end()) continue;
    effects.waits.emplace_back(std::move(done->second), std::move(wait.status));
    waits_.erase(done);
  }
  actions.gets.clear();
  actions.puts.clear();
  actions.waits.clear();
}

void Host::complete(Effects& effects) {
  for (auto& [done, answer] : effects.gets) done(std::move(answer));
  for (auto& [done, answer] : effects.puts) done(std::move(answer));
  for (auto& [done, status] : effects.waits) done(std::move(status));
}

void Host::perform(Effects& effects, By by) {
  for (const std::string& address : effects.actions.redials) parts_.transport->redial(address);
  for (core::SendPacket& packet : effects.actions.packets) {
    parts_.transport->send(packet.address, packet.lane, std::move(packet.packet));
  }
  complete(effects);
  if (by == By::caller) return leave_behind(effects);
  take_left(effects.actions);
  for (const core::LogLine& line : effects.actions.log) log(line.level, line.text);
  if (stopped()) return;
  for (std::string& payload : effects.actions.membership) {
    parts_.membership->receive(std::move(payload));
  }
  for (const core::AskChange& ask : effects.actions.changes) {
    changed(ask.request, parts_.membership->change(ask.change));
  }
  const core::TimePoint at = steady_now();
  bool tick = false;
  {
    const std::lock_guard lock(machine_mutex_);
    tick = at >= next_membership_tick_;
    if (tick) next_membership_tick_ = at + membership_period;
  }
  if (!tick) return;
  parts_.membership->tick(std::chrono::steady_clock::time_point(at));
  std::vector<std::string> notes = parts_.membership->notes();
  const std::lock_guard lock(machine_mutex_);
  membership_notes_ = std::move(notes);
}

void Host::changed(std::uint64_t request, const absl::Status& status) {
  if (request == 0) {
    if (!status.ok()) log(LogLevel::info, fmt::format("membership: {}", status.ToString()));
    return;
  }
  WaitDone done;
  {
    const std::lock_guard lock(machine_mutex_);
    auto waiting = waits_.extract(request);
    if (waiting.empty()) return;
    done = std::move(waiting.mapped());
  }
  done(status);
}

void Host::leave_behind(Effects& effects) {
  core::Actions& actions = effects.actions;
  const bool nothing = actions.membership.empty() && actions.changes.empty() && actions.log.empty();
  if (nothing && !effects.membership_due) return;
  {
    const std::lock_guard lock(machine_mutex_);
    std::ranges::move(actions.membership, std::back_inserter(membership_left_));
    std::ranges::move(actions.changes, std::back_inserter(changes_left_));
    std::ranges::move(actions.log, std::back_inserter(log_left_));
  }
  parts_.environment->wake_own_thread();
}

// What was left comes before what this turn has brought.
void Host::take_left(core::Actions& actions) {
  const std::lock_guard lock(machine_mutex_);
  std::ranges::move(actions.membership, std::back_inserter(membership_left_));
  std::ranges::move(actions.log, std::back_inserter(log_left_));
  actions.membership = std::exchange(membership_left_, {});
  std::ranges::move(actions.changes, std::back_inserter(changes_left_));
  actions.changes = std::exchange(changes_left_, {});
  actions.log = std::exchange(log_left_, {});
}

}  // namespace dynamo::host
