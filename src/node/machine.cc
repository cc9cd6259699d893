#include "node/machine.h"

#include <algorithm>
#include <type_traits>
#include <utility>

#include <fmt/format.h>

#include "coordinator/outcome.h"
#include "node/engine_keys.h"
#include "wire/codec.h"
#include "wire/packet.h"

namespace dynamo::core {

namespace {

std::vector<std::unique_ptr<StrandWork>> work_of_strands(NodeState& state, Replica& replica) {
  std::vector<std::unique_ptr<StrandWork>> strands;
  for (const auto& strand : state.strands) {
    strands.push_back(std::make_unique<StrandWork>(state, *strand, replica));
  }
  return strands;
}

}  // namespace

Machine::Machine(NodeIdentity identity, NodeSettings settings)
    : state_(std::move(identity), std::move(settings)),
      views_(state_),
      replica_(state_),
      strands_(work_of_strands(state_, replica_)),
      handoff_(state_, replica_),
      generations_(state_),
      anti_entropy_(state_, replica_, work(state_.common).service(), generations_),
      departure_(state_, handoff_, strands_) {}

absl::Status Machine::restore(std::string_view key, std::string_view record) {
  if (is_kind(key, RecordKind::peer)) {
    absl::StatusOr<PeerTable::Peer> peer = decode_peer(record);
    if (!peer.ok()) return peer.status();
    state_.peers.restore(*std::move(peer));
  } else if (is_kind(key, RecordKind::store)) {
    absl::StatusOr<StoreTable::Entry> entry = decode_store(record);
    if (!entry.ok()) return entry.status();
    state_.stores.restore(*std::move(entry));
  } else if (is_kind(key, RecordKind::view)) {
    return views_.restore(record);
  } else if (is_kind(key, RecordKind::generation)) {
    return generations_.restore(record);
  } else if (is_kind(key, RecordKind::hint)) {
    return handoff_.restore(key, record);
  }
  return absl::OkStatus();
}

void Machine::step(const Now& now, Event&& event, const RecordReader& own, Actions& out) {
  StrandWork& common = work(state_.common);
  common.written().clear();
  const Turn turn{now, own, out, common.written(), state_.common};
  std::visit([&](auto&& e) { on(turn, std::forward<decltype(e)>(e)); }, std::move(event));
  for (const auto& strand : strands_) strand->end_step(turn.in(strand->strand()));
}

PacketHeader Machine::header_to(const std::string& name) const {
  const PeerTable::Peer* peer = state_.peers.find(name);
  return {.cluster = state_.cluster,
          .sender = state_.self.identity,
          .boot = state_.self.boot,
          .boot_random = state_.self.boot_random,
          .receiver = peer == nullptr ? 0 : peer->identity.high,
          .replaced = peer != nullptr && !peer->former.empty(),
          .view = state_.ring == nullptr ? 0 : state_.ring->view_number(),
          .generation = state_.stored_generation.current,
          .sealed = state_.stored_generation.sealed,
          .from = state_.self.name,
          .to = name};
}

void Machine::end_turn(const Now& now, Actions& out) {
  seal_messages(now, out);
  std::ranges::move(unaddressed_, std::back_inserter(out.packets));
  unaddressed_.clear();
}

absl::Status Machine::open_store(const StoreFacts& facts, Actions& out) {
  if (!state_.takes_writes().ok()) return state_.takes_writes();
  const StoreTable::Verdict verdict = state_.stores.open(facts);
  if (!verdict.status.ok()) return verdict.status;
  if (verdict.changed) {
    state_.deepen_ring();
    out.writes.push_back(state_.store_record(facts.name));
  }
  announce(*state_.stores.find(facts.name));
  return absl::OkStatus();
}

// Peers that are down hear of the store with the first request.
void Machine::announce(const StoreTable::Entry& entry) {
  if (state_.ring == nullptr) return;
  for (const Member& member : state_.ring->members()) {
    if (state_.is_self(member.name)) continue;
    state_.outbox.send(member.name, StoreAnnounce{entry.facts, entry.established});
  }
}

TimePoint Machine::next_tick() const {
  TimePoint next = TimePoint::max();
  for (const auto& strand : state_.strands) {
    next = std::min(next, next_tick_in_strand(strand->index));
  }
  return next;
}

TimePoint Machine::next_tick_in_strand(int strand) const {
  const TimePoint own = strands_[static_cast<std::size_t>(strand)]->next_tick();
  if (strand != state_.common.index) return own;
  TimePoint next =
      std::min({own, state_.detector.next_tick(), handoff_.next_tick(), anti_entropy_.next_tick(),
                generations_.next_tick(), views_.next_tick(), departure_.next_tick()});
  for (const auto& request : waiting_for_view_) {
    next = std::min(next, std::visit([](const auto& r) { return r.deadline; }, request));
  }
  return next;
}

template <class Request>
void Machine::begin(const Turn& turn, Request&& request) {
  if (!work(state_.common).may_start(request, turn.out)) return;
  if (state_.ring == nullptr) {
    waiting_for_view_.emplace_back(std::move(request));
    return;
  }
  StrandWork& strand = work(state_.strand_of(request.key));
  strand.start(turn.in(strand.strand()), std::move(request));
}

void Machine::on(const Turn& turn, ClientGet&& get) { begin(turn, std::move(get)); }

void Machine::on(const Turn& turn, ClientPut&& put) { begin(turn, std::move(put)); }

void Machine::on(const Turn& turn, const ClientWait& wait) {
  if (wait.goal == ClientWait::Goal::converged) return anti_entropy_.start(turn, wait);
  departure_.start(turn, wait);
}

void Machine::on(const Turn& turn, const ClientChange& change) {
  const std::string& name = change.change.member.name;
  const bool removes = change.change.kind == Change::Kind::remove && !change.change.force;
  if (removes && state_.member(name) != nullptr && state_.detector.reachable(name)) {
    turn.out.waits.push_back(
        {change.request, absl::FailedPreconditionError(
                             fmt::format("remove: \"{}\" can be reached; let it leave", name))});
    return;
  }
  turn.out.changes.push_back({change.request, change.change});
}

void Machine::on(const Turn& turn, const Cancel& cancel) {
  if (anti_entropy_.cancel(turn, cancel.request)) return;
  if (departure_.cancel(turn, cancel.request)) return;
  for (const auto& strand : strands_) {
    if (strand->cancel(turn.in(strand->strand()), cancel.request)) return;
  }
  const auto at = std::ranges::find_if(waiting_for_view_, [&](const auto& waiting) {
    return std::visit([&](const auto& r) { return r.request == cancel.request; }, waiting);
  });
  if (at == waiting_for_view_.end()) return;  // finished already
  const absl::Status status = absl::CancelledError("cancelled before it began");
  if (const auto* get = std::get_if<ClientGet>(&*at)) {
    turn.out.gets.push_back({get->request, status});
  } else {
    turn.out.puts.push_back({cancel.request, status});
  }
  waiting_for_view_.erase(at);
}

void Machine::on(const Turn& turn, const BatchWritten& written) {
  for (const std::uint64_t write : written.writes) {
    generations_.synced(write);
    views_.synced(write);
    departure_.synced(turn, write);
    if (handoff_.synced(turn, write)) continue;
    Strand* const strand = state_.strand_of_number(write);
    if (strand != nullptr) work(*strand).synced(turn.in(*strand), write);
  }
  anti_entropy_.synced(turn, written.writes);
}

void Machine::on(const Turn& turn, const WriteFailed& failed) {
  turn.log(LogLevel::error, fmt::format("{} records could not be written: {}", failed.writes.size(),
                                        failed.status.ToString()));
  for (const auto& strand : state_.strands) strand->actors.distrust();
  anti_entropy_.failed(turn, failed.writes, failed.status);
  if (absl::IsDataLoss(failed.status)) {
    state_.storage_failed =
        absl::DataLossError(fmt::format("node \"{}\" takes no more writes, its storage failed: {}",
                                        state_.self.name, std::string(failed.status.message())));
  }
  for (const std::uint64_t write : failed.writes) {
    generations_.failed(write);
    views_.failed(write, turn.now.steady);
    departure_.failed(write);
    if (handoff_.failed(write)) continue;
    Strand* const strand = state_.strand_of_number(write);
    if (strand != nullptr) work(*strand).failed(turn.in(*strand), write, failed.status);
  }
  // What names a store is written once, and may be among it; these are tried until there is room.
  for (const auto& [name, entry] : state_.stores.entries()) {
    turn.write(state_.store_record(name, false));
  }
}

void Machine::on(const Turn&, const MembershipSends& sends) {
  // What the membership says is for whoever has none yet, too, and names its cluster itself.
  PacketHeader header = header_to({});
  header.cluster = {};
  PacketWriter writer(header);
  writer.add(MembershipMessage{sends.payload});
  unaddressed_.push_back({.address = sends.address, .packet = std::move(writer).finish()});
}

void Machine::on(const Turn& turn, const Tick&) {
  anti_entropy_.tick(
      turn);  // first: its walk reads what is written, and not yet what this step adds
  generations_.tick(turn);
  views_.tick(turn);
  expire_waiting(turn);
  for (const auto& strand : strands_) strand->tick(turn.in(strand->strand()));
  if (state_.ring != nullptr && state_.takes_writes().ok()) handoff_.tick(turn);
  departure_.tick(turn);
  std::vector<std::string> lost;
  for (const std::string& peer : state_.detector.tick(turn.now.steady, lost)) {
    state_.ping(peer, turn.now.steady);
  }
  for (const std::string& peer : lost) {
    turn.log(LogLevel::warning, fmt::format("{} is unreachable: {}", peer,
                                            state_.unreachable_reason(peer, turn.now.steady)));
    for (const auto& strand : strands_) strand->peer_lost(turn.in(strand->strand()), peer);
  }
}

}  // namespace dynamo::core
