#include <array>
#include <string>

#include <fmt/format.h>

#include "unit/repair/reap_run.h"

// What must hold after every step, and what tells two states apart.
namespace test {

using dynamo::core::Encoder;
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
    for (const std::uint64_t n : {g.current, g.settled, g.sealed, g.floor}) out.varint(n);
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
