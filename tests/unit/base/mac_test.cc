#include "base/mac.h"

#include <string>

#include "catch.hpp"

namespace {

using dynamo::core::has_mac;
using dynamo::core::Mac;
using dynamo::core::make_mac;
using dynamo::core::same_mac;

std::string hex(const Mac& mac) {
  std::string text;
  for (const char byte : mac) {
    for (const int shift : {4, 0}) {
      text += "0123456789abcdef"[(static_cast<unsigned char>(byte) >> shift) & 15];
    }
  }
  return text;
}

TEST_CASE("a MAC is HMAC-SHA256 cut to 128 bits, or nothing without libcrypto") {
  if (!has_mac()) {
    CHECK_FALSE(make_mac("Jefe", "what do ya want for nothing?"));
    return;
  }
  // RFC 4231, test cases 1, 2 and 5.
  CHECK(hex(*make_mac(std::string(20, '\x0b'), "Hi There")) == "b0344c61d8db38535ca8afceaf0bf12b");
  CHECK(hex(*make_mac("Jefe", "what do ya want for nothing?")) ==
        "5bdcc146bf60754e6a042426089575c7");
  CHECK(hex(*make_mac(std::string(20, '\x0c'), "Test With Truncation")) ==
        "a3b6167473100ee06e0c796c2955552b");
  CHECK(hex(*make_mac("", "")) == "b613679a0814d9ec772f95d778c35fc5");
}

TEST_CASE("MACs are the same if every byte is") {
  Mac a{};
  a.fill('x');
  CHECK(same_mac(a, a));
  for (std::size_t i = 0; i < a.size(); ++i) {
    Mac b = a;
    b[i] = static_cast<char>(b[i] ^ (1 << (i % 8)));
    CHECK_FALSE(same_mac(a, b));
  }
}

}  // namespace
