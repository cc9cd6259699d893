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

bool only_deletes(const dynamo::core::VersionSet& set) {
  return !set.empty() &&
         std::ranges::none_of(set.versions(), [](const auto& v) { return v.object.has_value(); });
}

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

bool ReapRun::apply(const Step& step) {
  const std::size_t a = step.a;
  const std::size_t b = step.b;
  if (a == stand_in && needs_owner(step.op)) return false;
  bool done = true;
  Node& leader = nodes_[leader_];
  switch (step.op) {
    case Op::put:
      done = put(a, contexts_[b % contexts_.size()], true, false);
      break;
    case Op::erase:
      done = put(a, contexts_[b % contexts_.size()], false, false);
      break;
    case Op::put_at_stand_in:
      done = put_at_stand_in(contexts_[b % contexts_.size()]);
      break;
    case Op::get:
      done = get(b);
      break;
    case Op::replicate:
      send(nodes_[a].now.record.set, stamp(a));
      break;
    case Op::deliver:
      done = deliver(b, a);
      break;
    case Op::keep_hint:
      done = keep_hint(b);
      break;
    case Op::hand_off:
      done = hand_off(a);
      break;
    case Op::sync:
      sync(a);
      break;
    case Op::crash:
      crash(a);
      break;
    case Op::failed_put:
      done = put(a, contexts_[b % contexts_.size()], true, true);
      break;
    case Op::wipe:
      done = wipe(a);
      break;
    case Op::contact:
      done = contact(a, b);
      break;
    case Op::scan:
      done = scan(a);
      break;
    case Op::exchange:
      done = exchange(a, b);
      break;
    case Op::begin:
      done = !leader.lost && leader.now.generation.current == announced_ && (b != 0 || wished());
      if (done) leader.now.generation.raise(announced_ + 1);
      break;
    case Op::raise:
      done = !nodes_[a].lost && nodes_[a].known[leader_] == leader.life &&
             nodes_[a].now.generation.raise(leader.now.generation.current);
      break;
    case Op::settle:
      done = settle(a);
      break;
    case Op::seal:
      done = seal();
      break;
    case Op::hear_seal:
      done = nodes_[a].now.generation.seal(announced_);
      break;
    case Op::drop:
      done = drop(a);
      break;
    case Op::hear_drop:
      done = hear_drop(b, a);
      break;
    case Op::count:
      done = false;
      break;
  }
  if (!done) return false;
  ++tally_.done[static_cast<std::size_t>(step.op)];
  // Generations are stored before anybody hears of them.
  for (Node& node : nodes_) node.durable.generation = node.now.generation;
  check();
  return true;
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

std::uint64_t ReapRun::ghost_of(const Set& set) const {
  std::uint64_t ghost = 0;
  for (const StoredVersion& version : set.versions())
    ghost |= writes_[version.write_id.low].history;
  return ghost;
}

ReapRun::Set ReapRun::everything(bool durable) const {
  Set all;
  for (const Node& node : nodes_) {
    const Disk& disk = durable ? node.durable : node.now;
    all.merge(disk.record.set, siblings);
    if (disk.hint && !is_ghost(disk)) all.merge(disk.hint->set, siblings);
  }
  return all;
}

void ReapRun::check() {
  if (!failure_.empty()) return;
  check(everything(false), "what the nodes hold");
  check(everything(true), "what a crash of all would leave");
}

// C2, C3. A write that was reaped is neither lost nor to be seen again.
void ReapRun::check(const Set& all, const std::string& where) {
  const std::uint64_t cover = ghost_of(all) | reaped_;
  std::uint64_t shown = 0;
  for (const StoredVersion& version : all.versions()) {
    if (version.object) shown |= bit(version.write_id.low);
  }
  if ((shown & reaped_) != 0) {
    failure_ = fmt::format("C3: what was deleted and reaped is back in {}", where);
  }
  for (std::uint64_t write = 0; write < writes_.size(); ++write) {
    if (writes_[write].durable_on.empty()) continue;
    if ((cover & bit(write)) == 0) failure_ = fmt::format("C2: lost w{} from {}", write, where);
    if ((writes_[write].history & ~bit(write) & shown) != 0) {
      failure_ = fmt::format("C3: what w{} replaced is back in {}", write, where);
    }
  }
}

std::string ReapRun::fingerprint() const {
  std::string bytes;
  Encoder out(bytes);
  const auto add_disk = [&](const Disk& disk) {
    disk.record.set.encode(out);
    out.varint(disk.record.actor.boot);
    out.varint(disk.record.actor.sequence);
    out.varint(disk.hint ? disk.hint->stamp + 1 : 0);
    if (disk.hint) disk.hint->set.encode(out);
    if (disk.hint) out.varint(disk.hint->has.size());
    for (const std::size_t has : disk.hint ? disk.hint->has : std::set<std::size_t>{}) {
      out.varint(has);
    }
    const Generation& g = disk.generation;
    for (const std::uint64_t n : {g.current, g.settled, g.sealed}) out.varint(n);
    out.varint(g.rebuilding ? 1 : 0);
  };
  for (const Node& node : nodes_) {
    add_disk(node.now);
    add_disk(node.durable);
    out.varint(node.lost ? 1 : 0);
    for (const int known : node.known) out.varint(static_cast<std::uint64_t>(known + 1));
    out.varint(node.candidate ? node.candidate->equal.size() + 1 : 0);
    if (node.candidate) node.candidate->set.encode(out);
    if (node.candidate) out.varint(node.candidate->generation);
    for (const std::size_t with : node.candidate ? node.candidate->equal : node.rebuilt_from) {
      out.varint(with);
    }
  }
  for (const auto& [at, answer] : answers_) {
    out.varint(at);
    out.varint(answer.generation);
    for (const int known : answer.known) out.varint(static_cast<std::uint64_t>(known + 1));
  }
  out.varint(announced_);
  out.varint(leader_);
  out.varint(frames_.size());
  for (const Frame& frame : frames_) {
    frame.set.encode(out);
    out.varint(frame.stamp);
  }
  out.varint(drops_.size());
  out.varint(contexts_.size());
  out.varint(draws_);
  out.varint(reaped_);
  return bytes;
}

std::string ReapRun::text(const Step& step) {
  constexpr std::array names = {"put",        "erase",    "put at stand-in", "get",  "replicate",
                                "deliver",    "hint",     "hand off",        "sync", "crash",
                                "failed put", "wipe",     "contact",         "scan", "exchange",
                                "begin",      "raise",    "settle",          "seal", "hear seal",
                                "drop",       "hear drop"};
  return fmt::format("{} {} {}", names[static_cast<std::size_t>(step.op)], step.a, step.b);
}

}  // namespace test
