#include "wire/packet.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include <fmt/format.h>

#include "base/coding.h"
#include "base/hash.h"
#include "base/spare_buffers.h"
#include "wire/codec.h"
#include "wire/coding_parts.h"

namespace dynamo::core {

namespace {

constexpr std::size_t checksum_bytes = 8;
constexpr std::size_t header_bytes_max = 640;
constexpr std::size_t messages_reserved_max = 64;

absl::Status damaged(std::string_view why) { return absl::DataLossError(fmt::format("{}", why)); }

PacketHeader decode_header(Decoder& in) {
  PacketHeader header;
  header.cluster.high = in.fixed64();
  header.cluster.low = in.fixed64();
  header.sender.high = in.fixed64();
  header.sender.low = in.fixed64();
  header.boot = in.varint();
  header.boot_random = in.fixed64();
  header.receiver = in.fixed64();
  header.replaced = decode_bool(in);
  header.view = in.varint();
  header.generation = in.varint();
  header.sealed = in.varint();
  header.from = std::string(in.bytes(name_bytes_max));
  header.to = std::string(in.bytes(name_bytes_max));
  return header;
}

}  // namespace

PacketWriter::PacketWriter(const PacketHeader& header, std::size_t room)
    : bytes_(SpareBuffers::take()) {
  bytes_.reserve(header_bytes_max + room + checksum_bytes);
  Encoder out(bytes_);
  out.fixed8(protocol_version);
  out.fixed64(header.cluster.high);
  out.fixed64(header.cluster.low);
  out.fixed64(header.sender.high);
  out.fixed64(header.sender.low);
  out.varint(header.boot);
  out.fixed64(header.boot_random);
  out.fixed64(header.receiver);
  out.fixed8(header.replaced ? 1 : 0);
  out.varint(header.view);
  out.varint(header.generation);
  out.varint(header.sealed);
  out.bytes(header.from);
  out.bytes(header.to);
}

void PacketWriter::add(const Message& message) {
  append_message(bytes_, message_type(message),
                 [&message](Encoder& out) { encode_body(message, out); });
}

void PacketWriter::add_encoded(std::string_view messages) { bytes_.append(messages); }

std::string PacketWriter::finish() && {
  Encoder(bytes_).fixed64(checksum(bytes_));
  return std::move(bytes_);
}

absl::StatusOr<Packet> read_packet(std::string_view bytes) {
  Packet packet;
  if (absl::Status read = read_packet(bytes, packet); !read.ok()) return read;
  return packet;
}

absl::Status read_packet(std::string_view bytes, Packet& packet) {
  if (bytes.empty()) return damaged("it is empty");
  const auto version = static_cast<unsigned char>(bytes.front());
  if (version != protocol_version) {
    return absl::UnimplementedError(
        fmt::format("protocol version {}, this node speaks {}", version, protocol_version));
  }
  if (bytes.size() < 1 + checksum_bytes)
    return damaged(fmt::format("{} bytes are too few", bytes.size()));
  const std::string_view content = bytes.substr(0, bytes.size() - checksum_bytes);
  Decoder tail(bytes.substr(content.size()));
  if (tail.fixed64() != checksum(content))
    return damaged("its checksum does not match, so it is truncated or altered");

  Decoder in(content.substr(1));
  packet.messages.clear();
  packet.unknown = 0;
  packet.header = decode_header(in);
  while (in.ok() && !in.at_end()) {
    const std::uint8_t type = in.fixed8();
    const std::string_view body = in.bytes(in.remaining());
    if (!in.ok()) break;
    if (type < 1 || type > std::variant_size_v<Message>) {
      ++packet.unknown;
      continue;
    }
    // Most are of one kind and size.
    if (packet.messages.empty()) {
      packet.messages.reserve(1 +
                              std::min(messages_reserved_max, in.remaining() / (body.size() + 2)));
    }
    if (!decode_body(type, body, packet.messages.emplace_back())) {
      return damaged(fmt::format("malformed message of type \"{}\"", message_name(type)));
    }
  }
  if (!in.ok()) return damaged("its header or a length is malformed");
  return absl::OkStatus();
}

}  // namespace dynamo::core
