#include "node/record.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/hash.h"
#include "base/spare_buffers.h"
#include "wire/codec.h"

namespace dynamo::core {

namespace {

constexpr std::size_t checksum_bytes = 8;
constexpr std::size_t record_bytes_usual = 64;  // without names and versions

}  // namespace

void Record::owe(std::span<const Identity> identities) {
  owed.insert(owed.end(), identities.begin(), identities.end());
  std::ranges::sort(owed);
  owed.erase(std::unique(owed.begin(), owed.end()), owed.end());
}

std::string seal_record(std::string_view content) {
  std::string bytes;
  bytes.reserve(content.size() + 1 + checksum_bytes);
  Encoder out(bytes);
  out.fixed8(record_version);
  out.raw(content);
  out.fixed64(checksum(bytes));
  return bytes;
}

absl::StatusOr<std::string_view> open_record(std::string_view record) {
  if (record.size() < 1 + checksum_bytes) {
    return absl::DataLossError(fmt::format("record of {} bytes is too short", record.size()));
  }
  const std::string_view sealed = record.substr(0, record.size() - checksum_bytes);
  Decoder tail(record.substr(sealed.size()));
  if (tail.fixed64() != checksum(sealed))
    return absl::DataLossError("record checksum does not match");
  const auto version = static_cast<unsigned char>(sealed.front());
  if (version != record_version) {
    return absl::DataLossError(
        fmt::format("record of format {}, this library reads format {}", version, record_version));
  }
  return sealed.substr(1);
}

std::string encode_record(const Record& record) {
  const std::size_t usual = record_bytes_usual + record.store.size() + record.key.size() +
                            record.replica.set.bytes();
  std::string bytes = SpareBuffers::take(usual);  // the object buffer gives it back
  bytes.reserve(usual);
  Encoder out(bytes);
  out.fixed8(record_version);
  out.bytes(record.store);
  out.bytes(record.key);
  out.fixed64(record.replica.actor.boot);
  out.varint(record.replica.actor.sequence);
  out.varint(record.generation);
  out.varint(record.owed.size());
  for (const Identity& identity : record.owed) {
    out.fixed64(identity.high);
    out.fixed64(identity.low);
  }
  record.replica.set.encode(out);
  out.fixed64(checksum(bytes));
  return bytes;
}

namespace {

// What stands in a record before the versions. The names are views into it.
struct RecordHead {
  std::string_view store{};
  std::string_view key{};
  ActorId actor{};
  std::uint64_t generation = 0;
  std::vector<Identity> owed{};
};

RecordHead decode_head(Decoder& in) {
  RecordHead head;
  head.store = in.bytes(name_bytes_max);
  head.key = in.bytes(key_bytes_max);
  head.actor.boot = in.fixed64();
  head.actor.sequence = in.varint();
  head.generation = in.varint();
  const std::uint64_t owed = in.count(owed_max, 16);
  for (std::uint64_t i = 0; i < owed && in.ok(); ++i) {
    const std::uint64_t high = in.fixed64();
    head.owed.push_back({high, in.fixed64()});
  }
  return head;
}

absl::Status malformed() { return absl::DataLossError("record is malformed"); }

absl::Status same_hash() {
  return absl::InternalError("two keys have the same 128-bit hash; the second cannot be stored");
}

}  // namespace

absl::StatusOr<Record> decode_record(std::string_view bytes) {
  const absl::StatusOr<std::string_view> content = open_record(bytes);
  if (!content.ok()) return content.status();
  Decoder in(*content);
  RecordHead head = decode_head(in);
  Record record{.store = std::string(head.store),
                .key = std::string(head.key),
                .generation = head.generation,
                .owed = std::move(head.owed)};
  record.replica.actor = head.actor;
  record.replica.set = VersionSet::decode(in);
  if (!in.ok()) return malformed();
  return record;
}

namespace {

// `read(Decoder&)` reads what stands behind the head.
template <class Read>
auto read_versions(std::string_view bytes, std::string_view store, std::string_view key, Read read)
    -> absl::StatusOr<decltype(read(std::declval<RecordHead&>(), std::declval<Decoder&>()))> {
  const absl::StatusOr<std::string_view> content = open_record(bytes);
  if (!content.ok()) return content.status();
  Decoder in(*content);
  RecordHead head = decode_head(in);
  auto set = read(head, in);
  if (!in.ok()) return malformed();
  if (head.key != key || head.store != store) return same_hash();
  return set;
}

}  // namespace

absl::Status decode_record(std::string_view bytes, Record& record) {
  absl::StatusOr<VersionSet> set =
      read_versions(bytes, record.store, record.key, [&](RecordHead& head, Decoder& in) {
        record.replica.actor = head.actor;
        record.generation = head.generation;
        record.owed = std::move(head.owed);
        return VersionSet::decode(in);
      });
  if (set.ok()) record.replica.set = *std::move(set);
  return set.status();
}

absl::StatusOr<Record> decode_record(std::string_view bytes, std::string_view store,
                                     std::string_view key) {
  Record record{.store = std::string(store), .key = std::string(key)};
  if (absl::Status decoded = decode_record(bytes, record); !decoded.ok()) return decoded;
  return record;
}

absl::StatusOr<VersionSet> decode_versions(std::string_view bytes, std::string_view store,
                                           std::string_view key) {
  return read_versions(bytes, store, key,
                       [](const RecordHead&, Decoder& in) { return VersionSet::decode(in); });
}

absl::StatusOr<EncodedSet> versions_in_place(std::string_view bytes, std::string_view store,
                                             std::string_view key) {
  return read_versions(bytes, store, key, [](const RecordHead&, Decoder& in) {
    return EncodedSet::read_in_place(in);
  });
}

}  // namespace dynamo::core
