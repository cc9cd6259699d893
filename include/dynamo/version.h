#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <string>

#include <dynamo/export.h>
#include <dynamo/vector_clock.h>

namespace dynamo {

// The name of one version: the `counter`-th event of `actor`. Counters start at 1; a zero Dot names
// nothing.
//
// The order of dots is for sorting and sets. It says nothing about which version is newer.
//
// Thread safety: a value.
struct Dot {
  ActorId actor{};
  std::uint64_t counter = 0;

  friend auto operator<=>(const Dot&, const Dot&) = default;
  // "actor:counter", both in hexadecimal but for the counter.
  DYNAMO_EXPORT std::string to_string() const;
};

// One immutable version of an object (paper, 4.4).
//
// Versions that get() returns together are concurrent: none of their writers had seen another's.
// That is what a reconciler is for.
//
// Thread safety: a value.
struct Version {
  // The application's bytes, as some put gave them.
  std::string object{};
  // Names this version. Zero for the result of a reconciler, which no put has stored yet.
  Dot dot{};
  // The wall clock of the node that accepted the put, in microseconds. A tie-break for reconcilers,
  // never an order: clocks differ between nodes.
  std::chrono::system_clock::time_point written_at{};
};

}  // namespace dynamo
