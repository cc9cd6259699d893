#include "node/exchange_rounds.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/hash.h"
#include "node/stored_partition.h"

namespace dynamo::core {

namespace {

std::size_t bytes_of(const std::vector<KeyedSet>& sets) {
  std::size_t bytes = 0;
  for (const KeyedSet& set : sets) {
    bytes += set.key.size();
    for (const StoredVersion& version : set.set.versions()) {
      bytes += version.object ? version.object->size() : 0;
    }
  }
  return bytes;
}

}  // namespace

void ExchangeRounds::plan(TimePoint now) {
  if (state_.ring == planned_ && state_.former == planned_former_) return;
  planned_ = state_.ring;
  planned_former_ = state_.former;
  for (int partition = 0; partition < state_.ring->partitions(); ++partition) {
    plan(partition, now);
  }
}

void ExchangeRounds::plan(int partition, TimePoint now) {
  const int n = std::min(state_.largest_n(), state_.ring->depth());
  const bool owned = state_.owns(state_.self.name, n, static_cast<std::uint32_t>(partition));
  const bool wanted = owned || state_.former.contains(partition);
  const std::uint64_t owners = state_.ring->owners_mark(partition, n);
  const auto at = partitions_.find(partition);
  if (at == partitions_.end()) {
    if (!wanted) return;
    partitions_.emplace(partition, Partition{.owned = owned, .owners = owners});
    if (owned) state_.horizon.own(partition, now);
    set_due(partition, now + return_delay);
    return;
  }
  Partition& known = at->second;
  if (known.owners == owners && known.owned == owned && wanted) return;
  // With other owners a round that runs says nothing any more.
  if (known.running != 0) rounds_.erase(std::exchange(known.running, 0));
  if (owned) {
    state_.horizon.own(partition, now);
  } else {
    state_.horizon.disown(partition);
  }
  due_.erase({known.due, partition});
  if (!wanted) {
    partitions_.erase(at);
    return;
  }
  known.owned = owned;
  known.owners = owners;
  set_due(partition, now < known.hurried_until ? now : now + return_delay);
}

void ExchangeRounds::set_due(int partition, TimePoint due) {
  Partition& one = partitions_.at(partition);
  due_.erase({one.due, partition});
  one.due = due;
  if (one.running == 0) due_.emplace(due, partition);
}

TimePoint ExchangeRounds::gap() const {
  const auto owned = static_cast<std::int64_t>(std::max<std::size_t>(partitions_.size(), 1));
  return std::min(gap_max, period / (2 * owned));
}

std::size_t ExchangeRounds::capacity(TimePoint now) const {
  return now < hurried_until_ ? hurried_rounds_max : rounds_max;
}

std::uint64_t ExchangeRounds::hurry(int partition, TimePoint now, TimePoint until) {
  plan(now);
  const auto at = partitions_.find(partition);
  if (at == partitions_.end()) return last_round_;
  hurried_until_ = std::max(hurried_until_, until);
  at->second.hurried_until = std::max(at->second.hurried_until, until);
  at->second.again = at->second.running != 0;
  set_due(partition, now);
  return last_round_;
}

std::uint64_t ExchangeRounds::completed(int partition) const {
  const auto at = partitions_.find(partition);
  return at == partitions_.end() ? 0 : at->second.completed;
}

std::uint64_t ExchangeRounds::completed_in(int partition) const {
  const auto at = partitions_.find(partition);
  return at == partitions_.end() ? 0 : at->second.generation;
}

ExchangeRounds::Progress ExchangeRounds::progress(int partition) const {
  const auto at = partitions_.find(partition);
  return at == partitions_.end() ? Progress{} : at->second.progress;
}

bool ExchangeRounds::idle(int partition) const {
  const auto at = partitions_.find(partition);
  return at != partitions_.end() && at->second.running == 0 &&
         at->second.hurried_until == TimePoint{};
}

std::string_view ExchangeRounds::trouble(int partition) const {
  const auto at = partitions_.find(partition);
  return at == partitions_.end() ? std::string_view() : at->second.trouble;
}

void ExchangeRounds::watch_peers(TimePoint now) {
  // There may be a thousand of them, and ticks come many times a second.
  const std::pair watched{state_.ring->view_number(), state_.detector.changes()};
  if (std::exchange(watched_, watched) == watched) return;
  for (const Member& member : state_.ring->members()) {
    if (state_.is_self(member.name)) continue;
    if (!state_.detector.reachable(member.name)) {
      lost_.insert(member.name);
      continue;
    }
    if (lost_.erase(member.name) == 0) continue;
    const int n = std::min(state_.largest_n(), state_.ring->depth());
    for (auto& [partition, one] : partitions_) {
      if (!state_.owns(member.name, n, static_cast<std::uint32_t>(partition))) continue;
      one.again = one.running != 0;
      set_due(partition, std::min(one.due, now + return_delay));
    }
  }
}

void ExchangeRounds::tick(const Turn& turn) {
  const TimePoint now = turn.now.steady;
  if (state_.ring == nullptr || !state_.takes_writes().ok()) return;
  last_tick_ = now;
  plan(now);
  watch_peers(now);
  for (auto at = rounds_.begin(); at != rounds_.end();) {
    const auto next = std::next(at);
    Round& round = at->second;
    if (round.exchange) look_at_exchange(round, now);
    if (round.operation == 0 && round.due <= now) go_on(turn, at);
    at = next;
  }
  if (!state_.trees.complete()) return;
  while (!due_.empty() && due_.begin()->first <= now && next_start_ <= now &&
         rounds_.size() < capacity(now)) {
    if (now >= hurried_until_) next_start_ = now + gap() * state_.background.slowdown(now);
    start(turn, due_.begin()->second);
  }
}

TimePoint ExchangeRounds::next_tick() const {
  TimePoint next = TimePoint::max();
  // As in tick(): a time that is past and does nothing would wake the host for ever.
  if (state_.ring == nullptr || !state_.takes_writes().ok()) return next;
  for (const auto& [number, round] : rounds_) {
    next = std::min(next, round.operation == 0 ? round.due : std::min(round.due, round.look_at));
  }
  // Room for another round comes with the end of one, and that with an event.
  if (!due_.empty() && rounds_.size() < hurried_rounds_max && state_.trees.complete()) {
    // What is due already waits for room, of which there may have been more when it became due.
    const TimePoint start = std::max({due_.begin()->first, next_start_, last_tick_});
    if (rounds_.size() < capacity(start)) next = std::min(next, start);
  }
  return next;
}

void ExchangeRounds::start(const Turn& turn, int partition) {
  due_.erase(due_.begin());
  const std::uint64_t number = ++last_round_;
  Partition& one = partitions_.at(partition);
  one.running = number;
  ++one.progress.begun;
  Round round{.partition = partition, .started = turn.now.steady};
  add_legs(round);
  go_on(turn, rounds_.emplace(number, std::move(round)).first);
}

bool ExchangeRounds::ask(const Turn& turn, Round& round, std::uint64_t number) {
  const ExchangeScope& scope = round.exchange->scope();
  if (!StoredPartition::ready(state_, scope.store, scope.partition)) {
    fail_leg(round, "this node's tree is being built");
    return true;
  }
  StoredPartition records(state_, replica_, turn, scope.store, scope.partition);
  std::optional<Exchange::Request> request = round.exchange->next(records);
  keep_writes(records.writes(), round, number);
  if (!request) return false;
  round.operation = state_.next_number();
  round.asked = turn.now.steady;
  round.look_at = round.asked + round.patience;
  round.due = round.asked + answer_timeout;
  round.identity = state_.identity_of(round.legs[round.leg - 1].peer);
  round.life = state_.life_of(round.legs[round.leg - 1].peer);
  const auto* sets = std::get_if<SetsRequest>(&*request);
  round.page_bytes = sets == nullptr ? 0 : bytes_of(sets->sets);
  std::visit(
      [&](auto& message) {
        message.operation = round.operation;
        state_.outbox.send(round.legs[round.leg - 1].peer, std::move(message), Lane::bulk);
      },
      *request);
  return true;
}

void ExchangeRounds::go_on(const Turn& turn, Rounds::iterator at) {
  Round& round = at->second;
  while (true) {
    if (round.exchange) {
      const bool asked = ask(turn, round, at->first);
      if (round.operation != 0) return;
      if (!asked) end_leg(round);
    } else if (round.leg < round.legs.size()) {
      begin_leg(turn, round);
    } else if (round.received && round.pass == 1 && round.trouble.empty()) {
      round.pass = 2;
      round.leg = 0;
      round.received = false;
    } else {
      round.due = TimePoint::max();
      if (round.unsynced.empty()) finish(turn, at);
      return;
    }
  }
}

template <class Reply>
void ExchangeRounds::take_reply(const Turn& turn, const std::string& from, const Reply& reply) {
  const auto at = std::ranges::find_if(
      rounds_, [&](const auto& entry) { return entry.second.operation == reply.operation; });
  if (at == rounds_.end() || reply.operation == 0) return;
  Round& round = at->second;
  if (round.legs[round.leg - 1].peer != from) return;
  round.operation = 0;
  round.due = turn.now.steady;
  const ExchangeScope& scope = round.exchange->scope();
  if (!StoredPartition::ready(state_, scope.store, scope.partition)) {
    fail_leg(round, "this node's tree is being built");
  } else {
    StoredPartition records(state_, replica_, turn, scope.store, scope.partition);
    const absl::Status status = round.exchange->take(reply, records);
    keep_writes(records.writes(), round, at->first);
    if (!status.ok()) fail_leg(round, fmt::format("{}: {}", from, std::string(status.message())));
  }
  if constexpr (std::is_same_v<Reply, SetsReply>) {
    partitions_.at(round.partition).progress.bytes += bytes_of(reply.sets);
    // Bulk makes way: the next page waits.
    if (round.exchange) {
      round.due = state_.background.done(Background::Work::exchange, turn.now.steady, page_pause,
                                         round.page_bytes + bytes_of(reply.sets));
      return;
    }
  }
  go_on(turn, at);
}

void ExchangeRounds::take(const Turn& turn, const std::string& from, const TreeReply& reply) {
  take_reply(turn, from, reply);
}
void ExchangeRounds::take(const Turn& turn, const std::string& from, const LeafReply& reply) {
  take_reply(turn, from, reply);
}
void ExchangeRounds::take(const Turn& turn, const std::string& from, const SetsReply& reply) {
  take_reply(turn, from, reply);
}

void ExchangeRounds::synced(const Turn& turn, std::uint64_t write) {
  const auto by_write = by_write_.find(write);
  if (by_write == by_write_.end()) return;
  const auto at = rounds_.find(by_write->second);
  by_write_.erase(by_write);
  if (at == rounds_.end()) return;
  Round& round = at->second;
  round.unsynced.erase(write);
  const bool over = !round.exchange && round.leg == round.legs.size();
  if (over && round.unsynced.empty()) go_on(turn, at);
}

void ExchangeRounds::failed(const Turn& turn, std::uint64_t write) {
  const auto by_write = by_write_.find(write);
  if (by_write == by_write_.end()) return;
  const auto at = rounds_.find(by_write->second);
  if (at != rounds_.end() && at->second.trouble.empty()) {
    at->second.trouble = "what was repaired here could not be written";
  }
  synced(turn, write);
}

void ExchangeRounds::finish(const Turn& turn, Rounds::iterator at) {
  const std::uint64_t number = at->first;
  const Round round = std::move(at->second);
  rounds_.erase(at);
  ++ended_;
  Partition& partition = partitions_.at(round.partition);
  partition.running = 0;
  partition.trouble = round.trouble;
  const TimePoint now = turn.now.steady;
  TimePoint due = now + retry;
  if (counts(round)) {
    partition.completed = number;
    partition.generation = state_.generation.current;
    if (partition.owned) state_.horizon.move(round.partition, round.started);
    // Spread, so that partitions which were compared in one burst are not for ever.
    const std::uint64_t spread =
        hash64(fmt::format("{} {}", round.partition, number), state_.self.boot_random);
    due = now + period / 2 +
          TimePoint(static_cast<std::int64_t>(spread % static_cast<std::uint64_t>(period.count())));
    if (!partition.again) partition.hurried_until = {};
  } else if (now < partition.hurried_until) {
    due = now + hurried_retry;
  }
  if (std::exchange(partition.again, false)) due = now;
  set_due(round.partition, due);
}

}  // namespace dynamo::core
