#include "node/store_table.h"

#include <string>
#include <vector>

#include <absl/strings/escaping.h>

#include "base/prng.h"
#include "catch.hpp"
#include "unit/causality/seeds.h"

using namespace dynamo::core;
using test::ContainsSubstring;

namespace {

StoreFacts facts(int n, Conflict conflict = Conflict::keep_siblings) {
  return {.name = "s", .n = n, .conflict = conflict};
}

}  // namespace

TEST_CASE("stores: the first open proposes, a second that contradicts it is refused with both") {
  StoreTable table;
  CHECK(table.open(facts(3)).changed);
  CHECK_FALSE(table.open(facts(3)).changed);
  const StoreTable::Verdict other = table.open(facts(2, Conflict::last_write_wins));
  CHECK(absl::IsFailedPrecondition(other.status));
  CHECK(other.status.message() ==
        "store \"s\" has n=3, siblings kept; asked for n=2, last write wins; both are fixed at "
        "first use");
  CHECK(table.find("s")->facts == facts(3));
  CHECK(table.check(facts(3)).ok());
  CHECK(absl::IsFailedPrecondition(table.check(facts(2))));
  CHECK(table.check({.name = "unknown", .n = 5}).ok());
}

TEST_CASE("stores: of two proposals the smaller wins, n before kind") {
  StoreTable table;
  table.open(facts(3));
  CHECK(absl::IsFailedPrecondition(table.claimed(facts(4), false).status));
  CHECK(
      absl::IsFailedPrecondition(table.claimed(facts(3, Conflict::last_write_wins), false).status));
  CHECK(table.claimed(facts(2, Conflict::last_write_wins), false).changed);
  CHECK(table.find("s")->facts == facts(2, Conflict::last_write_wins));
  CHECK(table.claimed(facts(2), false).changed);
  CHECK(table.find("s")->facts == facts(2));
  // The handle that was opened under the facts that lost fails by name.
  CHECK_THAT(std::string(table.check(facts(3)).message()),
             ContainsSubstring("store \"s\" has n=2"));
}

TEST_CASE("stores: established beats proposed, whatever is smaller") {
  StoreTable table;
  table.open(facts(2));
  CHECK(table.claimed(facts(5), true).changed);
  CHECK(table.find("s")->facts == facts(5));
  CHECK(table.find("s")->established);
  CHECK(absl::IsFailedPrecondition(table.claimed(facts(2), false).status));

  StoreTable written;
  written.open(facts(5));
  CHECK(written.establish("s"));
  CHECK_FALSE(written.establish("s"));
  CHECK_FALSE(written.establish("unknown"));
  CHECK(absl::IsFailedPrecondition(written.claimed(facts(2), false).status));
}

TEST_CASE("stores: the same facts, now established, are news once") {
  StoreTable table;
  table.open(facts(3));
  CHECK(table.claimed(facts(3), true).changed);
  CHECK_FALSE(table.claimed(facts(3), true).changed);
  CHECK_FALSE(table.claimed(facts(3), false).changed);
  CHECK(table.find("s")->established);
}

// Whatever nodes open, write and tell each other, in any order, lost and repeated: once each has
// heard each other's last word, all have the same facts.
TEST_CASE("stores: random exchanges end in agreement") {
  for (const std::uint64_t seed : test::seeds(2000)) {
    Prng prng(seed);
    const std::size_t nodes = 2 + prng.below(2);
    std::vector<StoreTable> tables(nodes);
    const auto tell = [&tables](std::size_t from, std::size_t to) {
      const StoreTable::Entry* entry = tables[from].find("s");
      if (entry == nullptr) return;
      const StoreTable::Entry sent = *entry;
      const StoreTable::Verdict verdict = tables[to].claimed(sent.facts, sent.established);
      if (verdict.status.ok()) return;
      // As the machine does: who does not yield says what it has.
      const StoreTable::Entry back = *tables[to].find("s");
      static_cast<void>(tables[from].claimed(back.facts, back.established));
    };
    for (int step = 0; step < 12; ++step) {
      const std::size_t at = prng.below(nodes);
      switch (prng.below(3)) {
        case 0:
          static_cast<void>(tables[at].open(
              facts(static_cast<int>(1 + prng.below(4)), static_cast<Conflict>(prng.below(2)))));
          break;
        case 1:
          tables[at].establish("s");
          break;
        default:
          tell(at, prng.below(nodes));
      }
    }
    for (std::size_t round = 0; round < nodes; ++round) {
      for (std::size_t from = 0; from < nodes; ++from) {
        for (std::size_t to = 0; to < nodes; ++to) tell(from, to);
      }
    }
    INFO("seed " << seed);
    for (std::size_t i = 1; i < nodes; ++i) {
      REQUIRE((tables[i].find("s") == nullptr) == (tables[0].find("s") == nullptr));
      if (tables[0].find("s") == nullptr) continue;
      CHECK(tables[i].find("s")->facts == tables[0].find("s")->facts);
      CHECK(tables[i].find("s")->established == tables[0].find("s")->established);
    }
  }
}

// A change of these bytes makes every data directory unreadable.
TEST_CASE("stores: golden bytes, damage anywhere is DATA_LOSS") {
  const std::string bytes = encode_store({facts(3, Conflict::last_write_wins), true});
  CHECK(absl::BytesToHexString(bytes) == "010173030101267e7ff3a02d4e43");
  const StoreTable::Entry entry = decode_store(bytes).value();
  CHECK(entry.facts == facts(3, Conflict::last_write_wins));
  CHECK(entry.established);
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    std::string damaged = bytes;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x10);
    CHECK(absl::IsDataLoss(decode_store(damaged).status()));
    CHECK(absl::IsDataLoss(decode_store(bytes.substr(0, at)).status()));
  }
}
