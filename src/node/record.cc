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
  return encode_record(record, EncodedSet(record.replica.set));
}

std::string encode_record(const Record& record, const EncodedSet& set) {
  return encode_record(RecordHead{.store = record.store,
                                  .key = record.key,
                                  .actor = record.replica.actor,
                                  .generation = record.generation,
                                  .owed = record.owed},
                       set);
}

std::string encode_record(const RecordHead& head, const EncodedSet& set) {
  const std::size_t usual =
      record_bytes_usual + head.store.size() + head.key.size() + set.bytes().size();
  std::string bytes = SpareBuffers::take(usual);  // the object buffer gives it back
  bytes.reserve(usual);
  Encoder out(bytes);
  out.fixed8(record_version);
  out.bytes(head.store);
  out.bytes(head.key);
  out.fixed64(head.actor.boot);
  out.varint(head.actor.sequence);
  out.varint(head.generation);
  out.varint(head.owed.size());
  for (const Identity& identity : head.owed) {
    out.fixed64(identity.high);
    out.fixed64(identity.low);
  }
  out.raw(set.bytes());
  out.fixed64(checksum(bytes));
  return bytes;
}

namespace {

RecordHead decode_head(Decoder& in, std::vector<Identity>& owed_to) {
  RecordHead head;
  head.store = in.bytes(name_bytes_max);
  head.key = in.bytes(key_bytes_max);
  head.actor.boot = in.fixed64();
  head.actor.sequence = in.varint();
  head.generation = in.varint();
  const std::uint64_t owed = in.count(owed_max, 16);
  for (std::uint64_t i = 0; i < owed && in.ok(); ++i) {
    const std::uint64_t high = in.fixed64();
    owed_to.push_back({high, in.fixed64()});
  }
  head.owed = owed_to;
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
  std::vector<Identity> owed;
  const RecordHead head = decode_head(in, owed);
  Record record{.store = std::string(head.store),
                .key = std::string(head.key),
                .generation = head.generation,
                .owed = std::move(owed)};
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
  std::vector<Identity> owed;
  const absl::StatusOr<std::string_view> content = open_record(bytes);
  if (!content.ok()) return content.status();
  Decoder in(*content);
  RecordHead head = decode_head(in, owed);
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
        record.owed.assign(head.owed.begin(), head.owed.end());
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

bool read_usual_record(std::string_view bytes, RecordHead& head, UsualSet& set,
                       std::string_view& set_bytes) {
  const absl::StatusOr<std::string_view> content = open_record(bytes);
  if (!content.ok()) return false;
  Decoder in(*content);
  std::vector<Identity> owed;
  const RecordHead found = decode_head(in, owed);
  if (!in.ok() || !owed.empty() || found.key != head.key || found.store != head.store) return false;
  head.actor = found.actor;
  head.generation = found.generation;
  set_bytes = in.unread();
  return set.read(set_bytes);
}

}  // namespace dynamo::core
