#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/mutant.h"
#include "causality/version_set.h"

namespace dynamo::core {

// Draws the names under which this node writes. One per life of the node.
//
// Thread safety: one thread at a time.
class ActorSource {
 public:
  // `boot`: 64 random bits, drawn at this open of the data directory.
  // Several sources of one boot draw sequences that are `apart`, each from another `first` below.
  explicit ActorSource(std::uint64_t boot, std::uint64_t first = 0, std::uint64_t apart = 1)
      : boot_(boot), apart_(apart), sequence_(first), floor_(first) {}

  ActorId draw() { return {boot_, sequence_ += apart_}; }
  // Drawn from this source, and since the last distrust().
  bool trusts(const ActorId& actor) const {
    if (mutated(Mutant::actor_kept_over_close) || mutated(Mutant::actor_kept_after_loss)) {
      return actor != ActorId{};
    }
    if (mutated(Mutant::actor_kept_after_failed_write)) return actor.boot == boot_;
    return actor.boot == boot_ && actor.sequence > floor_;
  }
  // Some local write failed, and nobody can say what the disk now holds: no record goes on under
  // the name that it has. Blunt, and right: names are cheap.
  void distrust() { floor_ = sequence_; }

 private:
  std::uint64_t boot_;
  std::uint64_t apart_;
  std::uint64_t sequence_;
  std::uint64_t floor_;
};

// A put, as its coordinator gets it.
struct PutRequest {
  History context{};
  WriteId write_id{};
  HybridTime clock{};
  std::int64_t written_at_us = 0;
  std::int64_t expires_at_us = 0;
  std::optional<std::string> object{};  // nullopt: a delete
};

// What one replica holds of one key: the version set, and the actor under which this node writes
// it.
//
// The actor is local: never hashed, never sent. Its one rule is that a node never speaks under the
// same name after it may have forgotten something (traps A2, A3): otherwise it gives one dot to two
// versions, and the replicas that know the first take the second for old and drop an acknowledged
// write. So the record draws a fresh actor
//   - when it comes into being here, by put, merge, hint or transfer (then `actor` is zero),
//   - at its first write after every open, or after a failed local write (ActorSource::trusts()),
//   - when an incoming history shows a higher counter of that very actor: somebody remembers what
//   we do not.
//
// Thread safety: a value.
struct ReplicaKey {
  VersionSet set{};
  ActorId actor{};

  // Merges what another replica sent. Returns whether anything changed.
  bool merge(VersionSet incoming, Conflict conflict);

  // Gives the put a dot and applies it; returns the dot. A write that the set already holds keeps
  // its dot and changes nothing (trap A8).
  Dot put(PutRequest request, Conflict conflict, ActorSource& actors);
};

}  // namespace dynamo::core
