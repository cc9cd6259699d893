#include "causality/replica_key.h"

#include <utility>
#include "base/mutant.h"

namespace dynamo::core {

bool ReplicaKey::merge(VersionSet incoming, Conflict conflict) {
  const bool keeps = mutated(Mutant::actor_kept_after_loss);
  if (!keeps && actor != ActorId{} &&
      incoming.history().highest(actor) > set.history().highest(actor)) {
    actor = {};
  }
  // As most often: it has seen all of this one, and more.
  if (incoming.replaces(set, conflict) && !mutated(Mutant::history_pruned_on_repair)) {
    if (incoming == set) return false;
    set = std::move(incoming);
    return true;
  }
  VersionSet merged = set;
  merged.merge(std::move(incoming), conflict);
  if (merged == set) return false;
  set = std::move(merged);
  return true;
}

Dot ReplicaKey::put(PutRequest request, Conflict conflict, ActorSource& actors) {
  if (const StoredVersion* held = set.find_write(request.write_id)) return held->dot;
  const bool forgot = request.context.highest(actor) > set.history().highest(actor);
  if ((forgot && !mutated(Mutant::actor_kept_after_loss)) || !actors.trusts(actor)) {
    // A name that nobody has heard of. Sequences can be guessed: a forged context may claim names
    // to come, at any counter.
    do {
      actor = actors.draw();
    } while (request.context.highest(actor) > 0 || set.history().highest(actor) > 0);
  }
  const Dot dot = {actor, set.history().highest(actor) + 1};
  set.put(request.context,
          {.dot = dot,
           .write_id = request.write_id,
           .clock = request.clock,
           .written_at_us = request.written_at_us,
           .expires_at_us = request.expires_at_us,
           .object = std::move(request.object)},
          conflict);
  return dot;
}

}  // namespace dynamo::core
