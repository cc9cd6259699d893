#include <algorithm>
#include <utility>

#include "unit/repair/reap_run.h"

// The steps by which deletes are dropped, and by which a node loses its disk and is rebuilt.
namespace test {

using dynamo::core::ActorSource;
using dynamo::core::Generation;

namespace {

constexpr auto siblings = dynamo::core::Conflict::keep_siblings;
constexpr std::size_t stand_in = ReapRun::nodes - 1;

bool only_deletes(const dynamo::core::VersionSet& set) {
  return !set.empty() &&
         std::ranges::none_of(set.versions(), [](const auto& v) { return v.object.has_value(); });
}

}  // namespace

bool ReapRun::take_protocol(const Step& step) {
  const std::size_t a = step.a;
  const std::size_t b = step.b;
  switch (step.op) {
    case Op::wipe:
      return wipe(a);
    case Op::contact:
      return contact(a, b);
    case Op::scan:
      return scan(a);
    case Op::exchange:
      return exchange(a, b);
    case Op::begin:
      return begin(b != 0);
    case Op::raise:
      return raise(a);
    case Op::settle:
      return settle(a);
    case Op::seal:
      return seal();
    case Op::hear_seal:
      return hear_seal(a, b == nodes ? leader_ : b);
    case Op::drop:
      return drop(a);
    case Op::hear_drop:
      return hear_drop(b, a);
    default:
      return false;
  }
}

bool ReapRun::begin(bool unasked) {
  Node& leader = nodes_[leader_];
  if (leader.lost || leader.now.generation.current != announced_) return false;
  return (unasked || wished()) && leader.now.generation.raise(announced_ + 1);
}

// Any node that says what it knows to be sealed.
bool ReapRun::hear_seal(std::size_t at, std::size_t from) {
  return nodes_[at].now.generation.seal(nodes_[from].now.generation.sealed);
}

bool ReapRun::raise(std::size_t at) {
  const Node& leader = nodes_[leader_];
  if (nodes_[at].lost || nodes_[at].known[leader_] != leader.life) return false;
  return nodes_[at].now.generation.raise(leader.now.generation.current);
}

bool ReapRun::wipe(std::size_t at) {
  Node& node = nodes_[at];
  // One disk at a time: the next is lost when the last has been rebuilt.
  for (const Node& other : nodes_) {
    if (other.lost || other.now.generation.rebuilding) return false;
  }
  note_disk_lost(at);
  node = Node{.actors = ActorSource(++draws_), .life = node.life + 1, .lost = true};
  node.known.fill(-1);
  node.known[at] = node.life;
  if (at == leader_) answers_.clear();
  return true;
}

bool ReapRun::contact(std::size_t a, std::size_t b) {
  if (a == b) return false;
  for (const auto& [at, other] : {std::pair(a, b), std::pair(b, a)}) {
    Node& node = nodes_[at];
    if (node.lost && nodes_[other].lost) return false;
    if (!node.lost) continue;
    node.lost = false;
    node.now.generation.rebuild(nodes_[other].now.generation.current);
    if (is(ReapMutant::rebuilt_at_once)) node.now.generation.rebuilding = false;
    node.durable.generation = node.now.generation;
  }
  const bool news = nodes_[a].known[b] != nodes_[b].life || nodes_[b].known[a] != nodes_[a].life;
  nodes_[a].known[b] = nodes_[b].life;
  nodes_[b].known[a] = nodes_[a].life;
  return news;
}

bool ReapRun::scan(std::size_t at) {
  Node& node = nodes_[at];
  if (node.lost || node.now.generation.rebuilding) return false;
  if (!only_deletes(node.now.record.set)) return false;
  const bool synced = node.now.record.set == node.durable.record.set;
  if (!synced && !is(ReapMutant::drops_unsynced)) return false;
  const std::optional<Candidate>& last = node.candidate;
  if (last && last->set == node.now.record.set) return false;
  node.candidate = Candidate{.set = node.now.record.set, .generation = node.now.generation.current};
  if (is(ReapMutant::drops_unconfirmed)) node.candidate->equal = {0, 1, 2};
  return true;
}

bool ReapRun::exchange(std::size_t at, std::size_t with) {
  Node& a = nodes_[at];
  Node& b = nodes_[with];
  if (at == with || with == stand_in || a.lost || b.lost) return false;
  if (a.known[with] != b.life || b.known[at] != a.life) return false;
  if (a.now.generation.sealed != b.now.generation.sealed) return false;
  const bool asked = a.candidate && !a.candidate->equal.contains(with);
  if (a.now.record.set == b.now.record.set && !asked && !a.now.generation.rebuilding) return false;
  const std::uint64_t stamp_a = stamp(at);
  const std::uint64_t stamp_b = stamp(with);
  send(a.now.record.set, stamp_a);
  send(b.now.record.set, stamp_b);
  if (!accepts(at, stamp_b) || !accepts(with, stamp_a)) return false;
  a.now.record.merge(b.now.record.set, siblings);
  b.now.record.merge(a.now.record.set, siblings);
  if (!is(ReapMutant::answers_from_memory)) sync(with);
  if (a.candidate) {
    a.candidate->equal.insert(with);
    if (!is(ReapMutant::confirmed_when_scanned)) {
      a.candidate->generation = a.now.generation.current;
    }
  }
  if (a.now.generation.rebuilding) {
    a.rebuilt_from.insert(with);
    if (a.rebuilt_from.size() == owners - 1) {
      sync(at);
      a.now.generation.rebuilt();
      ++tally_.rebuilt;
    }
  }
  return true;
}

bool ReapRun::settle(std::size_t at) {
  Node& node = nodes_[at];
  if (node.lost || node.now.generation.rebuilding) {
    // A stand-in has nothing to be rebuilt from.
    if (node.lost || at != stand_in) return false;
    node.now.generation.rebuilt();
  }
  const std::uint64_t generation = node.now.generation.current;
  const auto answer = answers_.find(at);
  if (answer != answers_.end() && answer->second.generation == generation &&
      answer->second.known == node.known) {
    return false;
  }
  if (node.now.hint && node.now.hint->stamp < generation && !is(ReapMutant::seals_over_old_hints)) {
    return false;
  }
  node.now.generation.settle(generation);
  if (node.known[leader_] != nodes_[leader_].life) return false;
  answers_[at] = {node.now.generation.settled, node.known};
  return true;
}

bool ReapRun::seal() {
  Node& first = nodes_[leader_];
  const std::uint64_t generation = first.now.generation.current;
  if (generation <= announced_ || answers_.size() < nodes) return false;
  for (const auto& [at, answer] : answers_) {
    if (answer.generation < generation) return false;
    if (answer.known != first.known && !is(ReapMutant::counts_former_answers)) return false;
  }
  announced_ = generation;
  first.now.generation.seal(generation);
  return true;
}

bool ReapRun::wished() const {
  return std::ranges::any_of(nodes_, [&](const Node& node) {
    return node.candidate && node.candidate->equal.size() >= owners - 1 &&
           node.candidate->generation + 1 >= announced_;
  });
}

void ReapRun::erase_record(std::size_t at) {
  Node& node = nodes_[at];
  reaped_ |= ghost_of(node.now.record.set);
  node.now.record = {};  // and on the disk, some time later
  note_disk_lost(at);
  ++tally_.dropped;
}

bool ReapRun::may_drop(std::size_t at, std::uint64_t confirmed) const {
  const Generation& generation = nodes_[at].now.generation;
  if (is(ReapMutant::drops_without_barrier)) return true;
  if (is(ReapMutant::drops_after_one_barrier)) return generation.may_drop(confirmed - 1);
  return generation.may_drop(confirmed);
}

bool ReapRun::drop(std::size_t at) {
  Node& node = nodes_[at];
  if (!node.candidate || node.candidate->equal.size() < owners - 1) return false;
  const Candidate candidate = *node.candidate;
  if (!may_drop(at, candidate.generation)) return false;
  if (node.now.record.set != candidate.set && !is(ReapMutant::drops_what_has_changed)) return false;
  node.candidate.reset();
  drops_.push_back({candidate.set, candidate.generation});
  erase_record(at);
  return true;
}

bool ReapRun::hear_drop(std::size_t at, std::size_t owner) {
  if (drops_.empty() || nodes_[owner].lost) return false;
  const Drop& drop = drops_[at % drops_.size()];
  Node& node = nodes_[owner];
  if (!may_drop(owner, drop.generation)) return false;
  if (node.now.record.set != drop.set) return false;
  erase_record(owner);
  return true;
}

}  // namespace test
