#include "node/handoff.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/mutant.h"
#include "node/engine_keys.h"

namespace dynamo::core {

absl::Status Handoff::restore(std::string_view key, std::string_view record) {
  const absl::StatusOr<Record> hint = decode_record(record);
  if (!hint.ok()) return hint.status();
  // This node has settled since: it had been handed off, but the disk did not hear of that.
  if (hint->generation < state_.generation.settled) {
    handed_off_.emplace_back(key);
    return absl::OkStatus();
  }
  // As old as what was put last: the hint itself does not say when it came.
  std::int64_t since_us = 0;
  for (const StoredVersion& version : hint->replica.set.versions()) {
    since_us = std::max(since_us, version.written_at_us);
  }
  state_.hints.put(key, hint->owed, hint->store, key.size() + record.size(), since_us,
                   hint->generation);
  return absl::OkStatus();
}

void Handoff::tick(const Turn& turn) {
  if (next_tick() > turn.now.steady) return;
  for (std::string& key : std::exchange(handed_off_, {})) {
    turn.write({.write = state_.next_number(), .key = std::move(key), .synced = false});
  }
  expire(turn.now.steady);
  if (!state_.background.may(Background::Work::hints, turn.now.steady)) {
    next_tick_ = state_.background.next(Background::Work::hints);
    return;
  }
  Scan done;
  for (auto& [name, receiver] : receivers_) {
    if (std::exchange(receiver.goes_on, false)) scan(turn, receiver.cursor, &name, done);
  }
  if (next_scan_ <= turn.now.steady) {
    scan(turn, cursor_, nullptr, done);
    // Answers drive what follows; this is for those that nobody answers, or who come back.
    next_scan_ = turn.now.steady + (done.sent > 0 ? idle_period / 10 : idle_period);
  }
  next_tick_ = next_scan_;
  if (done.sent > 0) {
    state_.background.done(Background::Work::hints, turn.now.steady, rest, done.bytes);
  }
}

void Handoff::scan(const Turn& turn, std::string& cursor, const std::string* only, Scan& done) {
  const HintLog::Hints& hints = state_.hints.hints();
  std::size_t left = std::min(only == nullptr ? looked_at_max : ahead_max, hints.size());
  for (auto at = hints.lower_bound(cursor); !hints.empty() && left > 0; --left) {
    if (at == hints.end()) at = hints.begin();
    const std::string key = at->first;
    const std::size_t bytes = at->second.bytes;
    const std::vector<std::string> receivers = receivers_of(key, at->second);
    if (receivers.empty() && mutated(Mutant::hint_goes_with_owner)) strike(turn, key);
    for (const std::string& to : receivers) {
      if (only != nullptr && to != *only) continue;
      if (!may_send(to, turn.now.steady) || sending_.contains({key, to})) continue;
      if (!send(turn, key, to)) break;
      ++done.sent;
      done.bytes += bytes;
    }
    at = hints.upper_bound(key);
    cursor = at == hints.end() ? std::string() : at->first;
    if (only != nullptr && !may_send(*only, turn.now.steady)) return;
  }
}

TimePoint Handoff::next_tick() const {
  // The machine calls tick() in no other case, and a time that stays past wakes the host for ever.
  const bool wakes = mutated(Mutant::handoff_wakes_for_ever);
  if (state_.ring == nullptr || (!state_.takes_writes().ok() && !wakes)) return TimePoint::max();
  const bool idle = state_.hints.hints().empty() && in_flight_.empty() && handed_off_.empty();
  return idle ? TimePoint::max() : next_tick_;
}

std::vector<std::string> Handoff::owners(const std::string& key, const std::string& store) const {
  const StoreTable::Entry* entry = state_.stores.find(store);
  if (entry == nullptr) return {};
  const int partition = state_.ring->partition_of(hash_of(key));
  return state_.names(state_.ring->all_owners(partition, entry->facts.n));
}

std::vector<std::string> Handoff::receivers_of(const std::string& key,
                                               const HintLog::Hint& hint) const {
  std::vector<std::string> receivers;
  const std::vector<std::string> all = owners(key, hint.store);
  // Owed to somebody who is no owner: then to all of them.
  const bool to_all = std::ranges::any_of(hint.owed, [&](const Identity& owed) {
    if (mutated(Mutant::hint_goes_with_owner) && !owed.is_zero()) return false;
    return owed.is_zero() || std::ranges::none_of(all, [&](const std::string& name) {
             return state_.identity_of(name) == owed;
           });
  });
  for (const std::string& owner : all) {
    const Identity identity = state_.identity_of(owner);
    if (hint.has_synced(identity, state_.view.number)) continue;
    const bool named = std::ranges::any_of(
        hint.owed, [&](const Identity& owed) { return !owed.is_zero() && owed == identity; });
    if (named || to_all) receivers.push_back(owner);
  }
  return receivers;
}

bool Handoff::can_deliver() const {
  return std::ranges::any_of(state_.hints.hints(), [this](const auto& hint) {
    return std::ranges::any_of(receivers_of(hint.first, hint.second), [this](const auto& to) {
      return state_.is_self(to) || state_.detector.reachable(to);
    });
  });
}

bool Handoff::may_send(const std::string& to, TimePoint now) {
  if (!state_.is_self(to) && !state_.detector.reachable(to)) return false;
  const Receiver& receiver = receivers_[to];
  return receiver.in_flight < window && receiver.not_before <= now;
}

bool Handoff::send(const Turn& turn, const std::string& key, const std::string& to) {
  absl::StatusOr<Record> hint = absl::NotFoundError("");
  const absl::StatusOr<bool> found =
      turn.read(key, [&](std::string_view bytes) { hint = decode_record(bytes); });
  if (!found.ok()) return false;  // the engine has failed; what it says of this hint, nobody knows
  if (!*found) {
    state_.hints.erase(key);  // its write failed, and was never acknowledged
    return false;
  }
  if (!hint.ok()) {
    turn.log(LogLevel::error,
             fmt::format("a hint is unreadable: {}", std::string(hint.status().message())));
    return false;
  }
  const Sent sent = {key, to, state_.hints.find(key)->revision, turn.now.steady};
  std::uint64_t number = 0;
  const StoreFacts& facts = state_.stores.find(hint->store)->facts;
  if (state_.is_self(to)) {
    absl::StatusOr<Record> own = replica_.read_to_write(turn, facts, hint->key);
    if (!own.ok() || !state_.generation.owner_accepts(hint->generation)) return true;
    own->replica.merge(hint->replica.set, facts.conflict);
    number = replica_.write(turn, *own, true);
  } else {
    number = state_.next_number();
    state_.outbox.send(to, WriteRequest{.operation = number,
                                        .store = facts,
                                        .key = hint->key,
                                        .synced = true,
                                        .generation = hint->generation,
                                        .set = std::move(hint->replica.set)});
    state_.detector.asked(to, turn.now.steady);
  }
  ++receivers_[to].in_flight;
  sending_.emplace(key, to);
  in_flight_.emplace(number, sent);
  if (mutated(Mutant::hint_deleted_when_sent)) confirmed(turn, sent);
  return true;
}

bool Handoff::reply(const Turn& turn, const std::string& from, const WriteReply& reply,
                    bool counts) {
  const auto at = in_flight_.find(reply.operation);
  if (at == in_flight_.end() || at->second.to != from) return false;
  if (reply.answer == WriteReply::Answer::stored) return true;  // the word that counts may follow
  const Sent sent = land(at);
  Receiver& receiver = receivers_[from];
  if (reply.answer == WriteReply::Answer::refused) {
    hold_back(receiver, turn.now.steady);
    return true;
  }
  receiver.backoff = {};
  if (counts) confirmed(turn, sent);
  // Half a window is free: on with it.
  if (receiver.in_flight <= window / 2) {
    receiver.goes_on = true;
    next_tick_ = turn.now.steady;
  }
  return true;
}

bool Handoff::synced(const Turn& turn, std::uint64_t write) {
  return reply(turn, state_.self.name, {.operation = write, .answer = WriteReply::Answer::synced},
               true);
}

bool Handoff::failed(std::uint64_t write) {
  const auto at = in_flight_.find(write);
  if (at == in_flight_.end() || !state_.is_self(at->second.to)) return false;
  land(at);
  return true;
}

bool Handoff::has_its_due(const Identity& identity, const HintLog::Hint& hint,
                          const std::vector<std::string>& owners) const {
  if (mutated(Mutant::hint_deleted_at_first_word) && !hint.synced.empty()) return true;
  const auto has = [&](const std::string& owner) {
    return hint.has_synced(state_.identity_of(owner), state_.view.number);
  };
  for (const std::string& owner : owners) {
    if (!identity.is_zero() && state_.identity_of(owner) == identity) return has(owner);
  }
  if (mutated(Mutant::hint_goes_with_owner) && !identity.is_zero()) return true;
  return !owners.empty() && std::ranges::all_of(owners, has);
}

void Handoff::confirmed(const Turn& turn, const Sent& sent) {
  state_.hints.note_synced(sent.key, sent.revision, state_.view.number,
                           state_.identity_of(sent.to));
  const HintLog::Hint* hint = state_.hints.find(sent.key);
  if (hint != nullptr && hint->revision == sent.revision) strike(turn, sent.key);
}

void Handoff::strike(const Turn& turn, const std::string& key) {
  const HintLog::Hint* hint = state_.hints.find(key);
  const std::vector<std::string> owners = this->owners(key, hint->store);
  std::vector<Identity> owed;
  for (const Identity& identity : hint->owed) {
    if (!has_its_due(identity, *hint, owners)) owed.push_back(identity);
  }
  if (owed.size() == hint->owed.size()) return;
  if (owed.empty()) {
    state_.hints.erase(key);
    turn.write({.write = state_.next_number(), .key = key, .synced = false});
    return;
  }
  absl::StatusOr<Record> record = absl::NotFoundError("");
  const absl::StatusOr<bool> found =
      turn.read(key, [&](std::string_view bytes) { record = decode_record(bytes); });
  if (!found.ok() || !record.ok()) return;
  record->owed = owed;
  std::string bytes = encode_record(*record);
  state_.hints.strike(key, std::move(owed), key.size() + bytes.size());
  turn.write(
      {.write = state_.next_number(), .key = key, .record = std::move(bytes), .synced = false});
}

void Handoff::expire(TimePoint now) {
  for (auto at = in_flight_.begin(); at != in_flight_.end();) {
    const auto current = at++;
    const Sent& sent = current->second;
    const bool lost = !state_.is_self(sent.to) &&
                      (now - sent.at >= patience || !state_.detector.reachable(sent.to));
    if (lost) hold_back(receivers_[land(current).to], now);
  }
}

Handoff::Sent Handoff::land(InFlight::iterator at) {
  Sent sent = std::move(at->second);
  in_flight_.erase(at);
  sending_.erase({sent.key, sent.to});
  --receivers_[sent.to].in_flight;
  return sent;
}

void Handoff::hold_back(Receiver& receiver, TimePoint now) {
  if (receiver.not_before > now) return;  // one of a window that failed together
  receiver.backoff = std::clamp(receiver.backoff * 2, backoff_min, backoff_max);
  receiver.not_before = now + receiver.backoff;
}

}  // namespace dynamo::core
