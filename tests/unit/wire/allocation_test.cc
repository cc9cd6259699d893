// A length from the network buys no memory (trap I1): counts and lengths of up to 2^64 are put
// where messages have them, and what reading allocates must stay in proportion to what came.

#include <cstdlib>
#include <new>
#include <string>
#include <vector>

#include "base/prng.h"
#include "catch.hpp"
#include "unit/causality/seeds.h"
#include "unit/wire/samples.h"

namespace {

bool counting = false;
std::size_t allocated_bytes = 0;

}  // namespace

// Of this program only; the other forms of new and delete end here, if no sanitizer has its own.
// Never inlined: the compiler would see free() and not that what it frees is from malloc().
[[gnu::noinline]] void* operator new(std::size_t size) {
  if (counting) allocated_bytes += size;
  if (void* memory = std::malloc(size > 0 ? size : 1)) return memory;
  throw std::bad_alloc();
}
[[gnu::noinline]] void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  if (counting) allocated_bytes += size;
  return std::malloc(size > 0 ? size : 1);
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, const std::nothrow_t&) noexcept {
  std::free(memory);
}
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

using namespace dynamo::core;

namespace {

std::size_t bytes_to_read(const std::string& packet, bool& ok) {
  allocated_bytes = 0;
  counting = true;
  {
    const absl::StatusOr<Packet> read = read_packet(packet);
    ok = read.ok();
  }
  counting = false;
  return allocated_bytes;
}

// Structs are larger than their bytes on the wire, vectors grow by doubling, errors have texts.
std::size_t allowance(const std::string& packet) { return 4096 + 256 * packet.size(); }

}  // namespace

TEST_CASE("allocations are counted") {
  bool ok = false;
  CHECK(bytes_to_read(test::packet_of(test::samples()), ok) > 100);
  CHECK(ok);
}

TEST_CASE("a claimed count or length allocates nothing by itself") {
  for (const Message& message : test::samples()) {
    const std::string body = test::body_of(message);
    for (const int power : {16, 24, 31, 32, 40, 60, 63}) {
      std::string claim;
      Encoder(claim).varint(std::uint64_t{1} << power);
      for (std::size_t at = 0; at < body.size(); ++at) {
        std::string claiming = body;
        claiming.replace(at, 1, claim);
        const std::string packet = test::packet_with(message_type(message), claiming);
        bool ok = false;
        const std::size_t bytes = bytes_to_read(packet, ok);
        INFO(message_name(message_type(message)) << " claims 2^" << power << " at " << at);
        if (bytes > allowance(packet)) FAIL(bytes << " bytes for " << packet.size());
      }
    }
  }
}

TEST_CASE("a packet or message that claims to be long is refused without allocating") {
  for (const int power : {16, 32, 60, 63}) {
    std::string claim;
    Encoder(claim).varint(std::uint64_t{1} << power);
    std::string content = test::unsealed(test::packet_of({}));
    content += static_cast<char>(message_type(MembershipMessage{}));
    bool ok = true;
    CHECK(bytes_to_read(test::sealed(content + claim), ok) < 4096);
    CHECK_FALSE(ok);
    CHECK(bytes_to_read(test::packet_with(message_type(MembershipMessage{}), claim), ok) < 4096);
    CHECK_FALSE(ok);
  }
}

TEST_CASE("many small messages stay in proportion") {
  std::string content = test::unsealed(test::packet_of({}));
  for (int i = 0; i < 20'000; ++i) content += std::string("\x0b\x01\x00", 3);
  const std::string packet = test::sealed(std::move(content));
  bool ok = false;
  CHECK(bytes_to_read(packet, ok) <= 4 * sizeof(Message) * 20'000);
  CHECK(ok);
}
