// A corpus-less fuzzer that replays from its seed: bodies are altered at random and sealed with a
// valid checksum, as a peer with a bug would send them. Whatever is accepted must be what an
// encoder writes, so that two nodes never hold different bytes for equal values; the rest is
// refused.

#include <string>
#include <vector>

#include "base/prng.h"
#include "catch.hpp"
#include "unit/causality/seeds.h"
#include "unit/wire/samples.h"

using namespace dynamo::core;

namespace {

constexpr std::uint64_t seeds_tried = 20;
constexpr int mutations_tried = 500;  // for each seed and type

std::string random_bytes(Prng& prng, std::size_t size) {
  std::string bytes;
  while (bytes.size() < size) bytes.push_back(static_cast<char>(prng.next()));
  return bytes;
}

std::string random_varint(Prng& prng) {
  std::string bytes;
  Encoder(bytes).varint(prng.next() >> prng.below(64));
  return bytes;
}

// One change: of bits, of bytes that decoders look at twice, of lengths, of places.
void mutate(Prng& prng, std::string& bytes, const std::string& other) {
  const std::size_t at = prng.below(bytes.size() + 1);
  const std::size_t size = prng.below(bytes.size() - at + 1);
  switch (prng.below(8)) {
    case 0:
      if (at < bytes.size()) bytes[at] = static_cast<char>(bytes[at] ^ (1 << prng.below(8)));
      break;
    case 1: {
      static constexpr std::string_view edges("\x00\x01\x02\x03\x7f\x80\x81\xff", 8);
      if (at < bytes.size()) bytes[at] = edges[prng.below(edges.size())];
      break;
    }
    case 2:
      bytes.insert(at, random_bytes(prng, prng.below(12)));
      break;
    case 3:
      bytes.erase(at, prng.below(12));
      break;
    case 4:
      bytes.resize(at);
      break;
    case 5:
      bytes.replace(at, std::min<std::size_t>(1, bytes.size() - at), random_varint(prng));
      break;
    case 6:  // a stretch once more
      bytes.insert(at, bytes.substr(at, std::min<std::size_t>(size, 64)));
      break;
    default: {  // a stretch of another message
      const std::size_t from = prng.below(other.size() + 1);
      bytes.replace(at, std::min<std::size_t>(size, 64), other.substr(from, prng.below(64)));
    }
  }
}

std::string mutated(Prng& prng, std::string bytes, const std::string& other) {
  for (std::uint64_t changes = 1 + prng.below(4); changes > 0; --changes) {
    mutate(prng, bytes, other);
  }
  return bytes;
}

// Empty, or what is wrong with how `body` is read.
std::string decode_fault(std::uint8_t type, const std::string& body, int& accepted) {
  const auto message = decode_body(type, body);
  if (!message) return {};
  ++accepted;
  const std::string again = test::body_of(*message);
  if (message_type(*message) != type) return "decoded as another type";
  if (body.substr(0, again.size()) != again) return "not canonical: " + test::hex(again);
  if (decode_body(type, again) != message) return "does not come back: " + test::hex(again);
  return {};
}

}  // namespace

TEST_CASE("an altered body is refused or canonical") {
  const std::vector<Message> samples = test::samples();
  int accepted = 0;
  int tried = 0;
  for (const std::uint64_t seed : test::seeds(seeds_tried)) {
    Prng prng(seed);
    for (const Message& message : samples) {
      for (int i = 0; i < mutations_tried; ++i) {
        const std::string other = test::body_of(samples[prng.below(samples.size())]);
        const std::string body = mutated(prng, test::body_of(message), other);
        ++tried;
        const std::string fault = decode_fault(message_type(message), body, accepted);
        INFO("DYNAMO_SEED=" << seed << " " << message_name(message_type(message)) << " "
                            << test::hex(body));
        if (!fault.empty()) FAIL(fault);
      }
    }
  }
  // Both ways were taken often enough to mean something.
  CHECK(accepted > tried / 50);
  CHECK(tried - accepted > tried / 50);
}

TEST_CASE("an altered packet under a valid checksum is refused or canonical") {
  const std::vector<Message> samples = test::samples();
  const std::string content = test::unsealed(test::packet_of(samples));
  int accepted = 0;
  for (const std::uint64_t seed : test::seeds(seeds_tried)) {
    Prng prng(seed);
    for (int i = 0; i < mutations_tried; ++i) {
      const std::string packet = test::sealed(mutated(prng, content, content));
      const auto read = read_packet(packet);
      INFO("DYNAMO_SEED=" << seed << " " << test::hex(packet));
      if (!read.ok()) {
        if (!absl::IsDataLoss(read.status()) && !absl::IsUnimplemented(read.status()))
          FAIL(read.status().ToString());
        continue;
      }
      ++accepted;
      PacketWriter writer(read->header);
      for (const Message& message : read->messages) writer.add(message);
      const std::string written = std::move(writer).finish();
      const auto again = read_packet(written);
      if (!again.ok()) FAIL(again.status().ToString());
      if (again->header != read->header || again->messages != read->messages)
        FAIL("does not come back");
    }
  }
  CHECK(accepted > 0);
}

TEST_CASE("noise under a valid checksum is refused or canonical") {
  int accepted = 0;
  for (const std::uint64_t seed : test::seeds(seeds_tried)) {
    Prng prng(seed);
    for (int i = 0; i < mutations_tried; ++i) {
      const auto type = static_cast<std::uint8_t>(1 + prng.below(std::variant_size_v<Message>));
      const std::string body = random_bytes(prng, prng.below(200));
      INFO("DYNAMO_SEED=" << seed << " type " << int{type} << " " << test::hex(body));
      const std::string fault = decode_fault(type, body, accepted);
      if (!fault.empty()) FAIL(fault);
      const auto read = read_packet(test::sealed("\x01" + body));
      if (!read.ok() && !absl::IsDataLoss(read.status())) FAIL(read.status().ToString());
    }
  }
  CHECK(accepted > 0);  // pings at least
}
