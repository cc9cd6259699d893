// Damage on the way: whatever happens to a packet's bytes, it is read as it was written or refused
// with a sentence.

#include "wire/packet.h"

#include <algorithm>
#include <string>
#include <vector>

#include "catch.hpp"
#include "unit/wire/samples.h"

using namespace dynamo::core;

namespace {

// Refused as damage or as another version, with a sentence.
bool refused(std::string_view bytes) {
  const absl::StatusOr<Packet> packet = read_packet(bytes);
  return (absl::IsDataLoss(packet.status()) || absl::IsUnimplemented(packet.status())) &&
         !packet.status().message().empty();
}

std::string why(std::string_view bytes) {
  return std::string(read_packet(bytes).status().message());
}

}  // namespace

TEST_CASE("a packet without messages is whole") {
  const auto packet = read_packet(test::packet_of({}));
  REQUIRE(packet.ok());
  CHECK(packet->messages.empty());
  CHECK(packet->header == test::sample_header());
}

TEST_CASE("a packet cut anywhere is refused") {
  const std::string packet = test::packet_of(test::samples());
  for (std::size_t size = 0; size < packet.size(); ++size) {
    INFO("cut to " << size << " of " << packet.size());
    CHECK(absl::IsDataLoss(read_packet(std::string_view(packet).substr(0, size)).status()));
  }
  CHECK(why("") == "it is empty");
  CHECK(why("\x01") == "1 bytes are too few");
  CHECK(why(packet.substr(0, packet.size() - 1)) ==
        "its checksum does not match, so it is truncated or altered");
}

TEST_CASE("a packet with any bit flipped is refused") {
  const std::string packet = test::packet_of(test::samples());
  for (std::size_t bit = 0; bit < packet.size() * 8; ++bit) {
    std::string altered = packet;
    altered[bit / 8] = static_cast<char>(altered[bit / 8] ^ (1 << (bit % 8)));
    INFO("bit " << bit << " of " << packet.size() * 8);
    CHECK(refused(altered));
  }
}

TEST_CASE("a packet with bytes behind it is refused") {
  CHECK(absl::IsDataLoss(read_packet(test::packet_of({Ping{1}}) + "x").status()));
  CHECK(absl::IsDataLoss(
      read_packet(test::packet_of({Ping{1}}) + test::packet_of({Ping{1}})).status()));
}

TEST_CASE("another protocol version is named, however little else is understood") {
  std::string packet = test::packet_of({Ping{1}});
  packet[0] = 7;
  CHECK(absl::IsUnimplemented(read_packet(packet).status()));
  CHECK(why(packet) == "protocol version 7, this node speaks 1");
  CHECK(absl::IsUnimplemented(read_packet("\xff").status()));
  CHECK(why("\xff") == "protocol version 255, this node speaks 1");
  CHECK(absl::IsUnimplemented(read_packet(std::string(40, '\0')).status()));
}

TEST_CASE("messages of unknown types are skipped and counted") {
  std::string content = test::unsealed(test::packet_of({Ping{1}}));
  Encoder out(content);
  out.fixed8(200);
  out.bytes("of a later version");
  out.fixed8(std::variant_size_v<Message> + 1);
  out.bytes("");
  out.fixed8(0);
  out.bytes("x");
  out.fixed8(message_type(Pong{}));
  out.bytes(test::body_of(Pong{2}));
  const auto packet = read_packet(test::sealed(content));
  REQUIRE(packet.ok());
  CHECK(packet->unknown == 3);
  CHECK(packet->messages == std::vector<Message>{Ping{1}, Pong{2}});
}

TEST_CASE("messages with fields of a later version are read") {
  for (const Message& message : test::samples()) {
    INFO(message_name(message_type(message)));
    // What is read may refer to the bytes.
    const std::string bytes =
        test::packet_with(message_type(message), test::body_of(message) + "later");
    const auto packet = read_packet(bytes);
    REQUIRE(packet.ok());
    CHECK(packet->messages == std::vector<Message>{message});
  }
}

TEST_CASE("a malformed message under a valid checksum is refused by name") {
  for (const Message& message : test::samples()) {
    const std::string body = test::body_of(message);
    const std::string packet =
        test::packet_with(message_type(message), body.substr(0, body.size() - 1));
    CHECK(absl::IsDataLoss(read_packet(packet).status()));
    CHECK(why(packet) ==
          "malformed message of type \"" + std::string(message_name(message_type(message))) + "\"");
  }
}

TEST_CASE("a malformed header or length under a valid checksum is refused") {
  const std::string content = test::unsealed(test::packet_of({}));
  for (std::size_t size = 1; size < content.size(); ++size) {
    INFO("header cut to " << size);
    CHECK(why(test::sealed(content.substr(0, size))) == "its header or a length is malformed");
  }
  // A type without a length, and a length beyond the packet's end.
  CHECK(why(test::sealed(content + "\x01")) == "its header or a length is malformed");
  CHECK(why(test::sealed(content + "\x01\x08" + "1234567")) ==
        "its header or a length is malformed");
  CHECK(why(test::sealed(content + "\x63\x01")) == "its header or a length is malformed");
}

TEST_CASE("names in the header are bounded") {
  PacketHeader header = test::sample_header();
  header.from = std::string(255, 'f');
  header.to = std::string(255, 't');
  auto packet = read_packet(PacketWriter(header).finish());
  REQUIRE(packet.ok());
  CHECK(packet->header == header);
  header.to = "";
  CHECK(read_packet(PacketWriter(header).finish()).ok());
  header.from += 'f';
  CHECK(absl::IsDataLoss(read_packet(PacketWriter(header).finish()).status()));
}
