#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include <dynamo/vector_clock.h>
#include <dynamo/version.h>

#include "base/coding.h"

namespace dynamo::core {

// Which versions have ever been seen: a set of dots, kept small.
//
// For most actors all dots from 1 to some counter are in the set, and a vector clock says so in one
// entry. Dots above a gap are kept one by one, and folded into the vector once the gap closes. The
// gap matters: the context that a put returns covers its own dot but not the siblings that the same
// coordinator wrote just before, and with a plain vector it would claim to (and a later put would
// erase a sibling that its writer never saw).
//
// The form is canonical: equal sets are equal objects and encode to equal bytes.
//
// Thread safety: a value.
class History {
 public:
  // A record or context with more entries than this is refused at put.
  static constexpr std::size_t entries_max = 512;

  bool contains(const Dot& dot) const;
  // Holds every dot of `other`.
  bool covers(const History& other) const;
  void add(const Dot& dot);
  // Set union: commutative, associative, idempotent.
  void merge(const History& other);

  // The highest counter of `actor` in the set, gaps or not; 0 if there is none.
  std::uint64_t highest(const ActorId& actor) const;
  bool empty() const { return clock_.empty() && dots_.empty(); }
  std::size_t size() const { return clock_.size() + dots_.size(); }
  const VectorClock& clock() const { return clock_; }
  std::span<const Dot> dots() const { return dots_; }  // ascending, none covered by clock()
  std::string to_string() const;

  void encode(Encoder& out) const;
  // Fails `in` on anything that encode() would not write. Accepts more than entries_max entries:
  // merges may exceed it, and what a replica holds must stay readable.
  static History decode(Decoder& in);
  // Skips one that is known to be well formed.
  static void skip(Decoder& in);

  friend bool operator==(const History&, const History&) = default;

 private:
  void fold();

  VectorClock clock_;
  std::vector<Dot> dots_;
};

}  // namespace dynamo::core
