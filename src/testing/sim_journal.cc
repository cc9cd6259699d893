#include "testing/sim_journal.h"

#include <numeric>
#include <string>

#include "base/coding.h"
#include "base/hash.h"

namespace dynamo::testing {

namespace {

// An entry begins with its kind, so that a packet is never taken for a write.
enum class Kind : std::uint8_t { packet = 1, write = 2, get = 3, put = 4, converge = 5 };

class Entry {
 public:
  Entry(Kind kind, core::TimePoint at, std::string_view node) {
    out_.fixed8(static_cast<std::uint8_t>(kind));
    integer(at.count());
    out_.bytes(node);
  }
  void integer(std::int64_t value) { out_.fixed64(static_cast<std::uint64_t>(value)); }
  void bytes(std::string_view bytes) { out_.bytes(bytes); }
  // The code only: messages are for people, and hold what they were made of.
  void status(const absl::Status& status) { integer(static_cast<int>(status.code())); }
  void outcome(const Outcome& outcome) {
    integer(static_cast<int>(outcome.verdict));
    for (const ReplicaReport& replica : outcome.replicas) {
      bytes(replica.node);
      integer(static_cast<int>(replica.role));
      integer(static_cast<int>(replica.answer));
    }
  }
  std::string_view text() const { return text_; }

 private:
  std::string text_;
  core::Encoder out_{text_};
};

}  // namespace

std::string_view to_string(SimFault fault) {
  constexpr std::array<std::string_view, sim_faults> names = {
      "loss",      "duplication", "reordering",  "replay",      "blocked",    "clog",
      "partition", "cut",         "crash",       "power loss",  "batch lost", "batch kept",
      "restart",   "pause",       "clock shift", "write error", "data loss",  "slow disk",
      "bit rot",   "wipe",        "old copy"};
  return names[static_cast<std::size_t>(fault)];
}

void SimJournal::add(std::string_view entry) {
  constexpr std::uint64_t seed = 0x7472616365;
  hash_ += core::hash64(entry, seed);
}

void SimJournal::packet(const SimPacket& packet) {
  Entry entry(Kind::packet, packet.sent_at, packet.from);
  entry.bytes(packet.to);
  entry.integer(static_cast<int>(packet.lane));
  entry.integer(packet.lost ? 1 : 0);
  entry.bytes(packet.bytes);
  add(entry.text());
  if (packet_observer_) packet_observer_(packet);
}

void SimJournal::write(const SimWrite& write) {
  ++changes_;
  Entry entry(Kind::write, write.written_at, write.node);
  entry.status(write.status);
  for (const StorageEngine::Write& one : write.batch) {
    entry.bytes(one.key);
    entry.integer(one.record ? 1 : 0);
    if (one.record) entry.bytes(*one.record);
  }
  add(entry.text());
  if (write_observer_) write_observer_(write);
}

void SimJournal::step(core::TimePoint at, std::string_view node, const core::Actions& actions) {
  if (!actions.writes.empty()) ++changes_;
  for (const core::CompleteGet& get : actions.gets) {
    Entry entry(Kind::get, at, node);
    entry.status(get.answer.status());
    if (get.answer.ok()) {
      entry.outcome(get.answer->outcome);
      for (const Version& version : get.answer->versions) {
        entry.integer(static_cast<std::int64_t>(version.dot.actor.boot));
        entry.integer(static_cast<std::int64_t>(version.dot.actor.sequence));
        entry.integer(static_cast<std::int64_t>(version.dot.counter));
        entry.bytes(version.object);
      }
    }
    add(entry.text());
  }
  for (const core::CompletePut& put : actions.puts) {
    Entry entry(Kind::put, at, node);
    entry.status(put.answer.status());
    if (put.answer.ok()) entry.outcome(put.answer->outcome);
    add(entry.text());
  }
  for (const core::CompleteWait& converge : actions.waits) {
    Entry entry(Kind::converge, at, node);
    entry.status(converge.status);
    add(entry.text());
  }
  if (step_observer_) step_observer_(node, actions);
}

std::uint64_t SimJournal::faults() const {
  return std::accumulate(faults_.begin(), faults_.end(), std::uint64_t{0});
}

}  // namespace dynamo::testing
