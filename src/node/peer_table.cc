#include "node/peer_table.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/coding.h"
#include "base/mutant.h"
#include "node/record.h"
#include "wire/codec.h"

namespace dynamo::core {

namespace {

std::string refuse_identity(const PacketHeader& header, const Identity& pinned) {
  return fmt::format(
      "node \"{}\" is known as {}, this one is {}: another data directory under its name",
      header.from, pinned.to_string(), header.sender.to_string());
}

std::string refuse_boot(const PacketHeader& header, std::uint64_t seen) {
  return header.boot == seen
             ? fmt::format("node \"{}\" runs twice at boot {}: its data directory was copied",
                           header.from, seen)
             : fmt::format(
                   "node \"{}\" is at boot {}, but has been seen at boot {}: its data directory is "
                   "an older copy",
                   header.from, header.boot, seen);
}

}  // namespace

PeerTable::Verdict PeerTable::check(const PacketHeader& header, const Identity& known,
                                    bool reachable) {
  const auto refuse = [&](std::string reason, std::optional<BootRefused> tell = std::nullopt) {
    refusals_.insert_or_assign(header.from, reason);
    return Verdict{.refusal = std::move(reason), .tell_sender = tell};
  };

  if (!known.is_zero() && known != header.sender) return refuse(refuse_identity(header, known));
  const auto [entry, added] =
      peers_.try_emplace(header.from, Peer{.name = header.from, .identity = header.sender});
  Peer& peer = entry.second;
  const BootRefused is_replaced = {header.boot, header.boot_random, boot_replaced};
  if (std::ranges::find(peer.former, header.sender) != peer.former.end()) {
    return refuse(refuse_identity(header, peer.identity), is_replaced);
  }
  bool replaces = false;
  if (peer.identity != header.sender) {
    // Two that live at the same time are a mistake, and the first one stays.
    replaces = !known.is_zero() || !reachable;
    if (!replaces) return refuse(refuse_identity(header, peer.identity));
    peer.former.push_back(std::exchange(peer.identity, header.sender));
    peer.boot = 0;
  }

  const bool went_back = header.boot < peer.boot && !mutated(Mutant::old_copy_served);
  const bool runs_twice = header.boot == peer.boot && header.boot_random != peer.boot_random;
  if (went_back || runs_twice) {
    return refuse(refuse_boot(header, peer.boot), BootRefused{.boot = header.boot,
                                                              .boot_random = header.boot_random,
                                                              .boot_seen = peer.boot});
  }
  refusals_.erase(header.from);
  const bool changed = added || replaces || header.boot != peer.boot;
  peer.boot = header.boot;
  peer.boot_random = header.boot_random;
  return {.changed = changed};
}

bool PeerTable::is_known(const PacketHeader& header, const Identity& known) const {
  const Peer* peer = find(header.from);
  return peer != nullptr && peer->identity == header.sender &&
         (known.is_zero() || known == header.sender) && peer->boot == header.boot &&
         peer->boot_random == header.boot_random && refusal(header.from).empty();
}

void PeerTable::note_refusal(const std::string& name, std::string why) {
  constexpr std::size_t names_max = 4096;  // strangers make names up
  if (refusals_.size() < names_max) refusals_.insert_or_assign(name, std::move(why));
}

std::string_view PeerTable::refusal(std::string_view name) const {
  const auto at = refusals_.find(name);
  return at == refusals_.end() ? std::string_view() : std::string_view(at->second);
}

const PeerTable::Peer* PeerTable::find(std::string_view name) const { return peers_.find(name); }

void PeerTable::restore(Peer peer) { peers_.try_emplace(peer.name).first.second = std::move(peer); }

std::string encode_peer(const PeerTable::Peer& peer) {
  std::string content;
  Encoder out(content);
  out.bytes(peer.name);
  out.fixed64(peer.identity.high);
  out.fixed64(peer.identity.low);
  out.varint(peer.boot);
  out.fixed64(peer.boot_random);
  out.varint(peer.former.size());
  for (const Identity& identity : peer.former) {
    out.fixed64(identity.high);
    out.fixed64(identity.low);
  }
  return seal_record(content);
}

absl::StatusOr<PeerTable::Peer> decode_peer(std::string_view record) {
  const absl::StatusOr<std::string_view> content = open_record(record);
  if (!content.ok()) return content.status();
  Decoder in(*content);
  PeerTable::Peer peer;
  peer.name = std::string(in.bytes(name_bytes_max));
  peer.identity.high = in.fixed64();
  peer.identity.low = in.fixed64();
  peer.boot = in.varint();
  peer.boot_random = in.fixed64();
  const std::uint64_t former = in.count(UINT32_MAX, 16);
  for (std::uint64_t i = 0; i < former && in.ok(); ++i) {
    const std::uint64_t high = in.fixed64();
    peer.former.push_back({high, in.fixed64()});
  }
  if (!in.ok()) return absl::DataLossError("record of a peer is malformed");
  return peer;
}

}  // namespace dynamo::core
