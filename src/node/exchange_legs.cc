// The legs of a round: one exchange with one peer each, and how one ends that has no answer.

#include <utility>

#include <fmt/format.h>

#include "base/mutant.h"
#include "node/exchange_rounds.h"

namespace dynamo::core {

// Nobody answers what was put to a process that is gone, and a node is often back before the
// detector misses it: with every deploy. So it is asked again from the start, and so is whoever has
// not got the question, or whose answer was lost. With another disk a peer has lost what earlier
// legs of the round have found there.
void ExchangeRounds::look_at_exchange(Round& round, TimePoint now) {
  const std::string& peer = round.legs[round.leg - 1].peer;
  const bool restarted = round.life != 0 && round.life != state_.life_of(peer);
  if (std::string why = state_.unreachable_reason(peer, now); !why.empty()) {
    fail_leg(round, fmt::format("{} is unreachable: {}", peer, why));
  } else if (round.operation == 0) {
    return;
  } else if (restarted && round.identity != state_.identity_of(peer)) {
    fail_leg(round, fmt::format("{} has another disk", peer));
  } else if (restarted) {
    begin_again(round);
  } else if (round.due <= now) {
    fail_leg(round, fmt::format("{} has not answered", peer));
  } else if (is_lost(round, peer, now)) {
    round.patience *= 2;
    begin_again(round);
  }
}

// As Retransmission has it, but that answers may well be behind a pong: they wait for the disk, and
// on their lane for others. So there is more patience from the start, and twice as much each time.
bool ExchangeRounds::is_lost(Round& round, const std::string& peer, TimePoint now) {
  if (now < round.look_at) return false;
  if (state_.detector.ping_answered_since(peer, round.asked)) return true;
  if (state_.detector.wants_ping(peer, round.asked, now)) state_.ping(peer, now);
  round.look_at = now + FailureDetector::probe;
  return false;
}

void ExchangeRounds::begin_again(Round& round) {
  end_leg(round);
  --round.leg;
}

void ExchangeRounds::add_legs(Round& round) const {
  for (const auto& [name, entry] : state_.stores.entries()) {
    const int n = std::min(entry.facts.n, state_.ring->depth());
    auto owners = state_.ring->all_owners(round.partition, n);
    if (mutated(Mutant::move_from_new_side_only) && state_.ring->is_moving(round.partition)) {
      const auto pending = state_.ring->pending_owners(round.partition, n);
      owners.assign(pending.begin(), pending.end());
    }
    const bool owned = state_.holds(owners, state_.self.name);
    if (!owned && !state_.former.contains(round.partition)) continue;
    const auto kind = owned ? Exchange::Kind::both_ways : Exchange::Kind::give;
    for (std::string& peer : state_.names(owners)) {
      if (!state_.is_self(peer)) round.legs.push_back({entry.facts, std::move(peer), kind});
    }
  }
}

bool ExchangeRounds::begin_leg(const Turn& turn, Round& round) {
  const Leg& leg = round.legs[round.leg++];
  const auto partition = static_cast<std::uint32_t>(round.partition);
  if (std::string why = state_.unreachable_reason(leg.peer, turn.now.steady); !why.empty()) {
    fail_leg(round, fmt::format("{} is unreachable: {}", leg.peer, why));
    return false;
  }
  const int n = std::min(leg.store.n, state_.ring->depth());
  round.exchange.emplace(ExchangeScope{.store = leg.store,
                                       .partition = partition,
                                       .owners = state_.ring->owners_mark(round.partition, n),
                                       .generation = state_.stored_generation.sealed},
                         leg.kind);
  return true;
}

void ExchangeRounds::fail_leg(Round& round, std::string trouble) {
  if (round.trouble.empty()) round.trouble = std::move(trouble);
  end_leg(round);
}

void ExchangeRounds::end_leg(Round& round) {
  if (round.exchange && round.exchange->received()) round.received = true;
  round.exchange.reset();
  round.operation = 0;
  round.due = {};
}

void ExchangeRounds::keep_writes(const std::vector<std::uint64_t>& writes, Round& round,
                                 std::uint64_t number) {
  for (const std::uint64_t write : writes) {
    round.unsynced.insert(write);
    by_write_.emplace(write, number);
  }
}

}  // namespace dynamo::core
