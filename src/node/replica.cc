#include "node/replica.h"

#include <string>
#include <utility>

#include <fmt/format.h>

#include "node/engine_keys.h"

namespace dynamo::core {

namespace {

constexpr std::size_t set_bytes_max = std::size_t{64} << 20;

std::string engine_key(Replica::Role role, std::string_view store, const KeyHash& hash) {
  return role == Replica::Role::stand_in ? hint_key(store, hash) : object_key(store, hash);
}

}  // namespace

// Reads into `record`, which names store and key.
absl::StatusOr<bool> Replica::read_into(const Turn& turn, absl::StatusOr<Record>& record,
                                        Role role) const {
  const ObjectKey at{store_place(record->store), state_.hash(record->key)};
  const std::string where = engine_key(role, record->store, at.hash);
  const absl::StatusOr<bool> found = turn.read(where, [&](std::string_view bytes) {
    const Record wanted = *std::move(record);
    record = decode_record(bytes, wanted.store, wanted.key);
  });
  if (role == Role::stand_in) return found;  // hints are in no tree
  if (absl::IsDataLoss(record.status())) state_.trees.damaged(at);
  if (record.ok()) record->digest_as_read = state_.trees.digest(at.hash, record->replica.set);
  return found;
}

absl::StatusOr<Record> Replica::read(const Turn& turn, const StoreFacts& store,
                                     std::string_view key, Role role) const {
  absl::StatusOr<Record> record = Record{.store = store.name, .key = std::string(key)};
  const absl::StatusOr<bool> found = read_into(turn, record, role);
  if (!found.ok()) return found.status();
  return record;
}

absl::StatusOr<Record> Replica::read_to_heal(const Turn& turn, const StoreFacts& store,
                                             std::string_view key) const {
  absl::StatusOr<Record> record = Record{.store = store.name, .key = std::string(key)};
  const absl::StatusOr<bool> found = read_into(turn, record, Role::primary);
  if (!found.ok()) return found.status();
  // Its actor is lost with it, so the next write here draws a fresh one (trap A3).
  if (absl::IsDataLoss(record.status())) {
    record = Record{.store = store.name, .key = std::string(key), .digest_as_read = Hash128{}};
  }
  return record;
}

std::uint64_t Replica::write(const Turn& turn, const Record& record, bool synced, Role role) {
  if (state_.stores.establish(record.store)) {
    turn.write({.write = state_.next_number(),
                .key = store_key(record.store),
                .record = encode_store(*state_.stores.find(record.store)),
                .synced = synced});
  }
  if (role == Role::primary) return replace(turn, record, encode_record(record), synced);
  const std::uint64_t write = state_.next_number();
  std::string key = engine_key(role, record.store, state_.hash(record.key));
  std::string bytes = encode_record(record);
  state_.hints.put(key, record.owed, record.store, key.size() + bytes.size(), turn.now.wall_us);
  turn.write({.write = write, .key = std::move(key), .record = std::move(bytes), .synced = synced});
  return write;
}

std::uint64_t Replica::erase(const Turn& turn, const Record& record, bool synced) {
  return replace(turn, record, std::nullopt, synced);
}

std::uint64_t Replica::replace(const Turn& turn, const Record& record,
                               std::optional<std::string> bytes, bool synced) {
  const ObjectKey at{store_place(record.store), state_.hash(record.key)};
  std::optional<Hash128> before = record.digest_as_read;
  if (!before) {
    absl::StatusOr<Record> old = Record{.store = record.store, .key = record.key};
    if (read_into(turn, old, Role::primary).ok() && old.ok()) before = old->digest_as_read;
  }
  const Hash128 now = bytes ? state_.trees.digest(at.hash, record.replica.set) : Hash128{};
  const std::uint64_t write = state_.next_number();
  turn.write({.write = write, .key = object_key(at), .record = std::move(bytes), .synced = synced});
  state_.trees.written(at, write, before.value_or(Hash128{}), now);
  return write;
}

absl::Status Replica::check_hint_room(const Record& record) const {
  const std::string key = hint_key(record.store, state_.hash(record.key));
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
