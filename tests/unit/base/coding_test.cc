#include <array>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "base/coding.h"
#include "base/prng.h"
#include "catch.hpp"

namespace {

using dynamo::core::Decoder;
using dynamo::core::Encoder;

constexpr std::uint64_t u64_max = std::numeric_limits<std::uint64_t>::max();

std::string varint(std::uint64_t value) {
  std::string bytes;
  Encoder(bytes).varint(value);
  return bytes;
}

std::vector<std::uint64_t> interesting_numbers() {
  std::vector<std::uint64_t> numbers = {0, u64_max};
  for (int bit = 0; bit < 64; ++bit) {
    const std::uint64_t power = std::uint64_t{1} << bit;
    numbers.insert(numbers.end(), {power - 1, power, power + 1});
  }
  return numbers;
}

TEST_CASE("numbers and strings come back as they went in") {
  for (const std::uint64_t n : interesting_numbers()) {
    CAPTURE(n);
    std::string bytes;
    Encoder out(bytes);
    out.fixed8(static_cast<std::uint8_t>(n));
    out.fixed32(static_cast<std::uint32_t>(n));
    out.fixed64(n);
    out.varint(n);
    out.bytes("text");
    out.raw("raw");

    Decoder in(bytes);
    CHECK(in.fixed8() == static_cast<std::uint8_t>(n));
    CHECK(in.fixed32() == static_cast<std::uint32_t>(n));
    CHECK(in.fixed64() == n);
    CHECK(in.varint() == n);
    CHECK(in.bytes(4) == "text");
    CHECK_FALSE(in.at_end());
    CHECK(in.remaining() == 3);
    CHECK(in.raw(3) == "raw");
    CHECK(in.done());
  }
}

TEST_CASE("the bytes of numbers are fixed") {
  std::string bytes;
  Encoder out(bytes);
  out.fixed8(0x7f);
  out.fixed32(0x04030201);
  out.fixed64(0x0807060504030201);
  out.varint(300);
  out.bytes("ab");
  CHECK(bytes == std::string("\x7f\x01\x02\x03\x04\x01\x02\x03\x04\x05\x06\x07\x08\xac\x02\x02"
                             "ab"));
  CHECK(varint(u64_max) == "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01");
}

TEST_CASE("a read past the end fails at every length, and for good") {
  std::string bytes;
  Encoder out(bytes);
  out.fixed8(1);
  out.fixed32(2);
  out.fixed64(3);
  out.varint(u64_max);
  out.bytes("twelve bytes");
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    CAPTURE(size);
    // A copy of exactly that size, so that a read beyond it is one that ASan sees.
    const std::vector<char> cut(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size));
    Decoder in({cut.data(), cut.size()});
    in.fixed8();
    in.fixed32();
    in.fixed64();
    in.varint();
    const std::string_view last = in.bytes(100);
    CHECK_FALSE(in.ok());
    CHECK_FALSE(in.done());
    CHECK(in.at_end());
    CHECK(last.empty());
    CHECK(in.fixed8() == 0);
    CHECK(in.raw(0).empty());
    CHECK_FALSE(in.ok());
  }
}

TEST_CASE("a varint has one form") {
  const std::vector<std::string> refused = {
      {'\x80', '\x00'},                  // 0 in two bytes
      {'\xff', '\x00'},                  // 127 in two bytes
      {'\x80', '\x80', '\x00'},          // 0 in three
      std::string(9, '\xff') + '\x02',   // bit 65
      std::string(9, '\x80') + '\x00',   // 0 in ten
      std::string(10, '\x80') + '\x01',  // eleven bytes
      std::string(10, '\xff'),
      "\x80",
      "",
  };
  for (const std::string& bytes : refused) {
    Decoder in(bytes);
    CHECK(in.varint() == 0);
    CHECK_FALSE(in.ok());
  }
}

TEST_CASE("any bytes that decode as a varint encode to the same bytes") {
  dynamo::core::Prng prng(1);
  int decoded = 0;
  for (int i = 0; i < 20000; ++i) {
    std::string bytes(1 + prng.below(11), '\0');
    for (char& c : bytes)
      c = static_cast<char>(prng.chance(0.7) ? prng.next() | 0x80 : prng.next());
    Decoder in(bytes);
    const std::uint64_t value = in.varint();
    if (!in.ok()) continue;
    ++decoded;
    REQUIRE(varint(value) == bytes.substr(0, bytes.size() - in.remaining()));
  }
  CHECK(decoded > 1000);
}

TEST_CASE("limits refuse what is above them") {
  const std::string five = varint(5);
  CHECK(Decoder(five).varint_up_to(5) == 5);
  Decoder above(five);
  CHECK(above.varint_up_to(4) == 0);
  CHECK_FALSE(above.ok());

  std::string text;
  Encoder(text).bytes("12345");
  CHECK(Decoder(text).bytes(5) == "12345");
  Decoder longer(text);
  CHECK(longer.bytes(4).empty());
  CHECK_FALSE(longer.ok());

  // A length that no input has, and that would wrap an offset.
  const std::string endless = varint(u64_max) + "x";
  Decoder in(endless);
  CHECK(in.bytes(u64_max).empty());
  CHECK_FALSE(in.ok());
}

TEST_CASE("a count beyond what can follow is refused before anyone reserves memory") {
  const std::string three_of_four = varint(3) + std::string(12, 'x');
  Decoder fits(three_of_four);
  CHECK(fits.count(3, 4) == 3);
  CHECK(fits.ok());

  struct Refused {
    std::string bytes;
    std::uint64_t max;
    std::uint64_t each_min;
  };
  const std::vector<Refused> refused = {
      {three_of_four, 2, 4},                                      // above the limit
      {three_of_four, 3, 5},                                      // 15 bytes do not follow
      {varint(1), 10, 1},                                         // nothing follows
      {varint(u64_max) + "x", u64_max, 1},                        // all that can be counted
      {varint(std::uint64_t{1} << 61) + "12345678", u64_max, 8},  // 2^61 * 8 wraps to 0
      {varint((std::uint64_t{1} << 61) + 1) + "12345678", u64_max, 8},
  };
  for (const Refused& r : refused) {
    CAPTURE(r.max, r.each_min);
    Decoder in(r.bytes);
    CHECK(in.count(r.max, r.each_min) == 0);
    CHECK_FALSE(in.ok());
  }
}

}  // namespace
