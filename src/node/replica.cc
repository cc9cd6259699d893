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

absl::StatusOr<Record> Replica::read(const Turn& turn, const StoreFacts& store,
                                     std::string_view key, Role role) const {
  absl::StatusOr<Record> record = Record{.store = store.name, .key = std::string(key)};
  const absl::StatusOr<bool> found =
      turn.read(engine_key(role, store.name, state_.hash(key)),
                [&](std::string_view bytes) { record = decode_record(bytes, store.name, key); });
  if (!found.ok()) return found.status();
  return record;
}

std::uint64_t Replica::write(const Turn& turn, const Record& record, bool synced, Role role) {
  if (state_.stores.establish(record.store)) {
    turn.write({.write = state_.next_number(),
                .key = store_key(record.store),
                .record = encode_store(*state_.stores.find(record.store)),
                .synced = synced});
  }
  const std::uint64_t write = state_.next_number();
  std::string key = engine_key(role, record.store, state_.hash(record.key));
  std::string bytes = encode_record(record);
  if (role == Role::stand_in) {
    state_.hints.put(key, record.owed, record.store, key.size() + bytes.size(), turn.now.wall_us);
  }
  turn.write({.write = write, .key = std::move(key), .record = std::move(bytes), .synced = synced});
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
