#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "unit/causality/canonical.h"
#include "unit/repair/reap_run.h"

// What must hold after every step, and what tells two states apart.
namespace test {

using dynamo::core::Generation;
using dynamo::core::StoredVersion;

namespace {

constexpr auto siblings = dynamo::core::Conflict::keep_siblings;

std::uint64_t bit(std::uint64_t write) { return std::uint64_t{1} << write; }

}  // namespace

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

namespace {

template <class Values>
std::vector<std::uint8_t> distinct(const Values& values) {
  std::vector<std::uint8_t> result;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto same = [&](std::uint8_t other) { return values[other] == values[i]; };
    if (std::ranges::none_of(result, same)) result.push_back(static_cast<std::uint8_t>(i));
  }
  return result;
}

}  // namespace

std::vector<std::uint8_t> ReapRun::distinct_contexts() const { return distinct(contexts_); }
std::vector<std::uint8_t> ReapRun::distinct_frames() const { return distinct(frames_); }

void ReapRun::add(Canonical& out, const Node& node) {
  const auto add_all = [&](const std::set<std::size_t>& numbers) {
    out.number(numbers.size());
    for (const std::size_t number : numbers) out.number(number);
  };
  for (const Disk* disk : {&node.now, &node.durable}) {
    out.set(disk->record.set);
    out.actor(disk->record.actor);
    out.number(node.actors.trusts(disk->record.actor) ? 1 : 0);
    out.number(disk->hint ? disk->hint->stamp + 1 : 0);
    if (disk->hint) out.set(disk->hint->set);
    if (disk->hint) add_all(disk->hint->has);
    const Generation& g = disk->generation;
    for (const std::uint64_t n : {g.current, g.settled, g.sealed, g.floor}) out.number(n);
    out.number((g.rebuilding ? 1 : 0) + (g.replaced ? 2 : 0));
  }
  out.number(node.lost ? 1 : 0);
  out.number(static_cast<std::uint64_t>(node.life));
  for (const int known : node.known) out.number(static_cast<std::uint64_t>(known + 1));
  add_all(node.rebuilt_from);
  out.number(node.candidate ? node.candidate->generation + 1 : 0);
  if (node.candidate) out.set(node.candidate->set);
  if (node.candidate) add_all(node.candidate->equal);
}

std::string ReapRun::fingerprint() const {
  Canonical out;
  for (const Node& node : nodes_) add(out, node);
  out.number(answers_.size());
  for (const auto& [at, answer] : answers_) {
    out.number(at);
    out.number(answer.generation);
    for (const int known : answer.known) out.number(static_cast<std::uint64_t>(known + 1));
  }
  out.number(announced_);
  out.number(leader_);
  out.number(reaped_);
  out.number(writes_.size());
  for (const Write& write : writes_) {
    out.number(write.history);
    out.number(write.durable_on.size());
    for (const std::size_t at : write.durable_on) out.number(at);
  }
  out.as_set(frames_, [&](const Frame& frame) {
    out.set(frame.set);
    out.number(frame.stamp);
    for (const int life : frame.lives) out.number(static_cast<std::uint64_t>(life));
  });
  out.as_set(drops_, [&](const Drop& drop) {
    out.set(drop.set);
    out.number(drop.generation);
  });
  out.as_set(contexts_, [&](const Seen& seen) {
    out.history(seen.history);
    out.number(seen.ghost);
  });
  return out.take();
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
