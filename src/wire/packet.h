#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <dynamo/membership.h>

#include "base/coding.h"
#include "wire/message.h"

// A packet holds all messages of one turn from one node to another. It is complete in itself: it
// says whom it is from and for, so no connection needs a handshake, and any transport that moves
// one string will do.
//
//   protocol version (1 byte) | cluster (16) | sender (16) | boot (varint) | boot random (8) |
//   receiver (8) | replaced (1) | view, generation, sealed (varint each) | sender's name |
//   receiver's name | { type (1), length (varint), body }... | checksum (8)
namespace dynamo::core {

inline constexpr std::uint8_t protocol_version = 1;
// A turn's messages are cut into packets of about this size.
inline constexpr std::size_t packet_bytes_target = std::size_t{1} << 20;

struct PacketHeader {
  Identity cluster{};
  Identity sender{};
  std::uint64_t boot = 0;         // how often the sender's data directory has been opened
  std::uint64_t boot_random = 0;  // drawn at this open
  // The high half of the identity that the sender knows the receiver by; 0: none. A packet for a
  // node before its disk was lost is not for the one that it is now.
  std::uint64_t receiver = 0;
  bool replaced = false;  // the sender knew another identity under the receiver's name
  std::uint64_t view = 0;
  std::uint64_t generation = 0;  // Generation::current and sealed of the sender
  std::uint64_t sealed = 0;
  std::string from{};
  std::string to{};  // empty: whoever listens there
  friend bool operator==(const PacketHeader&, const PacketHeader&) = default;
};

struct Packet {
  PacketHeader header{};
  std::vector<Message> messages{};
  std::uint64_t unknown = 0;  // messages of types that this version does not know, skipped
};

// Appends a message as it stands in a packet. `encode_body(Encoder&)` writes its body.
template <class EncodeBody>
void append_message(std::string& bytes, std::uint8_t type, EncodeBody encode_body) {
  // The length is known only once the body is there. Most need these two bytes for it.
  bytes.append({static_cast<char>(type), 0, 0});
  const std::size_t begin = bytes.size();
  Encoder out(bytes);
  encode_body(out);
  const std::size_t length = bytes.size() - begin;
  if (length < 0x80) {
    bytes[begin - 2] = static_cast<char>(length);
    bytes.erase(begin - 1, 1);
  } else if (length < 0x4000) {
    bytes[begin - 2] = static_cast<char>(length | 0x80);
    bytes[begin - 1] = static_cast<char>(length >> 7);
  } else {
    std::string varint;
    Encoder(varint).varint(length);
    bytes.replace(begin - 2, 2, varint);
  }
}

// Builds one packet.
//
// Thread safety: one thread at a time.
class PacketWriter {
 public:
  // `room`: about how many bytes of messages will follow.
  explicit PacketWriter(const PacketHeader& header, std::size_t room = 0);
  void add(const Message& message);
  // Several, each as append_message() wrote it.
  void add_encoded(std::string_view messages);
  std::string finish() &&;

 private:
  std::string bytes_;
};

// Reads one packet. Errors, each a sentence: DATA_LOSS for damage (truncated, checksum, malformed
// message), UNIMPLEMENTED for another protocol version. Allocates in proportion to the input only.
absl::StatusOr<Packet> read_packet(std::string_view bytes);
// The same into `packet`, whose memory is used again.
absl::Status read_packet(std::string_view bytes, Packet& packet);

}  // namespace dynamo::core
