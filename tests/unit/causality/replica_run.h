#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include <dynamo/version.h>

#include "base/prng.h"
#include "causality/replica_key.h"
#include "unit/causality/explicit_dots.h"

// One key on three replicas through a random life: puts with fresh, stale and no contexts, gets,
// replication in any direction with old copies replayed, records forgotten, crashes that lose what
// was not synced, local writes that fail, clean restarts. After each step the run compares the
// replicas with a naive model and checks promises that do not depend on dots at all.
//
// Those promises are judged by ghost histories: each write w knows H(w), the writes that its writer
// had seen, and itself. A run has at most 64 writes, so H is one number. A write counts as
// acknowledged while a copy that ever held it durably has not been forgotten since; it may then be
// replaced by a write that saw it, and by nothing else.
namespace test {

// The rules by which a node names its versions, as real nodes follow them. Mutants override one of
// them, to show that the checks would notice.
//
// Thread safety: one thread at a time.
class NamingRules {
 public:
  virtual ~NamingRules() = default;

  // The data directory was opened, after a crash or a clean close.
  virtual void open(std::uint64_t boot) { actors_ = dynamo::core::ActorSource(boot); }
  virtual void local_write_failed() { actors_.distrust(); }
  virtual void forget(dynamo::core::ReplicaKey& record) { record = {}; }
  virtual dynamo::Dot put(dynamo::core::ReplicaKey& record, const dynamo::core::PutRequest& request,
                          dynamo::core::Conflict conflict) {
    return record.put(request, conflict, actors_);
  }
  // What the put's caller has seen afterwards.
  virtual dynamo::core::History context_after(const dynamo::core::History& request,
                                              const dynamo::Dot& dot,
                                              const dynamo::core::VersionSet&) {
    dynamo::core::History context = request;
    context.add(dot);
    return context;
  }

 protected:
  dynamo::core::ActorSource actors_{0};
};

class ReplicaRun {
 public:
  static constexpr std::size_t replicas_count = 3;
  static constexpr std::uint64_t steps_max = 60;

  // What happened, over any number of runs: a run in which nothing goes wrong shows nothing.
  struct Tally {
    std::uint64_t puts = 0;
    std::uint64_t siblings = 0;  // steps that left two versions or more
    std::uint64_t replays = 0;   // of a copy older than the step
    std::uint64_t forgotten = 0;
    std::uint64_t lost_by_crash = 0;
    std::uint64_t failed_writes = 0;
    std::uint64_t gaps = 0;  // steps that left a dot beyond a gap
  };

  using MakeRules = std::unique_ptr<NamingRules> (*)();

  ReplicaRun(std::uint64_t seed, dynamo::core::Conflict conflict, MakeRules make_rules);

  // Runs to the end or to the first broken promise. Empty, or what broke and all steps before it.
  std::string run(Tally& tally);

 private:
  struct Copy {
    dynamo::core::ReplicaKey real{};
    ExplicitDots model{};
  };
  struct Replica {
    Copy current{};  // what the node answers from
    Copy durable{};  // what a crash leaves
    std::unique_ptr<NamingRules> rules{};
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
    std::set<std::size_t> durable_on{};  // and not forgotten there since
  };
  struct Weights {
    std::uint64_t put, get, replicate, replay, sync, forget, crash, restart, fail;
  };

  void step();
  void put(std::size_t at, const Seen& context);
  void fail_a_put(std::size_t at, const Seen& context);
  void get();
  void receive(std::size_t at, const Copy& copy);
  void sync(std::size_t at);
  void forget(std::size_t at);
  void crash(std::size_t at);
  void open(std::size_t at) { replicas_[at].rules->open(prng_.next()); }

  const Seen& any_context();
  dynamo::core::PutRequest request_of(const Seen& context);

  void check(std::size_t at);
  void check_codec(const dynamo::core::VersionSet& set);
  void check_promises(const dynamo::core::VersionSet& all, const std::string& what);
  void check_winner(const dynamo::core::VersionSet& all, const std::string& what);
  dynamo::core::VersionSet merged(bool durable, std::array<std::size_t, 3> order) const;

  std::uint64_t write_of(const dynamo::core::StoredVersion& version) const;
  std::uint64_t ghost_of(const dynamo::core::VersionSet& set) const;
  void trace(std::string line) { trace_ += line + "\n"; }
  void fail(const std::string& what);

  dynamo::core::Prng prng_;
  const dynamo::core::Conflict conflict_;
  Weights weights_;
  std::array<Replica, replicas_count> replicas_;
  std::vector<Write> writes_;
  std::vector<Seen> contexts_;
  std::vector<Copy> sent_;
  // C5: a dot names one write for ever, lost ones included.
  std::map<dynamo::Dot, std::uint64_t> named_;
  Tally* tally_ = nullptr;
  std::string trace_;
  std::string failure_;
};

}  // namespace test
