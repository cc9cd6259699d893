#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include <dynamo/vector_clock.h>
#include <dynamo/version.h>

#include "base/coding.h"

namespace dynamo::core {

// A version set as most are, where it lies: few actors, no gaps in what was seen of them, at most
// one version. What a replica has to know of such a set when it is written, it is told without
// decoding the set, and without memory.
//
// Thread safety: a value, as long as the bytes it was read from.
class UsualSet {
 public:
  UsualSet() = default;  // the empty set

  // Reads what stands next in `in`. False if that is a set of another kind, or none; `in` and this
  // are of no use then.
  bool read(Decoder& in);
  // The same, of all of `bytes`.
  bool read(std::string_view bytes);

  bool empty() const { return actors_ == 0; }
  // As VersionSet::replaces(), whatever becomes of concurrent versions: there are none.
  bool replaces(const UsualSet& other) const;
  // As History::highest() and VersionSet::only_deletes_at().
  std::uint64_t highest(const ActorId& actor) const;
  bool only_deletes_at(std::int64_t wall_us) const;

  // Its history and the dot of its version as they are encoded; no dot without a version.
  std::string_view history() const { return history_; }
  std::string_view dot() const { return dot_bytes_; }
  // Of the two together, at most.
  static constexpr std::size_t bytes_max = 256;

 private:
  static constexpr std::size_t actors_max = 8;

  bool contains(const Dot& dot) const { return dot.counter <= highest(dot.actor); }
  bool read_version(Decoder& in);

  std::array<VectorClock::Entry, actors_max> clock_{};  // ascending
  std::size_t actors_ = 0;
  std::string_view history_{"\0\0", 2};
  std::string_view dot_bytes_{};
  Dot dot_{};
  std::int64_t expires_at_us_ = 0;
  bool has_object_ = false;
};

}  // namespace dynamo::core
