// A turn: what has come in is stepped, then at once the packets leave, and the answers.

#include <algorithm>
#include <iterator>
#include <utility>

#include <fmt/format.h>

#include "host/every_desk.h"
#include "host/host.h"

namespace dynamo::host {

namespace {

constexpr auto membership_period = std::chrono::milliseconds(200);
// A turn that waits until the sockets have been asked again finds more to do, if there is more; if
// there is not, it is late. As long as turns find one event each, what comes in gets its turn at
// once, but for one in so many, which looks whether that is still so.
constexpr int at_once_in_a_row = 16;

}  // namespace

void Host::turn(int index, By by, bool at_once) {
  Effects& effects = desk(index).effects;
  // Once only: what comes in meanwhile wakes us again, after the sockets have had their turn.
  if (index == common() ? run_all(by, at_once) : run_strand(index, at_once)) perform(index, by);
  effects.clear();  // at once: handlers keep their executors busy
}

// Returns whether there is something to perform.
bool Host::run_all(By by, bool at_once) {
  const EveryDesk lock(desks_);
  Desk& own = desk(common());
  core::Actions& actions = own.effects.actions;
  const bool left = take_inbox(own, at_once);
  if (stopped()) {
    cancel(std::exchange(own.taken, {}));
    return false;
  }
  const core::Now at = now();
  if (left) apply(common(), own.effects);
  for (std::size_t i = 0; i < own.taken.size(); ++i) {
    if (i % core::RecordReader::expected_max == 0) expect(common(), i);
    wait_for(own, own.taken[i], at);
    machine_->step(at, std::move(own.taken[i].event), *reader_, actions);
    apply(common(), own.effects);
  }
  core::TimePoint next = machine_->next_tick_in_strand(common());
  const bool due = next <= at.steady;
  if (due) {
    machine_->step(at, core::Tick{}, *reader_, actions);
    apply(common(), own.effects);
    next = machine_->next_tick_in_strand(common());
  }
  machine_->end_turn(at, actions);
  admission_.adjust(at.steady, std::exchange(own.effects.load, {}));
  publish_view();
  own.effects.membership_due = at.steady >= next_membership_tick_;
  if (own.effects.membership_due && by != By::caller) {
    next_membership_tick_ = at.steady + membership_period;
  }
  wake_common_at(std::min(next, next_membership_tick_));
  release_others();
  const bool empty = own.taken.empty();
  own.taken.clear();
  const bool left_behind =
      !membership_left_.empty() || !changes_left_.empty() || !log_left_.empty();
  if (left_behind && by != By::caller) take_left(actions);
  return !empty || due || own.effects.membership_due || !actions.packets.empty() ||
         !own.effects.gets.empty() || !own.effects.puts.empty() || left_behind;
}

// Returns whether other desks have left answers as well. REQUIRES: its mutex is held, and so for
// what follows.
bool Host::take_inbox(Desk& own, bool at_once) {
  const std::lock_guard lock(own.inbox_mutex);
  if (!at_once && !own.inbox.empty()) {
    own.at_once_left = own.inbox.size() == 1 ? at_once_in_a_row : 0;
  }
  own.taken.swap(own.inbox);
  own.woken = false;
  if (own.left.gets.empty() && own.left.puts.empty()) return false;
  std::ranges::move(own.left.gets, std::back_inserter(own.effects.actions.gets));
  std::ranges::move(own.left.puts, std::back_inserter(own.effects.actions.puts));
  own.left.clear();
  return true;
}

void Host::wait_for(Desk& own, Request& request, const core::Now& at) {
  if (request.since != core::TimePoint{}) {
    own.effects.load.waited += at.steady - request.since;
    ++own.effects.load.begun;
  }
  if (auto* get = std::get_if<GetDone>(&request.done)) {
    own.gets.try_emplace(own.gets.end(), request.number,
                         Desk::Pending<GetDone>{std::move(*get), request.since});
  }
  if (auto* put = std::get_if<PutDone>(&request.done)) {
    own.puts.try_emplace(own.puts.end(), request.number,
                         Desk::Pending<PutDone>{std::move(*put), request.since});
  }
  // Only the common desk's.
  if (auto* wait = std::get_if<WaitDone>(&request.done)) {
    waits_.emplace(request.number, std::move(*wait));
  }
}

void Host::expect(int index, std::size_t from) {
  const std::vector<Request>& taken = desk(index).taken;
  const std::size_t to = std::min(taken.size(), from + core::RecordReader::expected_max);
  for (std::size_t i = from; i < to; ++i) machine_->expect(index, taken[i].event);
  machine_->bring(index, *reader_);
}

// REQUIRES: every desk's mutex is held.
void Host::publish_view() {
  if (stopped()) return;
  const core::NodeState& state = machine_->state();
  if (router_ == nullptr && state.ring != nullptr && common() > 0) {
    router_owned_ = std::make_unique<const core::StrandRouter>(core::cluster_seed(state.cluster),
                                                               options_.partitions, common());
    router_ = router_owned_.get();
  }
  if (core::LocalView::is_current(local_view_.get(), state)) return;
  local_view_ = core::LocalView::of(state);
  local_reads_->publish(local_view_);
}

void Host::apply(int index, Effects& effects) {
  core::Actions& actions = effects.actions;
  if (parts_.observe) parts_.observe(actions);
  if (!actions.writes.empty()) {
    const core::TimePoint at = steady_now();
    // First: of what was in the buffer before, none may be written after these.
    if (std::exchange(actions.flush, false)) flush_all_ = true;
    core::TimePoint due = core::TimePoint::max();
    for (core::WriteRecord& write : actions.writes) due = buffer_.put(std::move(write), at);
    actions.writes.clear();
    parts_.environment->flush_at(due);
  }
  const bool completes = !actions.gets.empty() || !actions.puts.empty();
  const core::TimePoint finished = completes ? steady_now() : core::TimePoint{};
  for (core::CompleteGet& get : actions.gets) {
    auto pending = answered(index, &Desk::gets, get.request, finished);
    if (!pending) continue;
    desk(index).statistics.get_finished(
        finished - pending->since,
        {.ok = get.answer.ok(), .versions = get.answer.ok() ? get.answer->versions.size() : 0});
    effects.gets.emplace_back(std::move(pending->done), std::move(get.answer));
  }
  for (core::CompletePut& put : actions.puts) {
    auto pending = answered(index, &Desk::puts, put.request, finished);
    if (!pending) continue;
    desk(index).statistics.put_finished(finished - pending->since, put.answer.ok());
    effects.puts.emplace_back(std::move(pending->done), std::move(put.answer));
  }
  if (index != common()) leave_answers(effects);
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

// Whoever has waited for it; nullopt if nobody does, or if another desk knows.
template <class Done>
std::optional<Desk::Pending<Done>> Host::answered(int index, Desk::Waiting<Done> Desk::*waiting,
                                                  std::uint64_t request, core::TimePoint now) {
  const int knows = desk_of(request);
  if (knows != index && index != common()) return std::nullopt;
  Desk::Waiting<Done>& all = desk(knows).*waiting;
  const auto at = all.find(request);
  if (at == all.end()) return std::nullopt;
  Desk::Pending<Done> pending = std::move(at->second);
  all.erase(at);
  machine_->note_latency(now, now - pending.since);
  admission_.finished();
  ++desk(index).effects.load.answered;
  return pending;
}

void Host::complete(Effects& effects) {
  for (auto& [done, answer] : effects.gets) done(std::move(answer));
  for (auto& [done, answer] : effects.puts) done(std::move(answer));
  for (auto& [done, status] : effects.waits) done(std::move(status));
}

void Host::perform(int index, By by) {
  Effects& effects = desk(index).effects;
  for (const std::string& address : effects.actions.redials) parts_.transport->redial(address);
  for (core::SendPacket& packet : effects.actions.packets) {
    parts_.transport->send(packet.address, packet.lane, std::move(packet.packet));
  }
  complete(effects);
  if (index != common()) return pass_on(effects);
  if (by == By::caller) return leave_behind(effects);
  for (const core::LogLine& line : effects.actions.log) log(line.level, line.text);
  if (stopped()) return;
  for (std::string& payload : effects.actions.membership) {
    parts_.membership->receive(std::move(payload));
  }
  for (const core::AskChange& ask : effects.actions.changes) {
    changed(ask.request, parts_.membership->change(ask.change));
  }
  if (!effects.membership_due) return;
  parts_.membership->tick(std::chrono::steady_clock::time_point(steady_now()));
  std::vector<std::string> notes = parts_.membership->notes();
  const std::lock_guard lock(desk(common()).mutex);
  membership_notes_ = std::move(notes);
}

void Host::changed(std::uint64_t request, const absl::Status& status) {
  if (request == 0) {
    if (!status.ok()) log(LogLevel::info, fmt::format("membership: {}", status.ToString()));
    return;
  }
  WaitDone done;
  {
    const std::lock_guard lock(desk(common()).mutex);
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
    const std::lock_guard lock(desk(common()).mutex);
    std::ranges::move(actions.membership, std::back_inserter(membership_left_));
    std::ranges::move(actions.changes, std::back_inserter(changes_left_));
    std::ranges::move(actions.log, std::back_inserter(log_left_));
  }
  parts_.environment->wake_own_thread(common());
}

// What was left comes before what this turn has brought. REQUIRES: every desk's mutex is held.
void Host::take_left(core::Actions& actions) {
  std::ranges::move(actions.membership, std::back_inserter(membership_left_));
  std::ranges::move(actions.log, std::back_inserter(log_left_));
  actions.membership = std::exchange(membership_left_, {});
  std::ranges::move(actions.changes, std::back_inserter(changes_left_));
  actions.changes = std::exchange(changes_left_, {});
  actions.log = std::exchange(log_left_, {});
}

}  // namespace dynamo::host
