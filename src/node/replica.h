#pragma once

#include <cstdint>
#include <string_view>

#include <absl/functional/function_ref.h>
#include <absl/status/statusor.h>

#include "node/engine_keys.h"
#include "node/node_state.h"
#include "node/record.h"

namespace dynamo::core {

// This node's own records of keys: those that it owns, and those that it keeps for others as a
// stand-in, which lie apart. Reads and writes are synchronous against the object buffer, so a
// read-modify-write is never interleaved.
//
// Thread safety: one thread at a time.
class Replica {
 public:
  using Role = ReplicaReport::Role;

  explicit Replica(NodeState& state) : state_(state) {}

  // The record, or an empty one if there is none. An error means that nobody knows what this node
  // has of the key: it neither answers for it nor coordinates (trap A2).
  absl::StatusOr<Record> read(const Turn& turn, const StoreFacts& store, std::string_view key,
                              Role role = Role::primary) const;

  // The same, of what an owner answers a get with. Calls `see` unless there is an error; the set is
  // valid during the call only.
  absl::Status read_versions(const Turn& turn, const StoreFacts& store, std::string_view key,
                             absl::FunctionRef<void(const EncodedSet&)> see) const;

  // The same, with what write() has to know of the record as it was. Whoever only answers with it
  // does without.
  absl::StatusOr<Record> read_to_write(const Turn& turn, const StoreFacts& store,
                                       std::string_view key, Role role = Role::primary) const;
  // The same, but a damaged record counts as none: for what comes from other owners to heal it.
  absl::StatusOr<Record> read_to_heal(const Turn& turn, const StoreFacts& store,
                                      std::string_view key) const;

  // Puts the record into the object buffer and returns the number under which BatchWritten or
  // WriteFailed speaks of it.
  std::uint64_t write(const Turn& turn, const Record& record, bool synced,
                      Role role = Role::primary);
  // The same, of a record whose set is encoded already.
  std::uint64_t write(const Turn& turn, const Record& record, const EncodedSet& set, bool synced,
                      Role role);

  // What an owner writes when a set from another replaces its own, and both are of the usual kind:
  // then neither has to be decoded.
  struct Replacement {
    ObjectKey at{};
    std::string record{};
    Hash128 before{};
    Hash128 now{};
    bool deletes = false;  // as only_deletes_at()
    bool news = true;      // the two sets differ
  };
  // Nullopt if it is not so, or unknown.
  std::optional<Replacement> replacement(const Turn& turn, const StoreFacts& store,
                                         std::string_view key, const EncodedSet& incoming) const;
  std::uint64_t write(const Turn& turn, const StoreFacts& store, Replacement replacement,
                      bool synced);

  // Drops an owned record, whose digest is known.
  void erase(const Turn& turn, const ObjectKey& at, const Hash128& digest);

  // Why the record cannot be kept as a hint, or OK. An accepted one is never dropped, so the bound
  // is held here.
  absl::Status check_hint_room(const Record& record) const;

  // Why the record must not grow further, or OK.
  static absl::Status check_bounds(const Record& record);

 private:
  ObjectKey place_of(const Record& record) const;
  absl::Status read_into(const Turn& turn, absl::StatusOr<Record>& record, Role role) const;
  void note_damage(const Turn& turn, const ObjectKey& at) const;
  void note_digest(absl::StatusOr<Record>& record) const;
  Hash128 digest_before(const Turn& turn, const Record& record) const;
  void establish(const Turn& turn, std::string_view store, bool synced);
  std::uint64_t write_own(const Turn& turn, Replacement next, bool synced);

  NodeState& state_;
};

}  // namespace dynamo::core
