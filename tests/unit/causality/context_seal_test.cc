#include "causality/context_seal.h"

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <absl/strings/escaping.h>

#include "base/coding.h"
#include "base/hash.h"
#include "base/prng.h"
#include "catch.hpp"
#include "causality/context_body.h"

namespace {

using dynamo::Context;
using dynamo::Identity;
using namespace dynamo::core;
using test::ContainsSubstring;

constexpr Identity cluster = {.high = 0x1111, .low = 0x2222};
const ContextOwner alice = {.cluster = cluster, .store = "carts", .key = "alice"};
constexpr std::size_t mac_bytes = 16;
constexpr std::size_t checksum_bytes = 4;

std::shared_ptr<const ContextSecrets> secrets(std::string current,
                                              std::vector<std::string> accepted = {}) {
  return std::make_shared<const ContextSecrets>(
      ContextSecrets{std::move(current), std::move(accepted)});
}

ContextBody body_of(const ContextOwner& owner, Prng& prng) {
  ContextBody body{.binding = bind_context(owner.cluster, owner.store, owner.key),
                   .latest = HybridTime{prng.next()}};
  for (std::uint64_t n = 1 + prng.below(5); n > 0; --n) {
    body.history.add({.actor = {.boot = prng.next(), .sequence = 1}, .counter = 1 + prng.below(3)});
  }
  return body;
}

Context made(const ContextOwner& owner, std::shared_ptr<const ContextSecrets> by, Prng& prng) {
  ContextBody body = body_of(owner, prng);
  body.seal = std::make_shared<const ContextSeal>(ContextSeal{std::move(by), owner});
  return make_context(std::move(body));
}

// As a put of `owner`'s key at a node with these secrets.
absl::Status use(std::string_view text, const ContextOwner& owner, const ContextSecrets& at) {
  const auto context = Context::decode(text);
  if (!context.ok()) return context.status();
  const auto expected = bind_context(owner.cluster, owner.store, owner.key);
  absl::Status bound = check_binding(*context, expected, owner.store, owner.key);
  return bound.ok() ? check_seal(*context, &at, owner) : bound;
}

std::string bytes_of(const std::string& text) {
  std::string bytes;
  REQUIRE(absl::WebSafeBase64Unescape({text.data(), text.size()}, &bytes));
  return bytes;
}

// Whoever forges a context knows how checksums are made.
std::string with_checksum(std::string bytes) {
  Encoder(bytes).fixed32(static_cast<std::uint32_t>(checksum(bytes)));
  return absl::WebSafeBase64Escape({bytes.data(), bytes.size()});
}

std::string without_checksum(const std::string& text) {
  std::string bytes = bytes_of(text);
  bytes.resize(bytes.size() - checksum_bytes);
  return bytes;
}

std::string flipped(std::string bytes, Prng& prng) {
  const std::uint64_t bit = prng.below(8 * bytes.size());
  bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << (bit % 8)));
  return bytes;
}

std::string message(const absl::Status& status) { return std::string(status.message()); }

TEST_CASE("a sealed context leaves and comes back, and its text stays the same") {
  if (!has_mac()) return;
  Prng prng(1);
  const auto secret = secrets("secret");
  for (int i = 0; i < 200; ++i) {
    const Context context = made(alice, secret, prng);
    const std::string text = context.encode();
    CHECK(use(text, alice, *secret).ok());
    const auto decoded = Context::decode(text);
    REQUIRE(decoded.ok());
    CHECK(*decoded == context);
    CHECK(decoded->encode() == text);
    CHECK(without_checksum(text).front() == 2);
    // One that stayed here needs no MAC, and a node without secrets asks for none.
    CHECK(check_seal(context, secret.get(), alice).ok());
    CHECK(check_seal(*decoded, nullptr, alice).ok());
  }
}

TEST_CASE("contexts of other secrets are not equal, as their text is not") {
  if (!has_mac()) return;
  Prng prng(2);
  ContextBody body = body_of(alice, prng);
  const Context plain = make_context(body);
  body.seal = std::make_shared<const ContextSeal>(ContextSeal{secrets("one"), alice});
  const Context one = make_context(body);
  body.seal = std::make_shared<const ContextSeal>(ContextSeal{secrets("two"), alice});
  const Context two = make_context(body);
  CHECK((one == one && !(one == two) && !(one == plain)));
  CHECK((one.encode() != two.encode() && one.encode() != plain.encode()));
}

