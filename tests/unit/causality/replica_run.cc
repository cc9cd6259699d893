#include "unit/causality/replica_run.h"

#include <algorithm>
#include <utility>

#include "unit/causality/encoded.h"

namespace test {

using dynamo::Dot;
using dynamo::core::Conflict;
using dynamo::core::HybridTime;
using dynamo::core::PutRequest;
using dynamo::core::StoredVersion;
using dynamo::core::VersionSet;

namespace {

std::uint64_t bit(std::uint64_t write) { return std::uint64_t{1} << write; }

std::string name(std::size_t replica) { return std::string(1, static_cast<char>('a' + replica)); }

std::string text(const VersionSet& set) {
  std::string text = "history " + set.history().to_string() + " versions";
  for (const StoredVersion& v : set.versions()) {
    text += " " + v.dot.to_string() + "=w" + std::to_string(v.write_id.low);
  }
  return text;
}

}  // namespace

ReplicaRun::ReplicaRun(std::uint64_t seed, Conflict conflict, MakeRules make_rules)
    : prng_(seed), conflict_(conflict), weights_() {
  // Each run has its own mixture, so that some hardly ever sync and some hardly ever talk.
  weights_ = {.put = 10 + prng_.below(30),
              .get = 5 + prng_.below(20),
              .replicate = 5 + prng_.below(30),
              .replay = prng_.below(15),
              .sync = prng_.below(15),
              .forget = prng_.below(6),
              .crash = prng_.below(8),
              .restart = prng_.below(4),
              .fail = prng_.below(6)};
  contexts_.push_back({});
  for (std::size_t at = 0; at < replicas_.size(); ++at) {
    replicas_[at].rules = make_rules();
    open(at);
  }
}

std::string ReplicaRun::run(Tally& tally) {
  tally_ = &tally;
  const std::uint64_t steps = 5 + prng_.below(steps_max - 4);
  for (std::uint64_t i = 0; i < steps && failure_.empty(); ++i) step();
  return failure_.empty() ? std::string() : failure_ + "\nafter\n" + trace_;
}

void ReplicaRun::step() {
  const std::size_t at = prng_.below(replicas_count);
  const Weights& w = weights_;
  std::uint64_t draw = prng_.below(w.put + w.get + w.replicate + w.replay + w.sync + w.forget +
                                   w.crash + w.restart + w.fail);
  const auto is = [&draw](std::uint64_t weight) {
    const bool chosen = draw < weight;
    draw -= weight;  // wraps once chosen, and is not looked at again
    return chosen;
  };
  if (is(w.put)) {
    put(at, any_context());
    if (failure_.empty() && prng_.chance(0.5)) sync(at);
  } else if (is(w.get)) {
    get();
  } else if (is(w.replicate)) {
    const std::size_t from = prng_.below(replicas_count);
    trace(name(from) + " -> " + name(at));
    sent_.push_back(replicas_[from].current);
    receive(at, Copy(replicas_[from].current));
  } else if (is(w.replay)) {
    if (sent_.empty()) return;
    const std::size_t copy = prng_.below(sent_.size());
    trace("copy " + std::to_string(copy) + " -> " + name(at));
    ++tally_->replays;
    receive(at, sent_[copy]);
  } else if (is(w.sync)) {
    sync(at);
  } else if (is(w.forget)) {
    forget(at);
  } else if (is(w.crash)) {
    crash(at);
  } else if (is(w.restart)) {
    sync(at);
    trace(name(at) + " closes and opens");
    open(at);
  } else {
    fail_a_put(at, any_context());
  }
  if (failure_.empty()) check(at);
}

// The newest, none, or any that a client ever held.
const ReplicaRun::Seen& ReplicaRun::any_context() {
  const std::uint64_t draw = prng_.below(4);
  if (draw == 0) return contexts_.front();
  if (draw == 1) return contexts_[prng_.below(contexts_.size())];
  return contexts_.back();
}

PutRequest ReplicaRun::request_of(const Seen& context) {
  const std::uint64_t write = writes_.size();
  PutRequest request = {.context = context.history,
                        .write_id = {.high = 1 + prng_.below(4), .low = write},
                        // Clocks of nodes that disagree, and often tie.
                        .clock = std::max(HybridTime{1 + prng_.below(40)}, context.latest.next()),
                        .written_at_us = static_cast<std::int64_t>(prng_.below(1000))};
  if (prng_.chance(0.8)) request.object = "w" + std::to_string(write);
  if (prng_.chance(0.1)) request.expires_at_us = 1 + static_cast<std::int64_t>(prng_.below(100));
  return request;
}

void ReplicaRun::put(std::size_t at, const Seen& given) {
  const Seen context = given;  // contexts_ grows below
  Replica& replica = replicas_[at];
  const PutRequest request = request_of(context);
  const std::uint64_t write = writes_.size();
  ++tally_->puts;

  const Dot dot = replica.rules->put(replica.current.real, request, conflict_);
  trace("put w" + std::to_string(write) + " at " + name(at) + " with " +
        context.history.to_string() + " = " + dot.to_string());
  const auto [named, is_new] = named_.emplace(dot, write);
  if (!is_new) {
    return fail("C5: " + dot.to_string() + " names w" + std::to_string(named->second) + " and w" +
                std::to_string(write));
  }
  const StoredVersion version = {.dot = dot,
                                 .write_id = request.write_id,
                                 .clock = request.clock,
                                 .written_at_us = request.written_at_us,
                                 .expires_at_us = request.expires_at_us,
                                 .object = request.object};
  replica.current.model.put(context.dots, version, conflict_);
  writes_.push_back({.history = context.ghost | bit(write), .dot = dot, .version = version});

  Seen after = {
      .history = replica.rules->context_after(context.history, dot, replica.current.real.set),
      .dots = {},
      .latest = request.clock,
      .ghost = context.ghost | bit(write)};
  after.dots = ExplicitDots::dots_of(after.history);
  contexts_.push_back(std::move(after));
}

// The coordinator sends the new set to the others while it writes it locally, and the write fails.
void ReplicaRun::fail_a_put(std::size_t at, const Seen& context) {
  Replica& replica = replicas_[at];
  const Copy before = replica.current;
  put(at, context);
  if (!failure_.empty()) return;
  trace(name(at) + " failed to write it");
  ++tally_->failed_writes;
  sent_.push_back(replica.current);
  replica.current = before;
  replica.rules->local_write_failed();
}

void ReplicaRun::get() {
  VersionSet all;
  ExplicitDots model;
  std::string from;
  for (std::size_t at = 0; at < replicas_count; ++at) {
    if (!prng_.chance(0.6)) continue;
    all.merge(replicas_[at].current.real.set, conflict_);
    model.merge(replicas_[at].current.model, conflict_);
    from += " " + name(at);
  }
  trace("get from" + from + ": " + text(all));
  if (!model.equals(all)) return fail("the model differs after a get");
  contexts_.push_back({.history = all.history(),
                       .dots = model.seen,
                       .latest = all.latest(),
                       .ghost = ghost_of(all)});
}

void ReplicaRun::receive(std::size_t at, const Copy& copy) {
  Replica& replica = replicas_[at];
  const VersionSet before = replica.current.real.set;
  const bool changed = replica.current.real.merge(copy.real.set, conflict_);
  if (changed != (replica.current.real.set != before)) fail("merge() did not say what changed");
  replica.current.model.merge(copy.model, conflict_);
  if (prng_.chance(0.5)) sync(at);
}

void ReplicaRun::sync(std::size_t at) {
  Replica& replica = replicas_[at];
  trace(name(at) + " syncs");
  replica.durable = replica.current;
  const std::uint64_t ghost = ghost_of(replica.durable.real.set);
  for (std::uint64_t write = 0; write < writes_.size(); ++write) {
    const bool held = conflict_ == Conflict::keep_siblings
                          ? (ghost & bit(write)) != 0
                          : replica.durable.real.set.history().contains(writes_[write].dot);
    if (held) writes_[write].durable_on.insert(at);
  }
}

void ReplicaRun::forget(std::size_t at) {
  Replica& replica = replicas_[at];
  trace(name(at) + " forgets the key");
  if (!replica.current.real.set.empty()) ++tally_->forgotten;
  replica.rules->forget(replica.current.real);
  replica.current.model = {};
  replica.durable = replica.current;
  for (Write& write : writes_) write.durable_on.erase(at);
}

void ReplicaRun::crash(std::size_t at) {
  Replica& replica = replicas_[at];
  trace(name(at) + " crashes");
  if (replica.current.real.set != replica.durable.real.set) ++tally_->lost_by_crash;
  replica.current = replica.durable;
  open(at);
}

void ReplicaRun::fail(const std::string& what) {
  if (!failure_.empty()) return;
  failure_ = what;
  for (std::size_t at = 0; at < replicas_count; ++at) {
    trace(name(at) + " holds " + text(replicas_[at].current.real.set));
  }
}

}  // namespace test
