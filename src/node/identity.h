#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <absl/status/statusor.h>
#include <dynamo/membership.h>

namespace dynamo::core {

// Who this node is, as its data directory says. In the same engine as the data, so that losing the
// data loses the identity (trap A4).
struct NodeIdentity {
  std::string name{};
  Identity identity{};            // drawn when the directory was new
  Identity cluster{};             // zero until the first view
  int partitions = 0;             // Q
  std::uint64_t boot = 0;         // how often the directory has been opened, this time included
  std::uint64_t boot_random = 0;  // drawn at this open
  // Peers have seen this identity at a boot that this directory does not remember: it is an older
  // copy (trap A5).
  std::uint64_t boot_seen_by_peers = 0;
  bool adopted = false;  // drawn for a directory that had another one (NodeOptions::adopt_as_new)
};

// Random numbers for one open of a data directory.
struct BootRandomness {
  Identity identity{};
  std::uint64_t boot_random = 0;
};

// The identity for this open, its boot raised; to be stored and synced before the node listens.
// `stored` is what the last open stored, nullopt for a new directory. FAILED_PRECONDITION if the
// directory is of another node, another Q, or an older copy that peers have refused; DATA_LOSS if
// the record is damaged.
//
// `adopt_as_new`: of a directory that was refused, or that was not adopted before, a new identity
// at boot 1. All else that the directory holds has to be erased then: it went back in time, and
// counts as a lost disk. An adopted directory that nobody refuses is left as it is, so that an
// option that is never taken back does not empty a disk at every start.
absl::StatusOr<NodeIdentity> next_boot(std::optional<std::string_view> stored,
                                       std::string_view name, int partitions,
                                       const BootRandomness& random, bool adopt_as_new = false);

std::string encode_identity(const NodeIdentity& identity);
absl::StatusOr<NodeIdentity> decode_identity(std::string_view record);

// The cluster that packets and contexts name: what the membership says, within the label of
// NodeOptions::cluster.
Identity cluster_identity(std::string_view label, const Identity& membership_cluster);

}  // namespace dynamo::core
