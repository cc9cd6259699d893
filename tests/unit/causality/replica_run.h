#pragma once

#include <array>
#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include <dynamo/version.h>

#include "base/prng.h"
#include "causality/replica_key.h"
#include "unit/causality/explicit_dots.h"

// One key on three replicas through any life: puts with fresh, stale and no contexts, gets,
// replication in any direction with old copies replayed, records forgotten, crashes that lose what
// was not synced, local writes that fail, clean restarts. After each step the run compares the
// replicas with a naive model and checks promises that do not depend on dots at all.
//
// Those promises are judged by ghost histories: each write w knows H(w), the writes that its writer
// had seen, and itself. A run has at most 64 writes, so H is one number. A write counts as
// acknowledged while a copy that ever held it durably has not been forgotten since; it may then be
// replaced by a write that saw it, and by nothing else.
namespace test {

// A rule by which nodes name their versions that is left out, to show that the checks notice.
enum class NamingMutant : std::uint8_t {
  none,
  keeps_name_after_forgetting,
  keeps_name_after_crash,
  keeps_name_after_failed_write,
  // A vector instead of a history: a put's context takes in what its coordinator had seen.
  claims_what_the_coordinator_saw
};

class ReplicaRun {
 public:
  static constexpr std::size_t replicas_count = 3;
  static constexpr std::uint64_t steps_max = 60;

  enum class Op : std::uint8_t {
    put,
    get,
    replicate,
    replay,
    sync,
    forget,
    crash,
    restart,
    failed_put,
    count
  };
  struct Step {
    Op op = Op::put;
    std::uint8_t at = 0;
    // Of puts a context, of gets a set of replicas, else the replica or copy it comes from.
    std::uint8_t other = 0;
    bool synced = false;  // what a put or a copy leaves is on the disk at once
    // Of puts.
    bool object = true;
    std::uint8_t clock = 1;
    std::uint8_t writer = 1;
    std::uint8_t expires_at = 0;
    std::uint16_t written_at = 0;
  };

  // What happened, over any number of runs: a run in which nothing goes wrong shows nothing.
  struct Tally {
    std::uint64_t puts = 0;
    std::uint64_t siblings = 0;  // steps that left two versions or more
    std::uint64_t replays = 0;   // of a copy older than the step
    std::uint64_t forgotten = 0;
    std::uint64_t lost_by_crash = 0;
    std::uint64_t failed_writes = 0;
    std::uint64_t gaps = 0;  // steps that left a dot beyond a gap

    void add(const Tally& other);
  };

  explicit ReplicaRun(dynamo::core::Conflict conflict, NamingMutant mutant = NamingMutant::none);

  // Whether the step could be taken.
  bool apply(const Step& step);
  const std::string& failure() const { return failure_; }
  const Tally& tally() const { return tally_; }
  std::size_t contexts() const { return contexts_.size(); }
  std::size_t copies() const { return sent_.size(); }
  // Holds nothing and is known to nobody. Such replicas are all alike.
  bool blank(std::size_t at) const;
  // Equal states have equal futures.
  std::string fingerprint() const;

  static std::string text(const Step& step);
  // What the replicas hold.
  std::string text() const;

 private:
  struct Copy {
    dynamo::core::ReplicaKey real{};
    ExplicitDots model{};
  };
  struct Replica {
    Copy current{};  // what the node answers from
    Copy durable{};  // what a crash leaves
    dynamo::core::ActorSource actors{0};
  };
  // A context that some client holds.
  struct Seen {
    dynamo::core::History history{};
    std::set<dynamo::Dot> dots{};
    dynamo::core::HybridTime latest{};
    std::uint64_t ghost = 0;
  };
  struct Write {
    std::uint64_t history = 0;  // H(w)
    dynamo::Dot dot{};
    dynamo::core::StoredVersion version{};
    std::uint64_t durable_on = 0;  // replicas, and not forgotten there since
  };

  bool is(NamingMutant mutant) const { return mutant_ == mutant; }
  bool take(const Step& step);
  void put(const Step& step, const Seen& context);
  void fail_a_put(const Step& step, const Seen& context);
  bool get(std::uint64_t mask);
  void send(const Copy& copy);
  void receive(std::size_t at, const Copy& copy);
  void sync(std::size_t at);
  void forget(std::size_t at);
  void crash(std::size_t at);
  // The data directory, after a crash or a clean close.
  void open(std::size_t at);

  dynamo::core::PutRequest request_of(const Step& step, const Seen& context) const;

  void check(std::size_t at);
  void check_codec(const dynamo::core::VersionSet& set);
  void check_promises(const dynamo::core::VersionSet& all, const std::string& what);
  void check_winner(const dynamo::core::VersionSet& all, const std::string& what);
  dynamo::core::VersionSet merged(bool durable, std::array<std::size_t, 3> order) const;

  std::uint64_t write_of(const dynamo::core::StoredVersion& version) const;
  std::uint64_t ghost_of(const dynamo::core::VersionSet& set) const;
  void fail(const std::string& what);

  dynamo::core::Conflict conflict_;
  NamingMutant mutant_;
  std::uint64_t boots_ = 0;
  std::array<Replica, replicas_count> replicas_;
  std::vector<Write> writes_;
  std::vector<Seen> contexts_;
  std::vector<Copy> sent_;
  Tally tally_;
  std::string failure_;
};

}  // namespace test
