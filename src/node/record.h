#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/statusor.h>
#include <dynamo/membership.h>

#include "base/coding.h"
#include "base/hash.h"
#include "causality/encoded_set.h"
#include "causality/replica_key.h"
#include "causality/usual_set.h"

// The stored form of things: format version (1 byte), content, checksum (8 bytes). A damaged record
// is an error, never a value and never an absence (traps A2, G8).
namespace dynamo::core {

inline constexpr std::uint8_t record_version = 1;

// Content between version and checksum.
std::string seal_record(std::string_view content);
// The content of a sealed record; DATA_LOSS if it is damaged or of a later format.
absl::StatusOr<std::string_view> open_record(std::string_view record);

// What a replica stores of one key.
struct Record {
  std::string store{};
  std::string key{};
  ReplicaKey replica{};
  std::uint64_t generation = 0;
  std::vector<Identity> owed{};  // owners for whom this node keeps it as a stand-in; sorted
  // What the Merkle tree holds of the key, if that is known: set by Replica, never stored.
  std::optional<Hash128> digest_as_read{};

  // And to these.
  void owe(std::span<const Identity> identities);
};

std::string encode_record(const Record& record);
// What stands in a record before the versions. The names are views.
struct RecordHead {
  std::string_view store{};
  std::string_view key{};
  ActorId actor{};
  std::uint64_t generation = 0;
  std::span<const Identity> owed{};
};
// The same, of a set that is encoded already; of the record's own, for a start.
std::string encode_record(const Record& record, const EncodedSet& set);
std::string encode_record(const RecordHead& head, const EncodedSet& set);
// Of whatever key. DATA_LOSS if damaged.
absl::StatusOr<Record> decode_record(std::string_view bytes);
// DATA_LOSS if damaged; INTERNAL if it is the record of another key with the same 128-bit hash.
absl::StatusOr<Record> decode_record(std::string_view bytes, std::string_view store,
                                     std::string_view key);
// Into `record`, which names store and key; after an error it holds nothing of use.
absl::Status decode_record(std::string_view bytes, Record& record);
// The same, of its versions only.
absl::StatusOr<VersionSet> decode_versions(std::string_view bytes, std::string_view store,
                                           std::string_view key);
// The same, where they lie in the record.
absl::StatusOr<EncodedSet> versions_in_place(std::string_view bytes, std::string_view store,
                                             std::string_view key);
// Actor and generation into `head`, which names store and key, and the set, of a record that is
// owed to nobody and holds a set of the usual kind. False if it is another, or damaged.
bool read_usual_record(std::string_view bytes, RecordHead& head, UsualSet& set,
                       std::string_view& set_bytes);

}  // namespace dynamo::core
