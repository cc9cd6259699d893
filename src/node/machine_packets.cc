// What arrives from peers: the check at the door, and the way to the part that deals with it.

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/spare_buffers.h"
#include "node/engine_keys.h"
#include "node/machine.h"
#include "wire/packet.h"

namespace dynamo::core {

namespace {

constexpr std::size_t messages_kept_max = 256;  // as room for those of the next packet

}  // namespace

void Machine::on(const Turn& turn, PacketReceived&& received) {
  Packet packet = std::move(packet_);  // a view in it brings those that waited for one
  const absl::Status read = read_packet(received.packet, packet);
  const bool early = state_.ring == nullptr && !packet.header.cluster.is_zero();
  if (!read.ok()) {
    log_drop(turn, received.peer, std::string(read.message()));
  } else if (!early) {
    take(turn, received.peer, packet);
  } else if (early_packets_.size() < early_packets_max) {
    // Others heard of the first view a moment earlier. What they ask would be asked for nothing.
    early_packets_.push_back(received);
  }
  packet.messages.clear();
  if (packet.messages.capacity() > messages_kept_max) packet.messages = {};
  packet_ = std::move(packet);
  SpareBuffers::give(std::move(received.packet));
}

void Machine::on(const Turn& turn, PacketOpened opened) { take(turn, opened.peer, opened.packet); }

void Machine::take(const Turn& turn, const std::string& peer, Packet& packet) {
  const PacketHeader& header = packet.header;
  const Turn received_in{turn.now, turn.own, turn.out, turn.written, turn.strand, header.view};
  hear_view(received_in, packet);
  if (!accepts(received_in, peer, packet)) return;
  const std::string& from = header.from;
  if (!state_.detector.heard(from, turn.now.steady)) {
    turn.out.redials.push_back(state_.member(from)->address);
  }
  views_.heard(from, header.view);
  if (header.view != state_.view.number) catch_up(turn, from);
  if (generations_.heard(turn, header)) {
    turn.log(LogLevel::warning,
             fmt::format("{} knew another disk of this node: what was on it is fetched from the "
                         "other owners, and not answered for until then",
                         from));
  }
  if (packet.unknown > 0) {
    turn.log(LogLevel::info,
             fmt::format("{} messages from {} are of types that this version does not know",
                         packet.unknown, from));
  }
  work(turn.strand).each(packet.messages, turn.own, [&](Message&& message) {
    on_message(received_in, from, std::move(message));
  });
}

// One of the two is behind. Whatever is sent to it tells it, or makes it tell.
void Machine::catch_up(const Turn& turn, const std::string& from) {
  state_.ping(from, turn.now.steady);
}

void Machine::log_drop(const Turn& turn, const std::string& from, const std::string& why) {
  constexpr std::size_t senders_max =
      1024;  // names that strangers make up must not fill the memory
  if (drop_reasons_.size() >= senders_max) drop_reasons_.clear();
  std::string& last = drop_reasons_[from];
  if (last == why) return;
  last = why;
  turn.log(LogLevel::warning, fmt::format("packet from \"{}\" dropped: {}", from, why));
}

bool Machine::accepts(const Turn& turn, const std::string& peer, const Packet& packet) {
  const PacketHeader& header = packet.header;
  const auto refuse = [&](const std::string& why) {
    log_drop(turn, header.from, why);
    return false;
  };

  // A node that is still joining knows no cluster; it may only talk to the membership component.
  if (header.cluster.is_zero()) {
    for (const Message& message : packet.messages) {
      if (const auto* membership = std::get_if<MembershipMessage>(&message)) {
        turn.out.membership.push_back(membership->payload);
      }
    }
    return false;
  }
  if (state_.ring == nullptr) return refuse("this node has no view of the cluster yet");
  if (header.cluster != state_.cluster) {
    std::string why = fmt::format("it belongs to cluster {}, this node to {}",
                                  header.cluster.to_string(), state_.cluster.to_string());
    log_drop(turn, header.from, why);
    state_.peers.note_refusal(header.from, std::move(why));
    return false;
  }
  if (!header.to.empty() && !state_.is_self(header.to)) {
    return refuse(
        fmt::format("it is for \"{}\", this node is \"{}\"", header.to, state_.self.name));
  }
  if (state_.is_self(header.from)) return refuse("it claims to come from this node itself");
  if (!peer.empty() && peer != header.from) {
    return refuse(fmt::format("the transport authenticated \"{}\"", peer));
  }
  const auto index = state_.ring->find(header.from);
  if (!index) return refuse("no member of the cluster has that name");
  if (header.receiver != 0 && header.receiver != state_.self.identity.high) {
    // Meant for a disk that this node has lost, or for the one that has taken the place of this
    // one. The answer introduces this one, and the view in front of it says so: a directory that
    // went back in time may know nobody any more who is there (seed 701559).
    hear_refusals(turn, packet);
    views_.heard(header.from, header.view);
    state_.ping(header.from, turn.now.steady);
    return refuse("it is for another disk under this node's name");
  }
  const PeerTable::Verdict verdict = state_.peers.check(
      header, state_.ring->members()[*index].identity, state_.detector.reachable(header.from));
  if (verdict.tell_sender) state_.outbox.send(header.from, *verdict.tell_sender);
  if (!verdict.refusal.empty()) {
    // Two copies of one directory learn of each other.
    hear_refusals(turn, packet);
    return refuse(verdict.refusal);
  }
  if (verdict.changed) {
    // Another life, which may listen where the last one did not any more.
    turn.out.redials.push_back(state_.ring->members()[*index].address);
    turn.write({.write = state_.next_number(),
                .key = peer_key(header.from),
                .record = encode_peer(*state_.peers.find(header.from))});
  }
  return true;
}

// Which are heard even if nothing else of the packet is.
void Machine::hear_refusals(const Turn& turn, const Packet& packet) {
  for (const Message& message : packet.messages) {
    if (const auto* refused = std::get_if<BootRefused>(&message)) {
      on_boot_refused(turn, packet.header.from, *refused);
    }
  }
}

void Machine::on_message(const Turn& turn, const std::string& from, Message&& message) {
  if (Strand* const strand = StrandWork::strand_of(state_, message)) {
    const auto* write_reply = std::get_if<WriteReply>(&message);
    const bool handed_off =
        write_reply != nullptr &&
        handoff_.reply(turn, from, *write_reply, StrandWork::counts(state_, turn));
    if (!handed_off) work(*strand).take(turn.in(*strand), from, std::move(message));
    return;
  }
  if (anti_entropy_.take(turn, from, message)) return;
  if (auto* ping = std::get_if<Ping>(&message)) {
    state_.outbox.send(from, Pong{ping->nonce});
  } else if (auto* pong = std::get_if<Pong>(&message)) {
    state_.detector.ping_answered(from, TimePoint(static_cast<std::int64_t>(pong->nonce)),
                                  turn.now.steady);
  } else if (auto* refused = std::get_if<BootRefused>(&message)) {
    on_boot_refused(turn, from, *refused);
  } else if (auto* report = std::get_if<GenerationReport>(&message)) {
    generations_.take(turn, from, *report);
  } else if (auto* announce = std::get_if<StoreAnnounce>(&message)) {
    on_announce(turn, *announce);
  } else if (auto* membership = std::get_if<MembershipMessage>(&message)) {
    turn.out.membership.push_back(std::move(membership->payload));
  }
}

void Machine::on_announce(const Turn& turn, const StoreAnnounce& announce) {
  const StoreTable::Verdict verdict = state_.stores.claimed(announce.store, announce.established);
  if (!verdict.status.ok()) turn.log(LogLevel::error, std::string(verdict.status.message()));
  if (verdict.changed) {
    state_.deepen_ring();
    turn.write(state_.store_record(announce.store.name));
  }
}

void Machine::on_boot_refused(const Turn& turn, const std::string& from,
                              const BootRefused& refused) {
  if (refused.boot != state_.self.boot || refused.boot_random != state_.self.boot_random) return;
  if (!state_.out_of_service.ok()) return;
  state_.out_of_service = absl::FailedPreconditionError(
      refused.boot_seen == boot_replaced
          ? fmt::format("node \"{}\" is out of service: {} knows another data directory that has "
                        "taken the place of this one",
                        state_.self.name, from)
          : fmt::format("node \"{}\" is out of service: its data directory is an older copy, or a "
                        "copy that also runs elsewhere "
                        "({} has seen boot {}, this is boot {})",
                        state_.self.name, from, refused.boot_seen, refused.boot));
  turn.log(LogLevel::error, std::string(state_.out_of_service.message()));
  // The next open refuses, however often it is tried: boots must not catch up with the ones that
  // were seen.
  state_.self.boot_seen_by_peers = refused.boot_seen;
  turn.write({.write = state_.next_number(),
              .key = identity_key(),
              .record = encode_identity(state_.self)});
}

}  // namespace dynamo::core
