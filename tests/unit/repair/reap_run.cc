#include "unit/repair/reap_run.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace test {

using dynamo::Dot;
using dynamo::core::ActorSource;
using dynamo::core::Conflict;
using dynamo::core::Encoder;
using dynamo::core::Generation;
using dynamo::core::PutRequest;
using dynamo::core::ReplicaKey;
using dynamo::core::StoredVersion;

namespace {

constexpr Conflict siblings = Conflict::keep_siblings;
constexpr std::size_t stand_in = ReapRun::nodes - 1;

std::uint64_t bit(std::uint64_t write) { return std::uint64_t{1} << write; }

// Such steps are for nodes that own the key.
bool needs_owner(ReapRun::Op op) {
  using Op = ReapRun::Op;
  constexpr std::array ops = {Op::put,  Op::erase,    Op::failed_put, Op::replicate, Op::deliver,
                              Op::scan, Op::exchange, Op::drop,       Op::hear_drop, Op::hand_off};
  return std::ranges::find(ops, op) != ops.end();
}

}  // namespace

ReapRun::ReapRun(ReapMutant mutant, std::size_t leader) : mutant_(mutant), leader_(leader) {
  contexts_.push_back({});
  for (Node& node : nodes_) node.actors = ActorSource(++draws_);
}

std::uint64_t ReapRun::stamp(std::size_t at) const {
  const Generation& generation = nodes_[at].now.generation;
  return is(ReapMutant::rebuilding_stamps_current) ? generation.current : generation.stamp();
}

bool ReapRun::take(const Step& step) {
  const std::size_t a = step.a;
  const std::size_t b = step.b;
  const auto context = [&] { return contexts_[b % contexts_.size()]; };
  switch (step.op) {
    case Op::put:
      return put(a, context(), true, false);
    case Op::erase:
      return put(a, context(), false, false);
    case Op::failed_put:
      return put(a, context(), true, true);
    case Op::put_at_stand_in:
      return put_at_stand_in(context());
    case Op::get:
      return get(b);
    case Op::replicate:
      send(nodes_[a].now.record.set, stamp(a));
      return true;
    case Op::deliver:
      return deliver(b, a);
    case Op::keep_hint:
      return keep_hint(b);
    case Op::hand_off:
      return hand_off(a);
    case Op::sync:
      sync(a);
      return true;
    case Op::crash:
      crash(a);
      return true;
    default:
      return take_protocol(step);
  }
}

bool ReapRun::apply(const Step& step) {
  if (step.a == stand_in && needs_owner(step.op)) return false;
  if (!take(step)) return false;
  note_touched(step);
  ++tally_.done[static_cast<std::size_t>(step.op)];
  // Generations are stored before anybody hears of them.
  for (Node& node : nodes_) node.durable.generation = node.now.generation;
  check();
  return true;
}

void ReapRun::note_touched(const Step& step) {
  if (step.op == Op::get) return;  // it only reads
  touched_ |= bit(step.a);
  const bool two = step.op == Op::contact || step.op == Op::exchange;
  if (two) touched_ |= bit(step.b);
}

PutRequest ReapRun::request(const Seen& context, bool object) {
  const std::uint64_t write = writes_.size();
  PutRequest request{.context = context.history, .write_id = {.high = 1, .low = write}};
  if (object) request.object = "w";
  return request;
}

void ReapRun::acknowledge(const Seen& context, const Dot& dot) {
  Seen after = {.history = context.history, .ghost = context.ghost | bit(writes_.size())};
  after.history.add(dot);
  writes_.push_back({.history = after.ghost});
  contexts_.push_back(std::move(after));
}

bool ReapRun::put(std::size_t at, const Seen& given, bool object, bool fails) {
  const Seen context = given;
  Node& node = nodes_[at];
  if (writes_.size() == writes_max) return false;
  if (!object && context.history.empty()) return false;
  const ReplicaKey before = node.now.record;
  const Dot dot = node.now.record.put(request(context, object), siblings, node.actors);
  acknowledge(context, dot);
  send(node.now.record.set, stamp(at));
  if (fails) {
    node.now.record = before;
    node.actors.distrust();
  }
  return true;
}

bool ReapRun::put_at_stand_in(const Seen& given) {
  const Seen context = given;
  Node& node = nodes_[stand_in];
  if (writes_.size() == writes_max) return false;
  ReplicaKey key{.set = node.now.hint ? node.now.hint->set : Set{}};
  const Dot dot = key.put(request(context, true), siblings, node.actors);
  const std::uint64_t read = stamp(stand_in);
  std::uint64_t stamp = read;
  if (node.now.hint && !is(ReapMutant::hint_takes_newest_stamp)) {
    stamp = std::min(node.now.hint->stamp, read);
  }
  acknowledge(context, dot);
  node.now.hint = Hint{.set = key.set, .stamp = stamp};
  sync(stand_in);
  send(key.set, stamp);
  return true;
}

