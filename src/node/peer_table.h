#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/statusor.h>
#include <dynamo/membership.h>

#include "base/name_map.h"
#include "wire/packet.h"

namespace dynamo::core {

// Who each name of the cluster is: its identity, and the latest life of it that we have seen. Every
// packet is checked against it, and that is the whole handshake.
//
// The identity of a name is learned from its first packet, or from the view if that knows it, and
// pinned. Another one under that name has lost its disk: it takes the place of the first for good,
// but not while that can be reached. A boot that is lower than one seen before, or the same with
// another random number, is a data directory that went back in time or lives twice (traps A4, A5);
// its packets are refused and it is told.
//
// Thread safety: one thread at a time.
class PeerTable {
 public:
  struct Peer {
    std::string name{};
    Identity identity{};
    std::uint64_t boot = 0;
    std::uint64_t boot_random = 0;
    std::vector<Identity> former{};  // whose place it has taken
  };

  struct Verdict {
    std::string refusal{};                     // empty: accepted
    std::optional<BootRefused> tell_sender{};  // with a refusal because of its boot
    bool changed = false;                      // the entry is to be stored
  };

  // `known`: the identity that the view gives this name, zero if none. `reachable`: whether the
  // identity that is pinned has lately been heard of.
  Verdict check(const PacketHeader& header, const Identity& known, bool reachable);
  // Whether that would accept it and learn nothing.
  bool is_known(const PacketHeader& header, const Identity& known) const;

  // Something else is wrong with the packets of that name.
  void note_refusal(const std::string& name, std::string why);
  // Why the last packet of that name was refused; empty if it was not.
  std::string_view refusal(std::string_view name) const;
  const Peer* find(std::string_view name) const;
  // No peer has ever been heard of.
  bool empty() const { return peers_.empty(); }

  // From the engine, at start.
  void restore(Peer peer);

 private:
  NameMap<Peer> peers_;
  std::map<std::string, std::string, std::less<>> refusals_;
};

std::string encode_peer(const PeerTable::Peer& peer);
absl::StatusOr<PeerTable::Peer> decode_peer(std::string_view record);

}  // namespace dynamo::core
