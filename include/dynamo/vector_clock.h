#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include <absl/container/inlined_vector.h>
#include <dynamo/export.h>

namespace dynamo {

// Who makes an event: one life of one node, seen from one key.
//
// `boot` is a random number that a node draws each time it opens its data directory, `sequence`
// counts the names it used within that life. A node takes a new name whenever it may have forgotten
// what it said under the old one (traps A2 and A3), so an actor never says two things under one
// counter.
//
// Thread safety: a value.
struct ActorId {
  std::uint64_t boot = 0;
  std::uint64_t sequence = 0;

  friend auto operator<=>(const ActorId&, const ActorId&) = default;
  // "boot.sequence", both in hexadecimal.
  DYNAMO_EXPORT std::string to_string() const;
};

// A vector clock (paper, 4.4): for each actor, how many of its events are in the past.
//
// Clocks are partially ordered: `a < b` if b has seen all that a has seen and more; two clocks of
// which neither has seen the other are `unordered`, which is to say concurrent. Applications see
// clocks for display (Context::clock); what a put replaces is decided by the whole context, not by
// its clock alone.
//
// Thread safety: a value.
class DYNAMO_EXPORT VectorClock {
 public:
  // How many events of one actor a clock has seen.
  struct Entry {
    ActorId actor{};
    std::uint64_t counter = 0;
    friend auto operator<=>(const Entry&, const Entry&) = default;
  };

  // Records one more event of `actor`.
  void advance(const ActorId& actor);
  // Raises the counter of `actor` to `counter`; a lower value changes nothing.
  void raise(const ActorId& actor, std::uint64_t counter);
  // The pointwise maximum: commutative, associative, idempotent.
  void merge(const VectorClock& other);

  // The number of events of `actor` that are in the past; 0 if it is unknown.
  std::uint64_t operator[](const ActorId& actor) const;
  bool empty() const { return entries_.empty(); }
  std::size_t size() const { return entries_.size(); }
  // Ascending by actor, no counter is 0. Valid until the clock changes.
  std::span<const Entry> entries() const { return entries_; }
  // "{1f.1:3, 2c.1:1}"; "{}" if empty.
  std::string to_string() const;

  DYNAMO_EXPORT friend std::partial_ordering operator<=>(const VectorClock& a,
                                                         const VectorClock& b);
  friend bool operator==(const VectorClock&, const VectorClock&) = default;

 private:
  // Ascending by actor. In place as many as most keys have owners.
  absl::InlinedVector<Entry, 3> entries_;
};

// Neither clock has seen the other, and they differ.
DYNAMO_EXPORT bool concurrent(const VectorClock& a, const VectorClock& b);

}  // namespace dynamo
