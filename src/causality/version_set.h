#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include <absl/container/inlined_vector.h>
#include <dynamo/outcome.h>
#include <dynamo/version.h>

#include "base/coding.h"
#include "base/hybrid_time.h"
#include "causality/history.h"

namespace dynamo::core {

// A version as replicas keep it.
struct StoredVersion {
  Dot dot{};
  WriteId write_id{};
  HybridTime clock{};                   // orders concurrent versions under last-write-wins
  std::int64_t written_at_us = 0;       // wall clock of the node that accepted the put
  std::int64_t expires_at_us = 0;       // 0: never. The same instant on every replica
  std::optional<std::string> object{};  // nullopt: a delete

  bool visible_at(std::int64_t wall_us) const {
    return object.has_value() && (expires_at_us == 0 || wall_us < expires_at_us);
  }
  friend bool operator==(const StoredVersion&, const StoredVersion&) = default;
};

// How concurrent versions are kept: a fact of the store.
enum class Conflict : std::uint8_t { keep_siblings = 0, last_write_wins = 1 };

// All that a replica knows of one key: the versions that nothing has replaced, and the history of
// every dot that was ever merged in (a dotted version vector set).
//
// Two sets are merged by keeping what both hold and what only one holds, unless the other has seen
// it and let it go. So replicas exchange whole sets in any order, any number of times, and arrive
// at the same set; nothing is ever "stored if newer". Merging knows nothing of wall clocks, write
// ids or reconcilers, but that under last-write-wins only the winner of the concurrent versions
// stays, while the dots of the others stay in the history.
//
// Invariants: versions ascend by dot; every dot is in the history.
//
// Thread safety: a value.
class VersionSet {
 public:
  // In place as many as most keys have.
  using Versions = absl::InlinedVector<StoredVersion, 1>;

  bool empty() const { return versions_.empty() && history_.empty(); }
  std::span<const StoredVersion> versions() const { return versions_; }
  const History& history() const { return history_; }

  // Commutative, associative, idempotent.
  void merge(const VersionSet& other, Conflict conflict);
  void merge(VersionSet&& other, Conflict conflict);

  // Whether a merge of this set into the other gives this set.
  bool replaces(const VersionSet& other, Conflict conflict) const;

  // Drops what `context` covers, adds `version`, whose dot must be new to the set.
  void put(const History& context, StoredVersion version, Conflict conflict);

  // How many versions put() with this context would leave, the new one included.
  std::size_t size_after_put(const History& context) const;

  // Whether there is nothing to show at that time, nor ever after.
  bool only_deletes_at(std::int64_t wall_us) const;

  // The version that a write left here, or null.
  const StoredVersion* find_write(const WriteId& id) const;
  // The greatest clock of the versions; zero if there are none.
  HybridTime latest() const;
  // Bytes of the encoded form, roughly.
  std::size_t bytes() const;

  // Gives away what the set is made of.
  struct Parts {
    Versions versions{};
    History history{};
  };
  Parts take() && { return {std::move(versions_), std::move(history_)}; }

  void encode(Encoder& out) const;
  // Fails `in` on what encode() would not write.
  static VersionSet decode(Decoder& in);
  // Skips a set; fails `in` as decode() does. Allocates nothing if the set is of the usual kind.
  static void check(Decoder& in);

  friend bool operator==(const VersionSet&, const VersionSet&) = default;

 private:
  template <class Other>
  void merge_from(Other&& other, Conflict conflict);
  void keep_last_write();

  Versions versions_;
  History history_;
};

// The larger of two concurrent versions under last-write-wins: by clock, then write id. The dot
// decides between two copies of one write.
bool wins_over(const StoredVersion& a, const StoredVersion& b);

}  // namespace dynamo::core
