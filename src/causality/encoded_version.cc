#include "causality/encoded_version.h"

namespace dynamo::core {

namespace {

constexpr std::uint64_t object_bytes_max = std::uint64_t{16} << 20;

constexpr std::uint8_t flag_object = 1;
constexpr std::uint8_t flag_expires = 2;

}  // namespace

void encode_version(Encoder& out, const StoredVersion& version) {
  out.fixed64(version.dot.actor.boot);
  out.varint(version.dot.actor.sequence);
  out.varint(version.dot.counter);
  out.fixed64(version.write_id.high);
  out.fixed64(version.write_id.low);
  out.fixed64(version.clock.value);
  out.varint(static_cast<std::uint64_t>(version.written_at_us));
  const bool expires = version.expires_at_us != 0;
  out.fixed8(
      static_cast<std::uint8_t>((version.object ? flag_object : 0) | (expires ? flag_expires : 0)));
  if (expires) out.varint(static_cast<std::uint64_t>(version.expires_at_us));
  if (version.object) out.bytes(*version.object);
}

Dot decode_dot(Decoder& in) {
  Dot dot;
  dot.actor.boot = in.fixed64();
  dot.actor.sequence = in.varint();
  dot.counter = in.varint();
  return dot;
}

std::optional<std::string_view> decode_behind_dot(Decoder& in, StoredVersion& version) {
  version.write_id.high = in.fixed64();
  version.write_id.low = in.fixed64();
  version.clock.value = in.fixed64();
  version.written_at_us = static_cast<std::int64_t>(in.varint());
  const std::uint8_t flags = in.fixed8();
  if (flags > (flag_object | flag_expires)) in.fail();
  if ((flags & flag_expires) != 0) {
    version.expires_at_us = static_cast<std::int64_t>(in.varint());
    if (version.expires_at_us == 0) in.fail();
  }
  if ((flags & flag_object) == 0) return std::nullopt;
  return in.bytes(object_bytes_max);
}

}  // namespace dynamo::core
