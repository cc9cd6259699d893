// Several loops: what comes in is handed out among the desks, and strands have turns of their own.

#include <utility>

#include "host/host.h"

namespace dynamo::host {

namespace {

// To have another thread deal with fewer takes longer than to deal with them.
constexpr std::size_t messages_worth_a_wake = 32;

}  // namespace

int Host::desk_of(std::uint64_t request) const {
  return std::min(core::Strand::of_number(request), common());
}

int Host::desk_for(std::string_view key) const {
  const core::StrandRouter* const router = router_;
  return router == nullptr ? common() : router->of_key(key);
}

void Host::receive(std::string packet, std::string_view peer) {
  const core::StrandRouter* const router = router_;
  if (router == nullptr) {
    post(common(), {.event = core::PacketReceived{std::move(packet), std::string(peer)}},
         Place::last, By::receiver);
    return;
  }
  const auto bytes = std::make_shared<core::PacketOpened::Bytes>(std::move(packet));
  core::PacketOpened opened{.peer = std::string(peer), .bytes = bytes};
  if (!core::read_packet(bytes->bytes, opened.packet).ok()) {
    // The common desk says why.
    post(common(), {.event = core::PacketReceived{std::move(bytes->bytes), std::string(peer)}});
    return;
  }
  for (auto& [desk, part] : router->divide(std::move(opened))) {
    const bool is_small = part.packet.messages.size() < messages_worth_a_wake;
    post(desk, {.event = std::move(part)}, Place::last, is_small ? By::receiver : By::environment);
  }
}

void Host::post_written(std::vector<std::uint64_t> writes) {
  const core::StrandRouter* const router = router_;
  if (router == nullptr) return post(common(), {.event = core::BatchWritten{std::move(writes)}});
  for (auto& [desk, part] : router->divide(core::BatchWritten{std::move(writes)})) {
    post(desk, {.event = std::move(part)});
  }
}

// Returns whether there is something to perform.
bool Host::run_strand(int index, bool at_once) {
  Desk& own = desk(index);
  const std::lock_guard lock(own.mutex);
  if (others_wait_) return false;  // and are woken when they need not any more
  take_inbox(own, at_once);
  if (stopped()) {
    cancel(std::exchange(own.taken, {}));
    return false;
  }
  const core::Now at = now();
  core::Actions& actions = own.effects.actions;
  const auto step = [&](core::Event& event) {
    if (!machine_->step_in_strand(index, at, event, *reader_, actions)) {
      own.effects.passed_on.push_back({.event = std::move(event)});
    }
    apply(index, own.effects);
  };
  for (std::size_t i = 0; i < own.taken.size(); ++i) {
    if (i % core::RecordReader::expected_max == 0) expect(index, i);
    wait_for(own, own.taken[i], at);
    step(own.taken[i].event);
  }
  core::TimePoint next = machine_->next_tick_in_strand(index);
  const bool due = next <= at.steady;
  core::Event tick = core::Tick{};
  if (due) {
    step(tick);
    next = machine_->next_tick_in_strand(index);
  }
  machine_->end_turn_in_strand(index, at, actions);
  admission_.adjust(at.steady, std::exchange(own.effects.load, {}));
  parts_.environment->wake_at(index, next);
  // What is common may have got something to do, or to do it earlier.
  own.effects.common_is_due |= machine_->take_common_is_due(index);
  const core::TimePoint probe = machine_->state().detector.next_tick();
  if (probe < common_wake_.load()) {
    own.effects.common_is_due |= probe <= at.steady;
    wake_common_at(probe);
  }
  const bool empty = own.taken.empty();
  own.taken.clear();
  return !empty || due || !actions.packets.empty();
}

void Host::wake_common_at(core::TimePoint at) {
  common_wake_.store(at, std::memory_order_relaxed);
  parts_.environment->wake_at(common(), at);
}

// Answers to what was asked before requests were handed out: the common desk knows by whom.
void Host::leave_answers(Effects& effects) {
  Desk& all = desk(common());
  const auto leave = [&](auto& answers, auto& left) {
    for (auto& answer : answers) {
      if (desk_of(answer.request) != common()) continue;
      const std::lock_guard lock(all.inbox_mutex);
      left.push_back(std::move(answer));
      effects.common_is_due = true;
    }
  };
  leave(effects.actions.gets, all.left.gets);
  leave(effects.actions.puts, all.left.puts);
}

void Host::pass_on(Effects& effects) {
  for (Request& request : effects.passed_on) post(common(), std::move(request));
  leave_behind(effects);
  if (effects.common_is_due) parts_.environment->wake(common());
}

// REQUIRES: every desk's mutex is held. The common turn may have begun something for each of them.
void Host::release_others() {
  if (common() == 0) return;
  const bool waited = others_wait_.exchange(false);
  for (int index = 0; index < common(); ++index) {
    parts_.environment->wake_at(index, machine_->next_tick_in_strand(index));
    if (waited) parts_.environment->wake(index);
  }
}

}  // namespace dynamo::host
