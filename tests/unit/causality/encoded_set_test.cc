#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/prng.h"
#include "catch.hpp"
#include "causality/encoded_set.h"
#include "causality/usual_set.h"
#include "unit/causality/encoded.h"

namespace {

using dynamo::ActorId;
using dynamo::Dot;
using dynamo::core::Conflict;
using dynamo::core::Decoder;
using dynamo::core::EncodedSet;
using dynamo::core::History;
using dynamo::core::HybridTime;
using dynamo::core::Prng;
using dynamo::core::UsualSet;
using dynamo::core::VersionSet;

// What a few puts by up to ten actors make, each of which has seen some of the others.
VersionSet random_set(Prng& prng) {
  VersionSet set;
  const std::uint64_t actors = 1 + prng.below(10);
  for (std::uint64_t puts = prng.below(8); puts > 0; --puts) {
    const ActorId actor{.boot = 1 + prng.below(actors), .sequence = 1};
    const Dot dot = {actor, set.history().highest(actor) + 1 + prng.below(2)};
    const std::uint64_t what = actor.boot * 100 + dot.counter;  // one dot is one version
    set.put(prng.chance(0.6) ? set.history() : History{},
            {.dot = dot,
             .write_id = {.high = what, .low = 1},
             .clock = HybridTime{what},
             .expires_at_us = static_cast<std::int64_t>(what % 2),
             .object = std::string(what % 20, 'x')},
            Conflict::keep_siblings);
  }
  return set;
}

// Empty, or how check() and decode() differ over these bytes.
std::string difference(const std::string& bytes) {
  Decoder checked(bytes);
  VersionSet::check(checked);
  Decoder decoded(bytes);
  VersionSet::decode(decoded);
  if (checked.ok() == decoded.ok() && checked.remaining() == decoded.remaining()) return {};
  return test::hex(bytes);
}

}  // namespace

TEST_CASE("a set is checked without decoding as it is with it") {
  Prng prng(1);
  for (int i = 0; i < 300; ++i) {
    const std::string bytes = test::encoded(random_set(prng));
    CHECK(difference(bytes + "later") == "");
    CHECK(difference(bytes.substr(0, prng.below(bytes.size() + 1))) == "");
    for (std::size_t at = 0; at < bytes.size(); ++at) {
      std::string altered = bytes;
      altered[at] = static_cast<char>(static_cast<unsigned char>(altered[at]) ^ prng.below(256));
      CHECK(difference(altered) == "");
    }
  }
}

TEST_CASE("an encoded set says what the set says") {
  Prng prng(2);
  for (int i = 0; i < 300; ++i) {
    const VersionSet set = random_set(prng);
    const EncodedSet own(set);
    const std::string bytes = test::encoded(set) + "what follows";
    Decoder in(bytes);
    const EncodedSet there = EncodedSet::read_in_place(in);
    REQUIRE(in.ok());
    CHECK(in.unread() == "what follows");
    CHECK(there == own);
    CHECK(there.decode() == set);
    CHECK(there.empty() == set.empty());
    CHECK(there.version_count() == set.versions().size());
    // A copy does not need what the original was read from.
    CHECK(EncodedSet(there).bytes().data() != there.bytes().data());
    CHECK(EncodedSet(there) == own);
  }
  CHECK(EncodedSet() == EncodedSet(VersionSet{}));
}

TEST_CASE("a set that replaces another is what a merge of both gives") {
  Prng prng(3);
  int replaced = 0;
  for (int i = 0; i < 3000; ++i) {
    const Conflict conflict =
        prng.chance(0.5) ? Conflict::keep_siblings : Conflict::last_write_wins;
    const VersionSet old = random_set(prng);
    VersionSet incoming = prng.chance(0.5) ? random_set(prng) : old;
    if (prng.chance(0.7)) incoming.merge(random_set(prng), conflict);
    if (!incoming.replaces(old, conflict)) continue;
    ++replaced;
    VersionSet merged = old;
    merged.merge(std::as_const(incoming), conflict);
    CHECK(merged == incoming);
  }
  CHECK(replaced > 100);
}

// By these a replica decides what to keep, with the sets where they lie.
TEST_CASE("a set of the usual kind says in place what it says decoded") {
  Prng prng(7);
  int usual = 0;
  int replaced = 0;
  for (int i = 0; i < 20'000; ++i) {
    const VersionSet set = random_set(prng);
    // Another by the same actors, or what became of this one.
    VersionSet other = random_set(prng);
    if (prng.chance(0.5)) other.merge(set, Conflict::last_write_wins);
    const std::string bytes = test::encoded(set);
    const std::string other_bytes = test::encoded(other);
    UsualSet in_place;
    UsualSet other_in_place;
    if (!in_place.read(bytes) || !other_in_place.read(other_bytes)) continue;
    ++usual;
    CHECK(in_place.empty() == set.empty());
    for (const auto conflict : {Conflict::keep_siblings, Conflict::last_write_wins}) {
      CHECK(in_place.replaces(other_in_place) == set.replaces(other, conflict));
      CHECK(other_in_place.replaces(in_place) == other.replaces(set, conflict));
    }
    if (other.replaces(set, Conflict::keep_siblings)) ++replaced;
    for (std::uint64_t boot = 0; boot < 12; ++boot) {
      const ActorId actor{.boot = boot, .sequence = 1};
      CHECK(in_place.highest(actor) == set.history().highest(actor));
    }
    for (const std::int64_t now : {0, 1, 2}) {
      CHECK(in_place.only_deletes_at(now) == set.only_deletes_at(now));
    }
  }
  CHECK(usual > 700);
  CHECK(replaced > 100);
}
