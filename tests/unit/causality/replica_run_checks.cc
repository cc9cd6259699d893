#include <string>

#include "unit/causality/canonical.h"
#include "unit/causality/encoded.h"
#include "unit/causality/replica_run.h"

// What must hold after every step, and what tells two states apart. The codes are those of the
// checkers in the test plan.
namespace test {

using dynamo::core::Conflict;
using dynamo::core::StoredVersion;
using dynamo::core::VersionSet;

std::uint64_t ReplicaRun::write_of(const StoredVersion& version) const {
  return version.write_id.low;
}

// The union of H(s) over the versions of the set.
std::uint64_t ReplicaRun::ghost_of(const VersionSet& set) const {
  std::uint64_t ghost = 0;
  for (const StoredVersion& version : set.versions()) ghost |= writes_[write_of(version)].history;
  return ghost;
}

void ReplicaRun::check(std::size_t at) {
  const Copy& copy = replicas_[at].current;
  if (!copy.model.equals(copy.real.set)) return fail("the model differs at a replica");
  check_codec(copy.real.set);
  if (copy.real.set.versions().size() > 1) ++tally_.siblings;
  if (!copy.real.set.history().dots().empty()) ++tally_.gaps;

  const VersionSet live = merged(false, {0, 1, 2});
  if (encoded(merged(false, {2, 0, 1})) != encoded(live)) {
    return fail("C8: replicas that met in another order differ");
  }
  const VersionSet left = merged(true, {1, 2, 0});
  if (conflict_ == Conflict::keep_siblings) {
    check_promises(live, "what the replicas hold");
    check_promises(left, "what a crash of all would leave");
  } else {
    check_winner(live, "what the replicas hold");
    check_winner(left, "what a crash of all would leave");
  }
}

void ReplicaRun::check_codec(const VersionSet& set) {
  const std::string bytes = encoded(set);
  const Decoded<VersionSet> back = decoded<VersionSet>(bytes);
  if (!back.done || back.value != set || encoded(back.value) != bytes) fail("C6: not canonical");
}

VersionSet ReplicaRun::merged(bool durable, std::array<std::size_t, 3> order) const {
  VersionSet all;
  for (const std::size_t at : order) {
    const Replica& replica = replicas_[at];
    all.merge((durable ? replica.durable : replica.current).real.set, conflict_);
  }
  return all;
}

// C2, C3: by ghost histories, whatever the dots say.
void ReplicaRun::check_promises(const VersionSet& all, const std::string& what) {
  const std::uint64_t cover = ghost_of(all);
  std::uint64_t shown = 0;
  for (const StoredVersion& version : all.versions()) {
    shown |= std::uint64_t{1} << write_of(version);
  }
  for (std::uint64_t write = 0; write < writes_.size(); ++write) {
    const std::uint64_t self = std::uint64_t{1} << write;
    const std::string name = "w" + std::to_string(write);
    if ((shown & self) != 0 && (writes_[write].history & shown) != self) {
      return fail("C3: shown beside what it replaced: " + name + " in " + what);
    }
    if (writes_[write].durable_on == 0) continue;
    if ((cover & self) == 0) return fail("C2: lost " + name + " from " + what);
    if ((writes_[write].history & ~self & shown) != 0) {
      return fail("C3: what " + name + " replaced is back in " + what);
    }
  }
}

// P14: what remains is at least as late as all that must not be forgotten, so what saw another
// write beats it, and everybody agrees on the winner.
void ReplicaRun::check_winner(const VersionSet& all, const std::string& what) {
  if (all.versions().size() > 1) return fail("P14: siblings in " + what);
  for (const Write& write : writes_) {
    if (write.durable_on == 0) continue;
    const bool beaten =
        !all.versions().empty() && !dynamo::core::wins_over(write.version, all.versions().front());
    if (!beaten) return fail("P14: a later write than the winner was dropped from " + what);
  }
}

bool ReplicaRun::blank(std::size_t at) const {
  const Replica& replica = replicas_[at];
  return replica.current.real.set.empty() && replica.durable.real.set.empty() &&
         replica.current.real.actor == dynamo::ActorId{} &&
         replica.durable.real.actor == dynamo::ActorId{};
}

std::string ReplicaRun::fingerprint() const {
  Canonical out;
  for (const Replica& replica : replicas_) {
    for (const Copy* copy : {&replica.current, &replica.durable}) {
      out.set(copy->real.set);
      out.actor(copy->real.actor);
      out.number(replica.actors.trusts(copy->real.actor) ? 1 : 0);
    }
  }
  out.number(writes_.size());
  for (const Write& write : writes_) {
    out.dot(write.dot);
    out.number(write.history);
    out.number(write.durable_on);
    out.number(write.version.clock.value);
    out.number(write.version.write_id.high);
  }
  out.as_set(contexts_, [&](const Seen& seen) {
    out.history(seen.history);
    out.number(seen.ghost);
    out.number(seen.latest.value);
  });
  out.as_set(sent_, [&](const Copy& copy) { out.set(copy.real.set); });
  return out.take();
}

}  // namespace test
