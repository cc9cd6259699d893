#include "node/replica.h"

#include <string>
#include <utility>

#include <fmt/format.h>

#include "node/engine_keys.h"

namespace dynamo::core {

namespace {

constexpr std::size_t set_bytes_max = std::size_t{64} << 20;

}  // namespace

absl::StatusOr<Record> Replica::read(const Turn& turn, const StoreFacts& store,
                                     std::string_view key) const {
  absl::StatusOr<Record> record = Record{.store = store.name, .key = std::string(key)};
  const absl::StatusOr<bool> found =
      turn.read(object_key(store.name, state_.hash(key)),
                [&](std::string_view bytes) { record = decode_record(bytes, store.name, key); });
  if (!found.ok()) return found.status();
  return record;
}

std::uint64_t Replica::write(const Turn& turn, const Record& record, bool synced) {
  if (state_.stores.establish(record.store)) {
    turn.write({.write = state_.next_number(),
                .key = store_key(record.store),
                .record = encode_store(*state_.stores.find(record.store)),
                .synced = synced});
  }
  const std::uint64_t write = state_.next_number();
  turn.write({.write = write,
              .key = object_key(record.store, state_.hash(record.key)),
              .record = encode_record(record),
              .synced = synced});
  return write;
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
