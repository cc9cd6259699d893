#include "membership/gossip_messages.h"

#include <utility>

#include "base/coding.h"
#include "base/hash.h"
#include "wire/codec.h"
#include "wire/coding_parts.h"
#include "wire/view_codec.h"

namespace dynamo::membership {
namespace {

using core::Decoder;
using core::Encoder;

constexpr std::uint8_t version = 1;
constexpr std::uint64_t partitions_max = 65536;
constexpr std::uint64_t voters_max = 65536;
constexpr std::uint64_t checksum_seed = 0x676f73736970;

void encode_ballot(const Ballot& ballot, Encoder& out) {
  out.varint(ballot.round);
  core::encode_identity(ballot.proposer, out);
}
Ballot decode_ballot(Decoder& in) {
  const std::uint64_t round = in.varint();
  return {round, core::decode_identity(in)};
}

void encode_optional(const std::optional<View>& view, Encoder& out) {
  out.fixed8(view ? 1 : 0);
  if (view) core::encode_view(*view, out);
}
std::optional<View> decode_optional(Decoder& in) {
  if (!core::decode_bool(in)) return std::nullopt;
  return core::decode_view(in);
}

Change::Kind decode_kind(Decoder& in) {
  const std::uint8_t kind = in.fixed8();
  if (kind > static_cast<std::uint8_t>(Change::Kind::finish_move)) in.fail();
  return in.ok() ? static_cast<Change::Kind>(kind) : Change::Kind::join;
}

void encode(const Hello& m, Encoder& out) { out.varint(m.tag); }
void decode(Hello& m, Decoder& in) { m.tag = in.varint(); }

void encode(const Greeting& m, Encoder& out) {
  out.varint(m.tag);
  out.bytes(m.label);
  core::encode_member(m.self, out);
}
void decode(Greeting& m, Decoder& in) {
  m.tag = in.varint();
  m.label = std::string(in.bytes(core::name_bytes_max));
  m.self = core::decode_member(in);
}

void encode(const Digest&, Encoder&) {}
void decode(Digest&, Decoder&) {}

void encode(const News& m, Encoder& out) { core::encode_view(m.view, out); }
void decode(News& m, Decoder& in) { m.view = core::decode_view(in); }

void encode(const Ask& m, Encoder& out) {
  out.fixed8(static_cast<std::uint8_t>(m.change.kind));
  const bool moves = m.change.kind == Change::Kind::finish_move;
  if (moves) {
    core::encode_move(m.change.move, out);
  } else {
    core::encode_member(m.change.member, out);
  }
}
void decode(Ask& m, Decoder& in) {
  m.change.kind = decode_kind(in);
  if (m.change.kind == Change::Kind::finish_move) {
    m.change.move = core::decode_move(in);
  } else {
    m.change.member = core::decode_member(in);
  }
}

void encode(const Refused& m, Encoder& out) {
  out.fixed8(static_cast<std::uint8_t>(m.kind));
  out.bytes(m.reason);
}
void decode(Refused& m, Decoder& in) {
  m.kind = decode_kind(in);
  m.reason = std::string(in.bytes(core::reason_bytes_max));
}

template <class M>
void encode_attempt(const M& m, Encoder& out) {
  out.varint(m.number);
  encode_ballot(m.ballot, out);
  if constexpr (requires { m.voter; }) out.varint(m.voter);
}
template <class M>
void decode_attempt(M& m, Decoder& in) {
  m.number = in.varint();
  m.ballot = decode_ballot(in);
  if constexpr (requires { m.voter; }) m.voter = in.varint_up_to(voters_max);
}

void encode(const Prepare& m, Encoder& out) { encode_attempt(m, out); }
void decode(Prepare& m, Decoder& in) { decode_attempt(m, in); }

void encode(const Promise& m, Encoder& out) {
  encode_attempt(m, out);
  encode_ballot(m.accepted, out);
  encode_optional(m.view, out);
}
void decode(Promise& m, Decoder& in) {
  decode_attempt(m, in);
  m.accepted = decode_ballot(in);
  m.view = decode_optional(in);
}

void encode(const Accept& m, Encoder& out) {
  encode_attempt(m, out);
  core::encode_view(m.view, out);
}
void decode(Accept& m, Decoder& in) {
  decode_attempt(m, in);
  m.view = core::decode_view(in);
}

void encode(const Accepted& m, Encoder& out) { encode_attempt(m, out); }
void decode(Accepted& m, Decoder& in) { decode_attempt(m, in); }

void encode(const Outvoted& m, Encoder& out) {
  encode_attempt(m, out);
  encode_ballot(m.promised, out);
}
void decode(Outvoted& m, Decoder& in) {
  decode_attempt(m, in);
  m.promised = decode_ballot(in);
}

void encode(const Chosen& m, Encoder& out) { encode_attempt(m, out); }
void decode(Chosen& m, Decoder& in) { decode_attempt(m, in); }

void encode_head(const Head& head, Encoder& out) {
  out.fixed64(head.label);
  out.varint(head.partitions);
  core::encode_identity(head.cluster, out);
  core::encode_identity(head.sender, out);
  out.varint(head.incarnation);
  out.fixed32(head.life);
  out.varint(head.view);
  out.bytes(head.name);
  out.bytes(head.address);
}
Head decode_head(Decoder& in) {
  Head head{.label = in.fixed64()};
  head.partitions = in.varint_up_to(partitions_max);
  head.cluster = core::decode_identity(in);
  head.sender = core::decode_identity(in);
  head.incarnation = in.varint();
  head.life = in.fixed32();
  head.view = in.varint();
  head.name = std::string(in.bytes(core::name_bytes_max));
  head.address = std::string(in.bytes(core::name_bytes_max));
  return head;
}

// The types on the wire are the places in the variant, for good.
template <std::size_t i = 0>
GossipBody decode_body(std::size_t type, Decoder& in) {
  if constexpr (i < std::variant_size_v<GossipBody>) {
    if (type != i) return decode_body<i + 1>(type, in);
    std::variant_alternative_t<i, GossipBody> body;
    decode(body, in);
    return body;
  } else {
    in.fail();
    return {};
  }
}

// Payloads travel in packets that have a checksum of their own; what is stored has none but this.
void seal(std::string& bytes) {
  const std::uint64_t checksum = core::hash64(bytes, checksum_seed);
  Encoder(bytes).fixed64(checksum);
}
std::optional<std::string_view> unseal(std::string_view bytes) {
  constexpr std::size_t checksum_bytes = 8;
  if (bytes.size() < checksum_bytes) return std::nullopt;
  const std::string_view content = bytes.substr(0, bytes.size() - checksum_bytes);
  Decoder checksum(bytes.substr(content.size()));
  if (checksum.fixed64() != core::hash64(content, checksum_seed)) return std::nullopt;
  return content;
}

}  // namespace

std::string encode_message(const Head& head, const GossipBody& body) {
  std::string payload;
  Encoder out(payload);
  out.fixed8(version);
  encode_head(head, out);
  out.fixed8(static_cast<std::uint8_t>(body.index()));
  std::visit([&](const auto& m) { encode(m, out); }, body);
  seal(payload);
  return payload;
}

absl::StatusOr<GossipMessage> decode_message(std::string_view payload) {
  const std::optional<std::string_view> content = unseal(payload);
  if (!content) return absl::DataLossError("damaged gossip");
  Decoder in(*content);
  if (in.fixed8() != version) return absl::UnimplementedError("gossip of another version");
  GossipMessage message{.head = decode_head(in)};
  const std::uint8_t type = in.fixed8();
  message.body = decode_body(type, in);
  if (!in.done()) return absl::DataLossError("malformed gossip");
  return message;
}

std::string encode_state(const GossipState& state) {
  std::string bytes;
  Encoder out(bytes);
  out.fixed8(version);
  out.varint(state.incarnation);
  encode_optional(state.view, out);
  out.varint(state.vote.number);
  encode_ballot(state.vote.promised, out);
  encode_ballot(state.vote.accepted, out);
  encode_optional(state.vote.view, out);
  seal(bytes);
  return bytes;
}

absl::StatusOr<GossipState> decode_state(std::string_view bytes) {
  const auto damaged = [] {
    return absl::DataLossError("the stored state of the membership is damaged");
  };
  const std::optional<std::string_view> content = unseal(bytes);
  if (!content) return damaged();
  Decoder in(*content);
  if (in.fixed8() != version) {
    return absl::FailedPreconditionError("the membership was stored by another version");
  }
  GossipState state{.incarnation = in.varint()};
  state.view = decode_optional(in);
  state.vote.number = in.varint();
  state.vote.promised = decode_ballot(in);
  state.vote.accepted = decode_ballot(in);
  state.vote.view = decode_optional(in);
  if (!in.done()) return damaged();
  return state;
}

}  // namespace dynamo::membership
