#pragma once

#include <cstdint>

#include "base/mutant.h"

namespace dynamo::core {

// When may a record that holds nothing but deletes be dropped? When no copy of what it deleted can
// come back. Copies of a set live in frames (which a network may repeat at any time), in hints, in
// requests under way, on a disk that was restored. So every set that travels is stamped with the
// generation in which it was read, a number of its sender, and the cluster moves through
// generations together:
//
//   confirm  An owner finds, by a complete round of anti-entropy that ends in its generation g,
//   that
//            all owners of the partition hold on their disks what it holds of the record.
//   barrier  Every member of the cluster moves to the next generation and says when it has settled
//            there: it holds no hint stamped lower.
//   seal     All have. From now on owners refuse what is stamped lower.
//   drop     An owner that has sealed generation g+2 drops the record if it is what it was, and so
//            do the others that it tells.
//
// Whatever an owner reads in generation g+1 or later is read after it has confirmed, so it has seen
// the deletes. What was read before is refused. A stand-in may be one generation ahead of the
// owners that confirm, and have taken a write that the deletes have replaced: hence two barriers
// and not one. (This is epoch-based reclamation. It does without the marks and round ids that a
// round per partition needs: an exchange is the mark, and a member's word that it has settled stays
// true for ever.) The protocol is model-checked in tests/unit/repair/reap_model_test.cc, every rule
// of it by what happens without it.
//
// A node that has lost its disk knows nothing of all this. It takes the generation of the first
// member that tells it so, refuses what is stamped lower, and does not settle before it has been
// rebuilt from the other owners; what it reads until then is stamped as read before.
//
// Thread safety: a value.
struct Generation {
  // What was confirmed in a generation may be dropped once the one so much later is sealed.
  static constexpr std::uint64_t grace = 2;

  std::uint64_t current = 0;  // others are refused as a stand-in's below it
  std::uint64_t settled = 0;  // the highest one that this node has settled in
  std::uint64_t sealed = 0;   // the highest one that it knows all to have settled in
  std::uint64_t floor = 0;    // that it was in when it found its disk lost
  bool rebuilding = false;
  bool replaced = false;  // another disk's place has been taken, and that is known

  // What this node reads now is stamped with this.
  std::uint64_t stamp() const { return rebuilding ? floor : current; }
  bool owner_accepts(std::uint64_t stamp) const {
    if (mutated(Mutant::seal_left_out)) return true;
    return stamp >= sealed && (!rebuilding || stamp >= floor);
  }
  bool stand_in_accepts(std::uint64_t stamp) const { return stamp >= current; }
  // A record that was confirmed in that generation.
  bool may_drop(std::uint64_t confirmed) const {
    if (mutated(Mutant::reap_without_generations) || mutated(Mutant::reap_by_timer)) return true;
    return !rebuilding && sealed >= confirmed + grace;
  }

  // Each returns whether it changed anything. The change is to be stored before anybody hears of
  // it.
  bool raise(std::uint64_t generation);
  bool settle(std::uint64_t generation);
  bool seal(std::uint64_t generation);
  // A disk was lost; somebody who was there before says that he is in this generation. Once only.
  bool rebuild(std::uint64_t generation);
  bool rebuilt();

  friend bool operator==(const Generation&, const Generation&) = default;
};

inline bool Generation::raise(std::uint64_t generation) {
  if (generation <= current) return false;
  current = generation;
  return true;
}

inline bool Generation::settle(std::uint64_t generation) {
  if (rebuilding || generation > current || generation <= settled) return false;
  settled = generation;
  return true;
}

inline bool Generation::seal(std::uint64_t generation) {
  const bool promised = generation <= settled || generation <= floor;
  if (!promised || generation <= sealed) return false;
  sealed = generation;
  return true;
}

inline bool Generation::rebuild(std::uint64_t generation) {
  if (replaced) return false;
  const std::uint64_t now = generation > current ? generation : current;
  *this = {.current = now, .floor = now, .rebuilding = true, .replaced = true};
  return true;
}

inline bool Generation::rebuilt() {
  if (!rebuilding) return false;
  rebuilding = false;
  return true;
}

}  // namespace dynamo::core
