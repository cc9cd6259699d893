#include "wire/view_codec.h"

#include <bit>
#include <cmath>
#include <string>
#include <string_view>
#include <vector>

#include "wire/coding_parts.h"

namespace dynamo::core {
namespace {

constexpr std::uint64_t members_max = 65536;
constexpr std::uint64_t moves_max = 65536;
constexpr std::uint64_t side_max = 256;
constexpr std::uint64_t text_bytes_max = 255;

void encode_side(const std::vector<std::string>& names, Encoder& out) {
  encode_list(names, out, [](const std::string& name, Encoder& to) { to.bytes(name); });
}
std::vector<std::string> decode_side(Decoder& in) {
  return decode_list(in, side_max, 1,
                     [](Decoder& from) { return std::string(from.bytes(text_bytes_max)); });
}

bool same_member(const Member& a, const Member& b) {
  return a.identity == b.identity && a.name == b.name && a.address == b.address &&
         a.zone == b.zone && a.weight == b.weight && a.state == b.state;
}

bool same_move(const Move& a, const Move& b) {
  return a.partition == b.partition && a.begun == b.begun && a.from == b.from && a.to == b.to;
}

template <class T>
bool same_list(const std::vector<T>& a, const std::vector<T>& b, bool (*same)(const T&, const T&)) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (!same(a[i], b[i])) return false;
  }
  return true;
}

}  // namespace

void encode_identity(const Identity& identity, Encoder& out) {
  out.fixed64(identity.high);
  out.fixed64(identity.low);
}
Identity decode_identity(Decoder& in) {
  const std::uint64_t high = in.fixed64();
  return {high, in.fixed64()};
}

void encode_member(const Member& member, Encoder& out) {
  encode_identity(member.identity, out);
  out.bytes(member.name);
  out.bytes(member.address);
  out.bytes(member.zone);
  out.fixed64(std::bit_cast<std::uint64_t>(member.weight));
  out.fixed8(static_cast<std::uint8_t>(member.state));
}
Member decode_member(Decoder& in) {
  Member member{.identity = decode_identity(in)};
  member.name = std::string(in.bytes(text_bytes_max));
  member.address = std::string(in.bytes(text_bytes_max));
  member.zone = std::string(in.bytes(text_bytes_max));
  member.weight = std::bit_cast<double>(in.fixed64());
  const std::uint8_t state = in.fixed8();
  const bool sane = !member.name.empty() && std::isfinite(member.weight) && member.weight >= 0 &&
                    state <= static_cast<std::uint8_t>(MemberState::removed);
  if (!sane) in.fail();
  member.state = static_cast<MemberState>(sane ? state : 0);
  return member;
}

void encode_move(const Move& move, Encoder& out) {
  out.varint(static_cast<std::uint64_t>(move.partition));
  out.varint(move.begun);
  encode_side(move.from, out);
  encode_side(move.to, out);
}
Move decode_move(Decoder& in) {
  Move move{.partition = static_cast<int>(in.varint_up_to(moves_max))};
  move.begun = in.varint();
  move.from = decode_side(in);
  move.to = decode_side(in);
  return move;
}

bool same_view(const View& a, const View& b) {
  return a.number == b.number && a.cluster == b.cluster &&
         same_list(a.members, b.members, same_member) && same_list(a.moves, b.moves, same_move);
}

void encode_view(const View& view, Encoder& out) {
  out.varint(view.number);
  encode_identity(view.cluster, out);
  encode_list(view.members, out, encode_member);
  encode_list(view.moves, out, encode_move);
}

View decode_view(Decoder& in) {
  View view{.number = in.varint()};
  view.cluster = decode_identity(in);
  view.members = decode_list(in, members_max, 28, decode_member);
  view.moves = decode_list(in, moves_max, 4, decode_move);
  return view;
}

void encode(const ViewNews& m, Encoder& out) { encode_view(m.view, out); }
void decode(ViewNews& m, Decoder& in) { m.view = decode_view(in); }

void encode(const MoveReady& m, Encoder& out) {
  out.varint(m.partition);
  out.fixed64(m.mark);
}
void decode(MoveReady& m, Decoder& in) {
  m.partition = static_cast<std::uint32_t>(in.varint_up_to(65535));
  m.mark = in.fixed64();
}

}  // namespace dynamo::core
