#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

#include <absl/strings/escaping.h>
#include <dynamo/context.h>

#include "base/coding.h"
#include "base/hash.h"
#include "base/prng.h"
#include "catch.hpp"
#include "causality/context_body.h"
#include "unit/causality/encoded.h"

namespace {

using dynamo::Context;
using dynamo::Identity;
using dynamo::core::bind_context;
using dynamo::core::check_binding;
using dynamo::core::ContextBody;
using dynamo::core::Encoder;
using dynamo::core::HybridTime;
using dynamo::core::make_context;
using dynamo::core::Prng;
using test::ContainsSubstring;

constexpr Identity cluster = {.high = 0x1111, .low = 0x2222};
constexpr std::string_view url_safe =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

std::string message(const absl::Status& status) { return std::string(status.message()); }

ContextBody random_body(Prng& prng) {
  ContextBody body = {
      .binding = bind_context(cluster, "store", "key" + std::to_string(prng.next())),
      .latest = HybridTime{prng.next()}};
  for (std::uint64_t n = prng.below(8); n > 0; --n) {
    body.history.add({.actor = {.boot = prng.next(), .sequence = prng.below(300)},
                      .counter = 1 + prng.below(3)});
  }
  return body;
}

Context example() {
  ContextBody body = {.binding = {.cluster = 0x01020304, .store = 5, .key = 6},
                      .latest = HybridTime{7}};
  body.history.add({.actor = {.boot = 8, .sequence = 1}, .counter = 1});
  body.history.add({.actor = {.boot = 8, .sequence = 1}, .counter = 3});
  return make_context(body);
}

TEST_CASE("an empty context has seen nothing") {
  const Context none;
  CHECK(none.empty());
  CHECK(none.encode() == "");
  CHECK(none.clock().empty());
  const auto decoded = Context::decode("");
  REQUIRE(decoded.ok());
  CHECK(decoded->empty());
  CHECK(*decoded == none);
  CHECK_FALSE(example() == none);
  CHECK_FALSE(none == example());
}

TEST_CASE("contexts come back as they went out, as text for URLs") {
  Prng prng(1);
  for (int i = 0; i < 500; ++i) {
    const ContextBody body = random_body(prng);
    const Context context = make_context(body);
    const std::string text = context.encode();
    REQUIRE(text.find_first_not_of(url_safe) == std::string::npos);
    const auto decoded = Context::decode(text);
    REQUIRE(decoded.ok());
    REQUIRE(*decoded == context);
    REQUIRE(*decoded->body() == body);
    REQUIRE(decoded->encode() == text);
    REQUIRE(make_context(body).encode() == text);
    REQUIRE(decoded->clock() == body.history.clock());
  }
}

TEST_CASE("a context that was cut is refused at every length") {
  const std::string text = example().encode();
  for (std::size_t size = 1; size < text.size(); ++size) {
    const auto decoded = Context::decode(std::string_view(text).substr(0, size));
    REQUIRE(decoded.status().code() == absl::StatusCode::kInvalidArgument);
    REQUIRE_THAT(message(decoded.status()), ContainsSubstring("context: "));
  }
}

TEST_CASE("a context with any bit changed is refused") {
  const std::string text = example().encode();
  for (std::size_t bit = 0; bit < 8 * text.size(); ++bit) {
    std::string changed = text;
    changed[bit / 8] = static_cast<char>(changed[bit / 8] ^ (1 << (bit % 8)));
    CAPTURE(bit, changed);
    REQUIRE_FALSE(Context::decode(changed).ok());
  }
  std::string bytes;
  REQUIRE(absl::WebSafeBase64Unescape({text.data(), text.size()}, &bytes));
  for (std::size_t bit = 0; bit < 8 * bytes.size(); ++bit) {
    std::string changed = bytes;
    changed[bit / 8] = static_cast<char>(changed[bit / 8] ^ (1 << (bit % 8)));
    CAPTURE(bit);
    REQUIRE_FALSE(
        Context::decode(absl::WebSafeBase64Escape({changed.data(), changed.size()})).ok());
  }
}

TEST_CASE("a context has one text") {
  const std::string text = example().encode();
  for (const std::string& other :
       {text + "=", text + "==", text + " ", " " + text, text + "\n", text + ".", text + text}) {
    CAPTURE(other);
    CHECK_FALSE(Context::decode(other).ok());
  }
}

TEST_CASE("text that was never a context is refused, however long") {
  for (const std::string& text : {std::string("x"), std::string("not a context"),
                                  std::string("\0\0\0\0\0\0\0\0", 8), std::string(100, 'A')}) {
    CHECK_FALSE(Context::decode(text).ok());
  }
  const auto long_one = Context::decode(std::string(std::size_t{1} << 20, 'A'));
  CHECK_THAT(message(long_one.status()), ContainsSubstring("1048576 bytes"));
}

// With a right checksum, so that what follows it is what refuses.
std::string sealed(std::string bytes) {
  Encoder(bytes).fixed32(static_cast<std::uint32_t>(dynamo::core::checksum(bytes)));
  return absl::WebSafeBase64Escape({bytes.data(), bytes.size()});
}

TEST_CASE("a later format is refused by its number, and a malformed one by name") {
  std::string bytes;
  const std::string text = example().encode();
  REQUIRE(absl::WebSafeBase64Unescape({text.data(), text.size()}, &bytes));
  bytes.resize(bytes.size() - 4);
  REQUIRE(Context::decode(sealed(bytes)).ok());

  CHECK_THAT(message(Context::decode(sealed("\x03" + bytes.substr(1))).status()),
             ContainsSubstring("format 3") && ContainsSubstring("reads formats 1 and 2"));
  CHECK_THAT(message(Context::decode(sealed(bytes + "x")).status()),
             ContainsSubstring("malformed"));
  for (std::size_t size = 1; size < bytes.size(); ++size) {
    CHECK_THAT(message(Context::decode(sealed(bytes.substr(0, size))).status()),
               ContainsSubstring("malformed"));
  }
}

TEST_CASE("a context is good for its own cluster, store and key, and says for which it is not") {
  const auto binding = bind_context(cluster, "carts", "alice");
  const auto check = [&](const Identity& of, std::string_view store, std::string_view key) {
    const Context context = make_context({.binding = bind_context(of, store, key)});
    return check_binding(context, binding, "carts", "alice");
  };
  CHECK(check(cluster, "carts", "alice").ok());
  CHECK(check_binding(Context(), binding, "carts", "alice").ok());

  const absl::Status key = check(cluster, "carts", "bob");
  CHECK(key.code() == absl::StatusCode::kInvalidArgument);
  CHECK_THAT(message(key), ContainsSubstring("another key") && ContainsSubstring("\"alice\"") &&
                               ContainsSubstring("\"carts\""));
  CHECK_THAT(message(check(cluster, "users", "alice")), ContainsSubstring("another store"));
  CHECK_THAT(message(check({.high = 3, .low = 4}, "carts", "alice")),
             ContainsSubstring("another cluster"));
}

TEST_CASE("the bytes of a context are those of format 1") {
  const std::string text = example().encode();
  CHECK(text == "AQQDAgEFAAAABgAAAAAAAAAHAAAAAAAAAAEIAAAAAAAAAAEBAQgAAAAAAAAAAQNxZrZL");
  std::string bytes;
  REQUIRE(absl::WebSafeBase64Unescape({text.data(), text.size()}, &bytes));
  CHECK(test::hex(bytes) ==
        "01"                  // the format
        "04030201"            // cluster
        "05000000"            // store
        "0600000000000000"    // key
        "0700000000000000"    // latest clock
        "010800000000000000"  // one entry of the vector: 8.1
        "0101"                // its sequence and counter
        "010800000000000000"  // one dot beyond a gap
        "0103"                // 8.1:3
        "7166b64b");          // checksum
}

}  // namespace
