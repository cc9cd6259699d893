#include "node/replica_service.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/mutant.h"

namespace dynamo::core {

using Role = Replica::Role;

absl::Status ReplicaService::admit_store(const Turn& turn, const std::string& from,
                                         const StoreFacts& store, Access access) {
  const absl::Status& serving =
      access == Access::write ? state_.takes_writes() : state_.out_of_service;
  if (!serving.ok()) return absl::UnavailableError(std::string(serving.message()));
  const StoreTable::Verdict verdict = state_.stores.claimed(store, false);
  if (!verdict.status.ok()) {
    // The sender learns what we have, and either yields or says why not.
    const StoreTable::Entry* entry = state_.stores.find(store.name);
    turn.strand.outbox.send(from, StoreAnnounce{entry->facts, entry->established});
    return verdict.status;
  }
  if (verdict.changed) {
    state_.deepen_ring();
    turn.write(state_.store_record(store.name));
  }
  return absl::OkStatus();
}

absl::StatusOr<Replica::Role> ReplicaService::admit(const Turn& turn, const std::string& from,
                                                    const StoreFacts& store, std::string_view key,
                                                    bool stand_in, Access access) {
  const absl::Status admitted = admit_store(turn, from, store, access);
  if (!admitted.ok()) return admitted;
  const auto role = state_.role_for(key, store.n);
  if (!role || (*role == Role::stand_in && !stand_in)) {
    return absl::UnavailableError(fmt::format("not {} of the key in view {}",
                                              stand_in ? "a stand-in" : "an owner",
                                              state_.ring->view_number()));
  }
  return *role;
}

void ReplicaService::read(const Turn& turn, const std::string& from, const ReadRequest& request) {
  const auto answer = [&](std::uint64_t generation, const EncodedSet& set) {
    turn.strand.outbox.send(from, message_type<ReadReply>(), [&](Encoder& out) {
      encode_read_reply(request.operation, generation, set, out);
    });
  };
  const auto refuse = [&](std::string_view reason) {
    turn.strand.outbox.send(
        from, ReadReply{.operation = request.operation, .reason = std::string(reason)});
  };
  const absl::StatusOr<Role> role =
      admit(turn, from, request.store, request.key, request.stand_in, Access::read);
  if (!role.ok()) return refuse(std::string(role.status().message()));
  absl::Status status;
  if (*role == Role::primary) {
    const std::string_view lost = state_.not_rebuilt(request.key);
    if (!lost.empty()) return refuse(lost);
    status = replica_.read_versions(turn, request.store, request.key,
                                    [&](const EncodedSet& set) { answer(state_.stamp(), set); });
  } else {
    absl::StatusOr<Record> hint = replica_.read(turn, request.store, request.key, *role);
    if (hint.ok()) answer(hint->generation, hint->replica.set);
    status = hint.status();
  }
  if (status.ok()) return;
  if (mutated(Mutant::damaged_is_absent)) return answer(state_.stamp(), EncodedSet());
  refuse(fmt::format("damaged: {}", std::string(status.message())));
  turn.log(LogLevel::error, fmt::format("a record of store \"{}\" is unreadable: {}",
                                        request.store.name, std::string(status.message())));
}

void ReplicaService::write(const Turn& turn, const std::string& from, const WriteRequest& request) {
  const auto refuse = [&](std::string reason) {
    turn.strand.outbox.send(
        from, WriteReply{.operation = request.operation, .reason = std::move(reason)});
  };
  const absl::StatusOr<Role> role =
      admit(turn, from, request.store, request.key, !request.owed.empty(), Access::write);
  if (!role.ok()) return refuse(std::string(role.status().message()));
  const Generation& mine = state_.generation;
  const bool accepted = *role == Role::primary ? mine.owner_accepts(request.generation)
                                               : mine.stand_in_accepts(request.generation);
  if (!accepted) {
    return refuse(fmt::format("generation: the set was read in generation {}, this is {}",
                              request.generation, mine.current));
  }
  if (std::string full = turn.own.full(); !full.empty()) return refuse(std::move(full));
  // Most often the set replaces what is there, and neither is decoded.
  std::optional<Replica::Replacement> replacement;
  if (*role == Role::primary) {
    replacement = replica_.replacement(turn, request.store, request.key, request.set);
  }
  if (replacement) {
    if (!replacement->news && again(from, request)) return;
    const std::uint64_t write =
        replica_.write(turn, request.store, *std::move(replacement), request.synced);
    return written(turn, from, request, *role, write);
  }
  absl::StatusOr<Record> record = replica_.read_to_write(turn, request.store, request.key, *role);
  if (!record.ok())
    return refuse(fmt::format("damaged: {}", std::string(record.status().message())));

  const bool new_hint = record->owed.empty();
  const bool news = record->replica.merge(request.set.decode(), request.store.conflict);
  if (!news && *role == Role::primary && again(from, request)) return;
  if (*role == Role::stand_in) {
    record->generation =
        new_hint ? request.generation : std::min(record->generation, request.generation);
    record->owe(request.owed);
    if (absl::Status room = replica_.check_hint_room(*record); !room.ok()) {
      if (mutated(Mutant::hint_dropped_when_full)) {
        turn.strand.outbox.send(
            from, WriteReply{.operation = request.operation, .answer = WriteReply::Answer::synced});
        return;
      }
      return refuse(std::string(room.message()));
    }
  }
  // Written even if it brought nothing new: what is in the buffer already may not be on disk yet,
  // and the answer says that it is.
  const std::uint64_t write = replica_.write(turn, *record, request.synced, *role);
  written(turn, from, request, *role, write);
}

void ReplicaService::written(const Turn& turn, const std::string& from, const WriteRequest& request,
                             Role role, std::uint64_t write) {
  const auto answer = [&](WriteReply::Answer what) {
    turn.strand.outbox.send(from, WriteReply{.operation = request.operation, .answer = what});
  };
  if (!request.synced) return answer(WriteReply::Answer::stored);
  if (mutated(Mutant::answered_before_synced)) return answer(WriteReply::Answer::synced);
  waiting_.emplace(write, Waiting{from, request.operation, role});
}

// It was asked again because the disk is slow, and a second write would not make that better.
bool ReplicaService::again(const std::string& from, const WriteRequest& request) const {
  return request.synced && under_way(from, request.operation);
}

bool ReplicaService::under_way(const std::string& from, std::uint64_t operation) const {
  return std::ranges::any_of(waiting_, [&](const auto& entry) {
    const Waiting& waiting = entry.second;
    return waiting.operation == operation && waiting.role == Role::primary && waiting.from == from;
  });
}

bool ReplicaService::synced(const Turn& turn, std::uint64_t write) {
  const auto at = waiting_.find(write);
  if (at == waiting_.end()) return false;
  turn.strand.outbox.send(at->second.from, WriteReply{.operation = at->second.operation,
                                                      .answer = WriteReply::Answer::synced});
  waiting_.erase(at);
  return true;
}

bool ReplicaService::failed(const Turn& turn, std::uint64_t write, const absl::Status& status) {
  const auto at = waiting_.find(write);
  if (at == waiting_.end()) return false;
  // "Refused" says that nothing was written. After any other failure nobody knows, and silence is
  // the true answer.
  if (absl::IsResourceExhausted(status)) {
    turn.strand.outbox.send(at->second.from, WriteReply{.operation = at->second.operation,
                                                        .reason = std::string(status.message())});
  }
  waiting_.erase(at);
  return true;
}

}  // namespace dynamo::core
