#include "node/replica.h"

#include <string>
#include <utility>

#include <fmt/format.h>

#include "base/mutant.h"
#include "node/engine_keys.h"

namespace dynamo::core {

namespace {

constexpr std::size_t set_bytes_max = std::size_t{64} << 20;

ObjectKeyBytes engine_key(Replica::Role role, const ObjectKey& at) {
  return role == Replica::Role::stand_in ? hint_key_in_place(at) : object_key_in_place(at);
}

std::string_view view(const ObjectKeyBytes& key) { return {key.data(), key.size()}; }

}  // namespace

ObjectKey Replica::place_of(const Record& record) const {
  return state_.place(record.store, record.key);
}

// Reads into `record`, which names store and key.
absl::Status Replica::read_into(const Turn& turn, absl::StatusOr<Record>& record, Role role) const {
  const ObjectKey at = place_of(*record);
  const ObjectKeyBytes key = engine_key(role, at);
  const absl::StatusOr<bool> found = turn.read(view(key), [&](std::string_view bytes) {
    if (absl::Status decoded = decode_record(bytes, *record); !decoded.ok()) {
      record = std::move(decoded);
    }
  });
  // Hints are in no tree.
  if (role == Role::primary && absl::IsDataLoss(record.status())) note_damage(turn, at);
  return found.status();
}

void Replica::note_damage(const Turn& turn, const ObjectKey& at) const {
  state_.trees.damaged(at);
  turn.strand.common_is_due = true;
}

void Replica::note_digest(absl::StatusOr<Record>& record) const {
  if (!record.ok()) return;
  record->digest_as_read = state_.trees.digest(state_.hash(record->key), record->replica.set);
}

absl::StatusOr<Record> Replica::read(const Turn& turn, const StoreFacts& store,
                                     std::string_view key, Role role) const {
  absl::StatusOr<Record> record = Record{.store = store.name, .key = std::string(key)};
  if (absl::Status read = read_into(turn, record, role); !read.ok()) return read;
  return record;
}

absl::Status Replica::read_versions(const Turn& turn, const StoreFacts& store, std::string_view key,
                                    absl::FunctionRef<void(const EncodedSet&)> see) const {
  const ObjectKey at = state_.place(store.name, key);
  const ObjectKeyBytes place = object_key_in_place(at);
  absl::Status status;
  const absl::StatusOr<bool> found = turn.read(view(place), [&](std::string_view bytes) {
    const absl::StatusOr<EncodedSet> set = versions_in_place(bytes, store.name, key);
    if (set.ok()) {
      see(*set);
    } else {
      status = set.status();
    }
  });
  if (absl::IsDataLoss(status)) note_damage(turn, at);
  if (!found.ok()) return found.status();
  if (!*found) see(EncodedSet());
  return status;
}

absl::StatusOr<Record> Replica::read_to_write(const Turn& turn, const StoreFacts& store,
                                              std::string_view key, Role role) const {
  absl::StatusOr<Record> record = read(turn, store, key, role);
  if (role == Role::primary) note_digest(record);
  return record;
}

absl::StatusOr<Record> Replica::read_to_heal(const Turn& turn, const StoreFacts& store,
                                             std::string_view key) const {
  absl::StatusOr<Record> record = Record{.store = store.name, .key = std::string(key)};
  if (absl::Status read = read_into(turn, record, Role::primary); !read.ok()) return read;
  // Its actor is lost with it, so the next write here draws a fresh one (trap A3).
  if (absl::IsDataLoss(record.status())) {
    return Record{.store = store.name, .key = std::string(key), .digest_as_read = Hash128{}};
  }
  note_digest(record);
  return record;
}

void Replica::establish(const Turn& turn, std::string_view store, bool synced) {
  if (state_.stores.establish(store)) turn.write(state_.store_record(store, synced));
}

std::uint64_t Replica::write(const Turn& turn, const Record& record, bool synced, Role role) {
  return write(turn, record, EncodedSet(record.replica.set), synced, role);
}

std::uint64_t Replica::write(const Turn& turn, const Record& record, const EncodedSet& set,
                             bool synced, Role role) {
  establish(turn, record.store, synced);
  const ObjectKey at = place_of(record);
  std::string bytes = encode_record(record, set);
  if (role == Role::primary) {
    const bool forgets = mutated(Mutant::tree_forgets_merges) && set.version_count() > 1;
    const Hash128 before = digest_before(turn, record);
    const Hash128 now = forgets ? before : state_.trees.digest(at.hash, record.replica.set);
    const bool deletes = record.replica.set.only_deletes_at(turn.now.wall_us);
    return write_own(turn, {at, std::move(bytes), before, now, deletes}, synced);
  }
  const std::uint64_t write = turn.strand.next_number();
  std::string key = hint_key(at);
  state_.hints.put(key, record.owed, record.store, key.size() + bytes.size(), turn.now.wall_us,
                   record.generation);
  turn.strand.common_is_due = true;
  turn.write({.write = write, .key = std::move(key), .record = std::move(bytes), .synced = synced});
  return write;
}

std::optional<Replica::Replacement> Replica::replacement(const Turn& turn, const StoreFacts& store,
                                                         std::string_view key,
                                                         const EncodedSet& incoming) const {
  UsualSet theirs;
  if (mutated(Mutant::history_pruned_on_repair) || !theirs.read(incoming.bytes())) return {};
  Replacement next{.at = state_.place(store.name, key), .news = !theirs.empty()};
  RecordHead head{.store = store.name, .key = key};
  bool replaces = true;  // what there is not, for a start
  const ObjectKeyBytes place = object_key_in_place(next.at);
  const absl::StatusOr<bool> found = turn.read(view(place), [&](std::string_view bytes) {
    UsualSet mine;
    std::string_view set;
    replaces = read_usual_record(bytes, head, mine, set) && theirs.replaces(mine);
    if (!replaces) return;
    next.news = set != incoming.bytes();
    next.before = state_.trees.digest(next.at.hash, mine);
    // As ReplicaKey::merge() does.
    const bool remembered = theirs.highest(head.actor) > mine.highest(head.actor);
    if (remembered && !mutated(Mutant::actor_kept_after_loss)) head.actor = {};
  });
  if (!found.ok() || !replaces) return {};
  next.record = encode_record(head, incoming);
  next.now = state_.trees.digest(next.at.hash, theirs);
  next.deletes = theirs.only_deletes_at(turn.now.wall_us);
  return next;
}

std::uint64_t Replica::write(const Turn& turn, const StoreFacts& store, Replacement replacement,
                             bool synced) {
  establish(turn, store.name, synced);
  return write_own(turn, std::move(replacement), synced);
}

std::uint64_t Replica::write_own(const Turn& turn, Replacement next, bool synced) {
  const std::uint64_t write = turn.strand.next_number();
  state_.trees.written(next.at, write, next.before, next.now);
  state_.trees.note_deletes(next.at, next.deletes);
  if (next.deletes) turn.strand.common_is_due = true;
  turn.write({.write = write,
              .key = object_key(next.at),
              .record = std::move(next.record),
              .synced = synced});
  return write;
}

void Replica::erase(const Turn& turn, const ObjectKey& at, const Hash128& digest) {
  const std::uint64_t write = turn.strand.next_number();
  state_.trees.written(at, write, digest, {});
  state_.trees.note_deletes(at, false);
  turn.write({.write = write, .key = object_key(at), .synced = false});
}

Hash128 Replica::digest_before(const Turn& turn, const Record& record) const {
  if (record.digest_as_read) return *record.digest_as_read;
  absl::StatusOr<Record> old = Record{.store = record.store, .key = record.key};
  if (!read_into(turn, old, Role::primary).ok()) return {};
  note_digest(old);
  return old.ok() ? *old->digest_as_read : Hash128{};
}

absl::Status Replica::check_hint_room(const Record& record) const {
  const std::string key = hint_key(place_of(record));
  const std::size_t bytes = key.size() + record.replica.set.bytes();
  const std::size_t bytes_max = state_.settings.hint_bytes_max;
  if (state_.hints.has_room(key, bytes, bytes_max)) return absl::OkStatus();
  return absl::ResourceExhaustedError(
      fmt::format("the hints kept for others take {} bytes, hint_bytes_max is {}",
                  state_.hints.bytes(), bytes_max));
}

absl::Status Replica::check_bounds(const Record& record) {
  const VersionSet& set = record.replica.set;
  if (set.history().size() > History::entries_max) {
    return absl::ResourceExhaustedError(
        fmt::format("the key's history has {} entries, the limit is {}", set.history().size(),
                    History::entries_max));
  }
  if (set.bytes() > set_bytes_max) {
    return absl::ResourceExhaustedError(fmt::format(
        "the key's versions take {} bytes together, the limit is {}", set.bytes(), set_bytes_max));
  }
  return absl::OkStatus();
}

}  // namespace dynamo::core
