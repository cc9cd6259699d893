#include "node/identity.h"

#include <fmt/format.h>

#include "base/coding.h"
#include "base/hash.h"
#include "node/record.h"
#include "wire/codec.h"

namespace dynamo {

std::string Identity::to_string() const { return fmt::format("{:016x}{:016x}", high, low); }

namespace core {

std::string encode_identity(const NodeIdentity& identity) {
  std::string content;
  Encoder out(content);
  out.bytes(identity.name);
  out.fixed64(identity.identity.high);
  out.fixed64(identity.identity.low);
  out.fixed64(identity.cluster.high);
  out.fixed64(identity.cluster.low);
  out.varint(static_cast<std::uint64_t>(identity.partitions));
  out.varint(identity.boot);
  out.fixed64(identity.boot_random);
  out.varint(identity.boot_seen_by_peers);
  if (identity.adopted) out.fixed8(1);
  return seal_record(content);
}

absl::StatusOr<NodeIdentity> decode_identity(std::string_view record) {
  const absl::StatusOr<std::string_view> content = open_record(record);
  if (!content.ok()) return content.status();
  Decoder in(*content);
  NodeIdentity identity;
  identity.name = std::string(in.bytes(name_bytes_max));
  identity.identity.high = in.fixed64();
  identity.identity.low = in.fixed64();
  identity.cluster.high = in.fixed64();
  identity.cluster.low = in.fixed64();
  identity.partitions = static_cast<int>(in.varint_up_to(65536));
  identity.boot = in.varint();
  identity.boot_random = in.fixed64();
  identity.boot_seen_by_peers = in.varint();
  identity.adopted = !in.at_end() && in.fixed8() == 1;
  if (!in.ok()) return absl::DataLossError("record is malformed");
  return identity;
}

absl::StatusOr<NodeIdentity> next_boot(std::optional<std::string_view> stored,
                                       std::string_view name, int partitions,
                                       const BootRandomness& random, bool adopt_as_new) {
  NodeIdentity fresh{.name = std::string(name),
                     .identity = random.identity,
                     .partitions = partitions,
                     .boot = 1,
                     .boot_random = random.boot_random};
  if (!stored) return fresh;
  absl::StatusOr<NodeIdentity> last = decode_identity(*stored);
  if (!last.ok()) {
    return absl::DataLossError(fmt::format("the node's identity record is damaged: {}",
                                           std::string(last.status().message())));
  }
  if (last->name != name) {
    return absl::FailedPreconditionError(
        fmt::format("data directory belongs to node \"{}\", not to \"{}\"", last->name, name));
  }
  if (last->partitions != partitions) {
    return absl::FailedPreconditionError(
        fmt::format("partitions: {}, but the data directory was made with {}; Q is fixed for the "
                    "life of a cluster",
                    partitions, last->partitions));
  }
  if (adopt_as_new && (last->boot_seen_by_peers != 0 || !last->adopted)) {
    fresh.adopted = true;
    return fresh;
  }
  if (last->boot_seen_by_peers == boot_replaced) {
    return absl::FailedPreconditionError(fmt::format(
        "data directory is of an earlier node \"{}\", whose place another one has taken; "
        "adopt_as_new empties it for a new node",
        name));
  }
  if (last->boot_seen_by_peers != 0) {
    return absl::FailedPreconditionError(
        fmt::format("data directory is an older copy of node \"{}\": peers have seen its boot {}; "
                    "what was written since is "
                    "missing here, so it must not come back under this identity; adopt_as_new "
                    "empties it for a new node, which fetches what it owns from the others",
                    name, last->boot_seen_by_peers));
  }
  NodeIdentity next = *std::move(last);
  ++next.boot;
  next.boot_random = random.boot_random;
  return next;
}

Identity cluster_identity(std::string_view label, const Identity& membership_cluster) {
  std::string bytes;
  Encoder out(bytes);
  out.bytes(label);
  out.fixed64(membership_cluster.high);
  out.fixed64(membership_cluster.low);
  const Hash128 hash = hash128(bytes, 0x636c7573746572);
  return {hash.high, hash.low};
}

}  // namespace core

}  // namespace dynamo