// With read repair: what was read goes back to whoever will have it.
bool ReapRun::get(std::size_t mask) {
  Set all;
  std::uint64_t oldest = UINT64_MAX;
  bool any = false;
  for (std::size_t at = 0; at < nodes; ++at) {
    const Node& node = nodes_[at];
    if ((mask >> at & 1) == 0) continue;
    if (at == stand_in && !node.now.hint) continue;
    all.merge(at == stand_in ? node.now.hint->set : node.now.record.set, siblings);
    oldest = std::min(oldest, at == stand_in ? node.now.hint->stamp : stamp(at));
    any = true;
  }
  if (!any) return false;
  contexts_.push_back({.history = all.history(), .ghost = ghost_of(all)});
  send(all, oldest);
  return true;
}

void ReapRun::send(const Set& set, std::uint64_t stamp) {
  frames_.push_back({.set = set, .stamp = stamp});
  for (std::size_t at = 0; at < nodes; ++at) frames_.back().lives[at] = nodes_[at].life;
}

bool ReapRun::accepts(std::size_t owner, std::uint64_t stamp) {
  const Generation& generation = nodes_[owner].now.generation;
  const bool accepted = is(ReapMutant::never_refuses) || generation.owner_accepts(stamp);
  tally_.refused += accepted ? 0 : 1;
  return accepted;
}

bool ReapRun::deliver(std::size_t at, std::size_t to) {
  if (frames_.empty()) return false;
  const Frame& frame = frames_[at % frames_.size()];
  const bool meant = frame.lives[to] == nodes_[to].life || is(ReapMutant::frames_for_any_identity);
  if (!meant || !accepts(to, frame.stamp)) return false;
  return nodes_[to].now.record.merge(frame.set, siblings);
}

bool ReapRun::keep_hint(std::size_t at) {
  Node& node = nodes_[stand_in];
  if (frames_.empty()) return false;
  const Frame& frame = frames_[at % frames_.size()];
  if (frame.lives[stand_in] != node.life) return false;
  if (!node.now.generation.stand_in_accepts(frame.stamp) &&
      !is(ReapMutant::stand_in_never_refuses)) {
    ++tally_.refused;
    return false;
  }
  Hint hint = node.now.hint.value_or(Hint{.stamp = frame.stamp});
  hint.set.merge(frame.set, siblings);
  hint.stamp = is(ReapMutant::hint_takes_newest_stamp) ? std::max(hint.stamp, frame.stamp)
                                                       : std::min(hint.stamp, frame.stamp);
  hint.has.clear();
  node.now.hint = std::move(hint);
  sync(stand_in);
  return true;
}

bool ReapRun::hand_off(std::size_t to) {
  Node& from = nodes_[stand_in];
  if (!from.now.hint || from.now.hint->has.contains(to)) return false;
  if (from.known[to] != nodes_[to].life || !accepts(to, from.now.hint->stamp)) return false;
  nodes_[to].now.record.merge(from.now.hint->set, siblings);
  sync(to);
  from.now.hint->has.insert(to);
  if (from.now.hint->has.size() == owners) {
    from.now.hint.reset();  // and from the disk, some time later
    note_disk_lost(stand_in);
  }
  return true;
}

void ReapRun::sync(std::size_t at) {
  Node& node = nodes_[at];
  node.durable = node.now;
  Set held = node.durable.record.set;
  if (node.durable.hint) held.merge(node.durable.hint->set, siblings);
  const std::uint64_t ghost = ghost_of(held);
  for (std::uint64_t write = 0; write < writes_.size(); ++write) {
    if ((ghost & bit(write)) != 0) writes_[write].durable_on.insert(at);
  }
}

// A hint that was handed off before this node settled, and is back because its erasure was not on
// the disk.
bool ReapRun::is_ghost(const Disk& disk) {
  return disk.hint && disk.hint->stamp < disk.generation.settled;
}

void ReapRun::crash(std::size_t at) {
  Node& node = nodes_[at];
  node.now = node.durable;
  if (is_ghost(node.now)) node.now.hint.reset();
  node.actors = ActorSource(++draws_);
  node.candidate.reset();
  node.rebuilt_from.clear();
  if (at == leader_) answers_.clear();
}

void ReapRun::note_disk_lost(std::size_t at) {
  for (Write& write : writes_) write.durable_on.erase(at);
}

}  // namespace test
