#include "unit/causality/replica_run.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "unit/causality/encoded.h"

namespace test {

using dynamo::Dot;
using dynamo::core::ActorSource;
using dynamo::core::Conflict;
using dynamo::core::History;
using dynamo::core::HybridTime;
using dynamo::core::PutRequest;
using dynamo::core::StoredVersion;
using dynamo::core::VersionSet;

namespace {

std::uint64_t bit(std::uint64_t write) { return std::uint64_t{1} << write; }

std::string name(std::size_t replica) { return std::string(1, static_cast<char>('a' + replica)); }

}  // namespace

ReplicaRun::ReplicaRun(Conflict conflict, NamingMutant mutant)
    : conflict_(conflict), mutant_(mutant) {
  contexts_.push_back({});
  for (Replica& replica : replicas_) replica.actors = ActorSource(++boots_);
}

void ReplicaRun::open(std::size_t at) {
  if (!is(NamingMutant::keeps_name_after_crash)) replicas_[at].actors = ActorSource(++boots_);
}

bool ReplicaRun::apply(const Step& step) {
  if (!failure_.empty() || !take(step)) return false;
  if (failure_.empty()) check(step.at);
  return true;
}

bool ReplicaRun::take(const Step& step) {
  const std::size_t at = step.at;
  const auto context = [&] { return contexts_[step.other % contexts_.size()]; };
  switch (step.op) {
    case Op::put:
      put(step, context());
      if (step.synced && failure_.empty()) sync(at);
      return true;
    case Op::get:
      return get(step.other);
    case Op::replicate: {
      const Copy copy = replicas_[step.other].current;
      send(copy);
      receive(at, copy);
      if (step.synced) sync(at);
      return true;
    }
    case Op::replay:
      if (sent_.empty()) return false;
      ++tally_.replays;
      receive(at, sent_[step.other % sent_.size()]);
      if (step.synced) sync(at);
      return true;
    case Op::sync:
      sync(at);
      return true;
    case Op::forget:
      forget(at);
      return true;
    case Op::crash:
      crash(at);
      return true;
    case Op::restart:
      sync(at);
      open(at);
      return true;
    case Op::failed_put:
      fail_a_put(step, context());
      return true;
    default:
      return false;
  }
}

PutRequest ReplicaRun::request_of(const Step& step, const Seen& context) const {
  const std::uint64_t write = writes_.size();
  PutRequest request = {.context = context.history,
                        .write_id = {.high = step.writer, .low = write},
                        // Clocks of nodes that disagree, and often tie.
                        .clock = std::max(HybridTime{step.clock}, context.latest.next()),
                        .written_at_us = step.written_at,
                        .expires_at_us = step.expires_at};
  if (step.object) request.object = "w" + std::to_string(write);
  return request;
}

void ReplicaRun::put(const Step& step, const Seen& context) {
  Replica& replica = replicas_[step.at];
  const PutRequest request = request_of(step, context);
  const std::uint64_t write = writes_.size();
  ++tally_.puts;

  const Dot dot = replica.current.real.put(request, conflict_, replica.actors);
  // C5: a dot names one write for ever, lost ones included.
  const auto named = std::ranges::find(writes_, dot, &Write::dot);
  if (named != writes_.end()) {
    return fail(
        fmt::format("C5: {} names w{} and w{}", dot.to_string(), named - writes_.begin(), write));
  }
  const StoredVersion version = {.dot = dot,
                                 .write_id = request.write_id,
                                 .clock = request.clock,
                                 .written_at_us = request.written_at_us,
                                 .expires_at_us = request.expires_at_us,
                                 .object = request.object};
  replica.current.model.put(context.dots, version, conflict_);
  const std::uint64_t ghost = context.ghost | bit(write);
  writes_.push_back({.history = ghost, .dot = dot, .version = version});

  // What the put's caller has seen afterwards.
  History seen = context.history;
  seen.add(dot);
  if (is(NamingMutant::claims_what_the_coordinator_saw)) {
    seen.merge(replica.current.real.set.history());
  }
  std::set<Dot> dots = ExplicitDots::dots_of(seen);
  contexts_.push_back({.history = std::move(seen),
                       .dots = std::move(dots),
                       .latest = request.clock,
                       .ghost = ghost});
}

// The coordinator sends the new set to the others while it writes it locally, and the write fails.
void ReplicaRun::fail_a_put(const Step& step, const Seen& context) {
  Replica& replica = replicas_[step.at];
  const Copy before = replica.current;
  put(step, context);
  if (!failure_.empty()) return;
  ++tally_.failed_writes;
  send(replica.current);
  replica.current = before;
  if (!is(NamingMutant::keeps_name_after_failed_write)) replica.actors.distrust();
}

bool ReplicaRun::get(std::uint64_t mask) {
  VersionSet all;
  ExplicitDots model;
  for (std::size_t at = 0; at < replicas_count; ++at) {
    if ((mask & bit(at)) == 0) continue;
    all.merge(replicas_[at].current.real.set, conflict_);
    model.merge(replicas_[at].current.model, conflict_);
  }
  if (!model.equals(all)) fail("the model differs after a get");
  const auto known = [&](const Seen& seen) {
    return seen.history == all.history() && seen.ghost == ghost_of(all) &&
           seen.latest == all.latest();
  };
  if (std::ranges::any_of(contexts_, known)) return true;
  contexts_.push_back({.history = all.history(),
                       .dots = model.seen,
                       .latest = all.latest(),
                       .ghost = ghost_of(all)});
  return true;
}

void ReplicaRun::send(const Copy& copy) {
  const auto same = [&](const Copy& sent) { return sent.real.set == copy.real.set; };
  if (std::ranges::none_of(sent_, same)) sent_.push_back(copy);
}

void ReplicaRun::receive(std::size_t at, const Copy& copy) {
  Replica& replica = replicas_[at];
  const VersionSet before = replica.current.real.set;
  const bool changed = replica.current.real.merge(copy.real.set, conflict_);
  if (changed != (replica.current.real.set != before)) fail("merge() did not say what changed");
  replica.current.model.merge(copy.model, conflict_);
}

void ReplicaRun::sync(std::size_t at) {
  Replica& replica = replicas_[at];
  replica.durable = replica.current;
  const std::uint64_t ghost = ghost_of(replica.durable.real.set);
  for (std::uint64_t write = 0; write < writes_.size(); ++write) {
    const bool held = conflict_ == Conflict::keep_siblings
                          ? (ghost & bit(write)) != 0
                          : replica.durable.real.set.history().contains(writes_[write].dot);
    if (held) writes_[write].durable_on |= bit(at);
  }
}

void ReplicaRun::forget(std::size_t at) {
  Replica& replica = replicas_[at];
  if (!replica.current.real.set.empty()) ++tally_.forgotten;
  replica.current.model = {};
  replica.current.real.set = {};
  if (!is(NamingMutant::keeps_name_after_forgetting)) replica.current.real = {};
  replica.durable = replica.current;
  for (Write& write : writes_) write.durable_on &= ~bit(at);
}

void ReplicaRun::crash(std::size_t at) {
  Replica& replica = replicas_[at];
  if (replica.current.real.set != replica.durable.real.set) ++tally_.lost_by_crash;
  replica.current = replica.durable;
  open(at);
}

std::string ReplicaRun::text() const {
  std::string text;
  for (std::size_t at = 0; at < replicas_count; ++at) {
    const VersionSet& set = replicas_[at].current.real.set;
    text += name(at) + " holds history " + set.history().to_string() + " versions";
    for (const StoredVersion& v : set.versions()) {
      text += " " + v.dot.to_string() + "=w" + std::to_string(v.write_id.low);
    }
    text += "\n";
  }
  return text;
}

std::string ReplicaRun::text(const Step& step) {
  const std::string at = name(step.at);
  const std::string synced = step.synced ? ", synced" : "";
  const std::string put = fmt::format("put at {} with context {}{}{}", at, step.other,
                                      step.object ? "" : ", a delete", synced);
  switch (step.op) {
    case Op::put:
      return put;
    case Op::failed_put:
      return put + ", which cannot write it";
    case Op::get:
      return fmt::format("get from replicas {:03b}", step.other);
    case Op::replicate:
      return fmt::format("{} -> {}{}", name(step.other), at, synced);
    case Op::replay:
      return fmt::format("copy {} -> {}{}", step.other, at, synced);
    case Op::sync:
      return at + " syncs";
    case Op::forget:
      return at + " forgets the key";
    case Op::crash:
      return at + " crashes";
    default:
      return at + " closes and opens";
  }
}

void ReplicaRun::Tally::add(const Tally& other) {
  puts += other.puts;
  siblings += other.siblings;
  replays += other.replays;
  forgotten += other.forgotten;
  lost_by_crash += other.lost_by_crash;
  failed_writes += other.failed_writes;
  gaps += other.gaps;
}

void ReplicaRun::fail(const std::string& what) {
  if (failure_.empty()) failure_ = what;
}

}  // namespace test
