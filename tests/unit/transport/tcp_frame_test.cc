#include "transport/tcp_frame.h"

#include <algorithm>
#include <random>

#include "catch.hpp"

using dynamo::Lane;
using dynamo::transport::encode_frame_header;
using dynamo::transport::encode_preamble;
using dynamo::transport::FrameReader;

namespace {

constexpr std::size_t packet_max = std::size_t{8} << 20;

template <std::size_t size>
std::string text(const std::array<char, size>& bytes) {
  return {bytes.data(), size};
}

std::string stream_of(const std::vector<std::string>& packets, Lane lane = Lane::request) {
  std::string stream = text(encode_preamble(lane));
  for (const auto& packet : packets) stream += text(encode_frame_header(packet.size())) + packet;
  return stream;
}

// Feeds pieces of at most piece() bytes until a fault or the end.
template <class Piece>
FrameReader::Fault feed(FrameReader& reader, std::string_view stream, Piece piece,
                        std::vector<std::string>& packets) {
  while (!stream.empty()) {
    const auto space = reader.prepare();
    REQUIRE(!space.empty());
    const std::size_t size = std::min({space.size(), stream.size(), piece()});
    std::copy_n(stream.begin(), size, space.begin());
    stream.remove_prefix(size);
    const auto fault = reader.commit(size, packets);
    if (fault != FrameReader::Fault::none) return fault;
  }
  return FrameReader::Fault::none;
}

std::size_t whole() { return SIZE_MAX; }
std::size_t one() { return 1; }

}  // namespace

TEST_CASE("the formats are frozen") {
  CHECK(text(encode_preamble(Lane::request)) == std::string("\xd9"
                                                            "dyn\1\0\0\0",
                                                            8));
  CHECK(text(encode_preamble(Lane::bulk)) == std::string("\xd9"
                                                         "dyn\1\1\0\0",
                                                         8));
  CHECK(text(encode_frame_header(0x01020304)) == "\4\3\2\1");
}

TEST_CASE("frames are found byte by byte") {
  const std::vector<std::string> sent{"a", "", std::string(300, 'b'), std::string(70'000, 'c'),
                                      "d"};
  const Lane lane = GENERATE(Lane::request, Lane::bulk);
  FrameReader reader(packet_max);
  std::vector<std::string> packets;
  CHECK(feed(reader, stream_of(sent, lane), one, packets) == FrameReader::Fault::none);
  CHECK(packets == sent);
  CHECK(reader.lane() == lane);
  CHECK(reader.at_boundary());
}

TEST_CASE("frames are found in pieces of any size") {
  const auto seed = std::random_device{}();
  CAPTURE(seed);
  std::mt19937 random(seed);
  const auto up_to = [&](std::size_t max) {
    return std::uniform_int_distribution<std::size_t>(0, max)(random);
  };
  for (int round = 0; round < 30; ++round) {
    std::vector<std::string> sent;
    for (std::size_t i = up_to(40); i > 0; --i) {
      const std::size_t around_buffer = FrameReader::read_bytes - 8 + up_to(16);
      const std::size_t sizes[] = {up_to(20), up_to(5000), around_buffer, up_to(400'000)};
      sent.emplace_back(sizes[up_to(3)], static_cast<char>('a' + i % 26));
    }
    FrameReader reader(packet_max);
    std::vector<std::string> packets;
    const auto piece = [&] { return 1 + up_to(round % 2 == 0 ? 100'000 : 3'000); };
    REQUIRE(feed(reader, stream_of(sent), piece, packets) == FrameReader::Fault::none);
    REQUIRE(packets == sent);
    REQUIRE(reader.at_boundary());
  }
}

TEST_CASE("a stranger is recognized at the first wrong byte") {
  const std::string right = text(encode_preamble(Lane::request));
  for (std::size_t wrong = 0; wrong < right.size(); ++wrong) {
    std::string preamble = right;
    preamble[wrong] = '\x7f';
    FrameReader reader(packet_max);
    std::vector<std::string> packets;
    CHECK(feed(reader, preamble.substr(0, wrong), one, packets) == FrameReader::Fault::none);
    CHECK(feed(reader, preamble.substr(wrong, 1), one, packets) == FrameReader::Fault::preamble);
    CHECK(reader.bytes_held() < 100);
  }
  FrameReader reader(packet_max);
  std::vector<std::string> packets;
  CHECK(feed(reader, "GET / HTTP/1.1\r\n", whole, packets) == FrameReader::Fault::preamble);
}

TEST_CASE("a length above the limit is refused, and what came before it is kept") {
  FrameReader reader(100);
  std::vector<std::string> packets;
  const std::string stream = stream_of({"a", std::string(100, 'b')});
  CHECK(feed(reader, stream + text(encode_frame_header(101)), whole, packets) ==
        FrameReader::Fault::length);
  CHECK(packets.size() == 2);
}

TEST_CASE("memory follows the bytes received, not the length announced") {
  constexpr std::size_t announced = std::size_t{80} << 20;
  FrameReader reader(announced);
  std::vector<std::string> packets;
  feed(reader, text(encode_preamble(Lane::bulk)) + text(encode_frame_header(announced)), whole,
       packets);
  const std::string piece(10'000, 'x');
  for (std::size_t received = 0; received < 3'000'000; received += piece.size()) {
    REQUIRE(reader.bytes_held() <= 2 * received + 3 * FrameReader::read_bytes);
    REQUIRE(feed(reader, piece, whole, packets) == FrameReader::Fault::none);
    REQUIRE_FALSE(reader.at_boundary());
  }
  CHECK(packets.empty());
}
