#include <cstdint>
#include <memory>
#include <string>

#include "catch.hpp"
#include "unit/causality/replica_run.h"
#include "unit/causality/seeds.h"

// Random lives of one key on three replicas (replica_run.h). A failure prints its seed; DYNAMO_SEED
// replays it alone.
namespace {

using dynamo::Dot;
using dynamo::core::Conflict;
using dynamo::core::History;
using dynamo::core::PutRequest;
using dynamo::core::ReplicaKey;
using dynamo::core::VersionSet;
using test::NamingRules;
using test::ReplicaRun;

template <class Rules>
std::unique_ptr<NamingRules> make() {
  return std::make_unique<Rules>();
}

void run_all(std::uint64_t count, Conflict conflict, ReplicaRun::Tally& tally) {
  for (const std::uint64_t seed : test::seeds(count)) {
    const std::string failure = ReplicaRun(seed, conflict, make<NamingRules>).run(tally);
    if (!failure.empty()) FAIL("DYNAMO_SEED=" << seed << ": " << failure);
  }
}

TEST_CASE("no run loses, invents or resurrects a version") {
  ReplicaRun::Tally tally;
  run_all(5000, Conflict::keep_siblings, tally);
  if (test::seeds(2).size() < 2) return;  // one seed need not show everything
  CHECK(tally.puts > 10000);
  CHECK(tally.siblings > 1000);
  CHECK(tally.gaps > 1000);
  CHECK(tally.replays > 1000);
  CHECK(tally.forgotten > 1000);
  CHECK(tally.lost_by_crash > 1000);
  CHECK(tally.failed_writes > 1000);
}

TEST_CASE("under last-write-wins no run drops the latest write") {
  ReplicaRun::Tally tally;
  run_all(2500, Conflict::last_write_wins, tally);
  CHECK(tally.siblings == 0);
}

// The checks have teeth: each rule, left out, is found.

struct KeepsNameAfterForgetting : NamingRules {
  void forget(ReplicaKey& record) override { record.set = {}; }
};

struct KeepsNameAfterCrash : NamingRules {
  void open(std::uint64_t boot) override {
    if (!opened_) NamingRules::open(boot);
    opened_ = true;
  }
  bool opened_ = false;
};

struct KeepsNameAfterFailedWrite : NamingRules {
  void local_write_failed() override {}
};

// A vector instead of a history: a put's context takes in what its coordinator had seen.
struct ClaimsWhatTheCoordinatorSaw : NamingRules {
  History context_after(const History& request, const Dot& dot, const VersionSet& set) override {
    History context = NamingRules::context_after(request, dot, set);
    context.merge(set.history());
    return context;
  }
};

// The first run that fails, or zero.
template <class Mutant>
std::uint64_t first_failing_seed(const std::string& code) {
  ReplicaRun::Tally tally;
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    const std::string failure = ReplicaRun(seed, Conflict::keep_siblings, make<Mutant>).run(tally);
    if (failure.starts_with(code)) return seed;
  }
  return 0;
}

TEMPLATE_TEST_CASE("a node that goes on under a name it may have forgotten is caught", "",
                   KeepsNameAfterForgetting, KeepsNameAfterCrash, KeepsNameAfterFailedWrite) {
  CHECK(first_failing_seed<TestType>("C5") != 0);
}

TEST_CASE("a put whose context claims what its writer never saw is caught") {
  CHECK(first_failing_seed<ClaimsWhatTheCoordinatorSaw>("C2") != 0);
}

}  // namespace
