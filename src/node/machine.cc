#include "node/machine.h"

#include <algorithm>
#include <type_traits>
#include <utility>

#include <fmt/format.h>

#include "base/mutant.h"
#include "coordinator/outcome.h"
#include "node/engine_keys.h"
#include "wire/codec.h"
#include "wire/packet.h"

namespace dynamo::core {

Machine::Machine(NodeIdentity identity, NodeSettings settings)
    : state_(std::move(identity), std::move(settings)),
      views_(state_),
      replica_(state_),
      service_(state_, replica_),
      handoff_(state_, replica_),
      gets_(state_, replica_),
      coordinator_(state_, replica_),
      puts_(state_, coordinator_),
      generations_(state_),
      anti_entropy_(state_, replica_, service_, generations_),
      departure_(state_, handoff_, gets_, puts_, coordinator_) {}

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
  written_.clear();
  const Turn turn{now, own, out, written_};
  std::visit([&](auto&& e) { on(turn, std::forward<decltype(e)>(e)); }, std::move(event));
  for (bool begun = true; begun;) {
    deliver_finished(turn);
    begun = gets_.room(turn);
    begun |= puts_.room(turn);
  }
}

void Machine::expect(const Event& event) {
  if (const auto* get = std::get_if<ClientGet>(&event)) expect_read(*get);
  if (const auto* put = std::get_if<ClientPut>(&event)) expect_write(*put);
}

void Machine::bring(const RecordReader& own) {
  state_.trees.prefetch(expected_writes_);
  expected_.clear();
  for (std::vector<ObjectKey>* keys : {&expected_reads_, &expected_writes_}) {
    for (const ObjectKey& key : *keys) expected_.push_back(object_key_in_place(key));
    keys->clear();
  }
  own.expect(expected_);
}

void Machine::deliver_finished(const Turn& turn) {
  // A put that one owner did not take goes to the next, which may be this node again.
  while (coordinator_.take_finished(finished_)) {
    for (PutCoordinator::Finished& one : finished_) {
      if (state_.is_self(one.to)) {
        puts_.reply(turn, one.to, std::move(one.reply));
      } else {
        state_.outbox.send(one.to, std::move(one.reply));
      }
    }
  }
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
  TimePoint next =
      std::min({gets_.next_tick(), coordinator_.next_tick(), puts_.next_tick(),
                state_.detector.next_tick(), handoff_.next_tick(), anti_entropy_.next_tick(),
                generations_.next_tick(), views_.next_tick(), departure_.next_tick()});
  for (const auto& request : waiting_for_view_) {
    next = std::min(next, std::visit([](const auto& r) { return r.deadline; }, request));
  }
  return next;
}

template <class Request, class Complete>
bool Machine::may_start(const Request& request, std::vector<Complete>& completions) const {
  absl::Status refusal =
      std::is_same_v<Request, ClientPut> ? state_.takes_writes() : state_.out_of_service;
  if (refusal.ok()) refusal = state_.stores.check(request.store);
  if (refusal.ok() && state_.draining) {
    refusal = absl::FailedPreconditionError(
        fmt::format("{}: node \"{}\" is draining", quote(request.key), state_.self.name));
  }
  if (refusal.ok()) return true;
  completions.push_back({request.request, std::move(refusal)});
  return false;
}

// A context is checked here and not in the handle, because only the machine knows its cluster.
absl::Status Machine::check_context(const Context& context, const StoreFacts& store,
                                    std::string_view key) const {
  if (context.empty()) return absl::OkStatus();
  absl::Status bound =
      check_binding(context, bind_context(state_.cluster, store.name, key), store.name, key);
  if (!bound.ok() && !mutated(Mutant::foreign_context_accepted)) return bound;
  const ContextSecrets* const secrets = state_.settings.context_secrets.get();
  if (secrets == nullptr) return absl::OkStatus();  // before names are copied for nothing
  return check_seal(context, secrets,
                    {.cluster = state_.cluster, .store = store.name, .key = std::string(key)});
}

void Machine::on(const Turn& turn, ClientGet get) {
  if (!may_start(get, turn.out.gets)) return;
  if (state_.ring == nullptr) {
    waiting_for_view_.emplace_back(std::move(get));
    return;
  }
  absl::Status bound = check_context(get.at_least, get.store, get.key);
  if (!bound.ok()) {
    turn.out.gets.push_back({get.request, std::move(bound)});
    return;
  }
  gets_.start(turn, std::move(get));
}

void Machine::on(const Turn& turn, ClientPut put) {
  if (!may_start(put, turn.out.puts)) return;
  if (state_.ring == nullptr) {
    waiting_for_view_.emplace_back(std::move(put));
    return;
  }
  absl::Status bound = check_context(put.context, put.store, put.key);
  if (!bound.ok()) {
    turn.out.puts.push_back({put.request, std::move(bound)});
    return;
  }
  puts_.start(turn, std::move(put));
}

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
  if (gets_.cancel(turn, cancel.request) || puts_.cancel(turn, cancel.request)) return;
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
    if (!service_.synced(write) && !handoff_.synced(turn, write)) coordinator_.synced(turn, write);
  }
  anti_entropy_.synced(turn, written.writes);
}

void Machine::on(const Turn& turn, const WriteFailed& failed) {
  turn.log(LogLevel::error, fmt::format("{} records could not be written: {}", failed.writes.size(),
                                        failed.status.ToString()));
  state_.actors.distrust();
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
    if (service_.failed(write, failed.status) || handoff_.failed(write)) continue;
    coordinator_.failed(turn, write, failed.status);
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
  gets_.tick(turn);
  coordinator_.tick(turn);
  deliver_finished(turn);  // what the coordinator knows beats what the request can say
  puts_.tick(turn);
  if (state_.ring != nullptr && state_.takes_writes().ok()) handoff_.tick(turn);
  departure_.tick(turn);
  std::vector<std::string> lost;
  for (const std::string& peer : state_.detector.tick(turn.now.steady, lost)) {
    state_.ping(peer, turn.now.steady);
  }
  for (const std::string& peer : lost) {
    turn.log(LogLevel::warning, fmt::format("{} is unreachable: {}", peer,
                                            state_.unreachable_reason(peer, turn.now.steady)));
    gets_.peer_lost(turn, peer);
    coordinator_.peer_lost(turn, peer);
    deliver_finished(turn);
    puts_.peer_lost(turn, peer);
  }
}

}  // namespace dynamo::core