TEST_CASE("a rotation refuses nobody") {
  if (!has_mac()) return;
  Prng prng(3);
  const auto before = secrets("old");
  const auto prepared = secrets("old", {"new"});
  const auto turned = secrets("new", {"old"});
  const auto after = secrets("new");
  const std::string by_old = made(alice, prepared, prng).encode();
  const std::string by_new = made(alice, turned, prng).encode();
  for (const auto& node : {before, prepared, turned}) CHECK(use(by_old, alice, *node).ok());
  for (const auto& node : {prepared, turned, after}) CHECK(use(by_new, alice, *node).ok());
  CHECK_THAT(message(use(by_old, alice, *after)), ContainsSubstring("context_secret"));
  CHECK_THAT(message(use(by_new, alice, *before)), ContainsSubstring("context_secret"));
}

TEST_CASE("the MAC is of the names, not of their hashes") {
  if (!has_mac()) return;
  Prng prng(4);
  const auto secret = secrets("secret");
  ContextBody body = body_of(alice, prng);  // as if "mallory" had the hash of "alice"
  const ContextOwner mallory{.cluster = cluster, .store = "carts", .key = "mallory"};
  body.seal = std::make_shared<const ContextSeal>(ContextSeal{secret, mallory});
  const std::string text = make_context(std::move(body)).encode();
  CHECK(use(text, alice, *secret).code() == absl::StatusCode::kInvalidArgument);
}

using Mutation = std::pair<std::string, std::function<std::string(const std::string&)>>;

// What becomes of the text of one of alice's contexts, sealed with "secret".
std::vector<Mutation> mutations(Prng& prng) {
  const auto other = [&](const ContextOwner& owner, const std::string& by) {
    return made(owner, secrets(by), prng).encode();
  };
  return {
      {"a bit of the text", [&](const std::string& text) { return flipped(text, prng); }},
      {"a bit under a new checksum",
       [&](const std::string& text) {
         return with_checksum(flipped(without_checksum(text), prng));
       }},
      {"three bits under a new checksum",
       [&](const std::string& text) {
         const std::string once = without_checksum(text);
         std::string bytes = flipped(flipped(flipped(once, prng), prng), prng);
         return with_checksum(bytes == once ? flipped(bytes, prng) : bytes);
       }},
      {"cut text",
       [&](const std::string& text) { return text.substr(0, 1 + prng.below(text.size() - 1)); }},
      {"cut under a new checksum",
       [&](const std::string& text) {
         const std::string bytes = without_checksum(text);
         return with_checksum(bytes.substr(0, prng.below(bytes.size())));
       }},
      {"more under a new checksum",
       [&](const std::string& text) {
         return with_checksum(without_checksum(text) + static_cast<char>(prng.next()));
       }},
      {"no MAC",
       [&](const std::string& text) {
         std::string bytes = without_checksum(text);
         bytes.resize(bytes.size() - mac_bytes);
         bytes.front() = 1;
         return with_checksum(bytes);
       }},
      {"the MAC of another",
       [&, other](const std::string& text) {
         std::string bytes = without_checksum(text);
         const std::string from = without_checksum(other(alice, "secret"));
         bytes.replace(bytes.size() - mac_bytes, mac_bytes, from, from.size() - mac_bytes,
                       mac_bytes);
         return with_checksum(bytes);
       }},
      {"of no secret",
       [&](const std::string&) { return make_context(body_of(alice, prng)).encode(); }},
      {"of another secret", [&, other](const std::string&) { return other(alice, "secret "); }},
      {"of another key",
       [&, other](const std::string&) { return other({cluster, "carts", "bob"}, "secret"); }},
      {"of another store",
       [&, other](const std::string&) { return other({cluster, "users", "alice"}, "secret"); }},
      {"of another cluster",
       [&, other](const std::string&) { return other({{3, 4}, "carts", "alice"}, "secret"); }},
      {"a MAC of zeros",
       [&](const std::string& text) {
         std::string bytes = without_checksum(text);
         bytes.replace(bytes.size() - mac_bytes, mac_bytes, mac_bytes, '\0');
         return with_checksum(bytes);
       }},
  };
}

TEST_CASE("100,000 mutated contexts are all refused") {
  if (!has_mac()) return;
  const auto secret = secrets("secret", {"secret before"});
  const std::uint64_t seed = 5;
  CAPTURE(seed);
  Prng prng(seed);
  const std::vector<Mutation> kinds = mutations(prng);
  for (std::size_t i = 0; i < 100'000; ++i) {
    const auto& [kind, mutate] = kinds[i % kinds.size()];
    const std::string text = made(alice, secret, prng).encode();
    const absl::Status status = use(mutate(text), alice, *secret);
    if (status.code() == absl::StatusCode::kInvalidArgument) continue;
    CAPTURE(kind, i, text, status.ToString());
    FAIL("a mutated context was accepted");
  }
}

}  // namespace
