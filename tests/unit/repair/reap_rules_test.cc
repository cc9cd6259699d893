// The rules of the protocol that drops deletes (repair/generation.h), one by one: what happens
// without each of them, and all that can happen within a few steps of every stage of it.

#include <cstdint>
#include <cstdlib>
#include <string>
#include <unordered_set>
#include <vector>

#include "catch.hpp"
#include "unit/repair/reap_run.h"

namespace {

using test::ReapMutant;
using test::ReapRun;
using Op = ReapRun::Op;
using Steps = std::vector<ReapRun::Step>;

// What it takes to break a promise once the rule is gone.
struct Schedule {
  ReapMutant mutant = ReapMutant::none;
  const char* story = "";
  std::size_t leader = 0;
  Steps steps{};
};

constexpr std::uint8_t a = 0, b = 1, c = 2, s = 3;  // the stand-in

Steps operator+(Steps first, const Steps& second) {
  first.insert(first.end(), second.begin(), second.end());
  return first;
}

Steps on_all(Op op) { return {{op, a, 0}, {op, b, 0}, {op, c, 0}, {op, s, 0}}; }
const Steps begin = {{Op::begin, 0, 1}};
const Steps hear_seal = {{Op::hear_seal, a, ReapRun::nodes},
                         {Op::hear_seal, b, ReapRun::nodes},
                         {Op::hear_seal, c, ReapRun::nodes},
                         {Op::hear_seal, s, ReapRun::nodes}};  // from the one that seals
const Steps settle_and_seal = on_all(Op::settle) + Steps{{Op::seal}} + hear_seal;
const Steps barrier = begin + on_all(Op::raise) + settle_and_seal;
const Steps confirm = {{Op::scan, a}, {Op::exchange, a, b}, {Op::exchange, a, c}};
const Steps drop = {{Op::drop, a}, {Op::hear_drop, b}, {Op::hear_drop, c}};
const Steps hand_off = {{Op::hand_off, a}, {Op::hand_off, b}, {Op::hand_off, c}};
const Steps put_and_erase = {{Op::put, a, 0}, {Op::erase, a, 1}, {Op::sync, a}};
// The first frame has been to b before the delete.
const Steps put_on_b_and_erase = {
    {Op::put, a, 0}, {Op::deliver, b, 0}, {Op::sync, b}, {Op::erase, a, 1}, {Op::sync, a}};
// A write that only the stand-in has is deleted at a by somebody who has read it there.
const Steps put_aside_and_erase = {{Op::put_at_stand_in, s, 0}, {Op::erase, a, 1}, {Op::sync, a}};
// The same, while the stand-in is a generation ahead of the owners.
const Steps put_ahead_and_erase = begin + put_aside_and_erase;
const Steps meet_b = {{Op::contact, b, a}, {Op::contact, b, c}, {Op::contact, b, s}};

const std::vector<Schedule>& schedules() {
  static const std::vector<Schedule> all = {
      {ReapMutant::never_refuses, "a frame from before the delete comes once more", a,
       put_and_erase + confirm + barrier + barrier + drop + Steps{{Op::deliver, a, 0}}},
      {ReapMutant::stand_in_never_refuses,
       "a stand-in takes for handed off what came after it settled", a,
       Steps{{Op::failed_put, a, 0}} + barrier + Steps{{Op::keep_hint, s, 0}, {Op::crash, s}}},
      {ReapMutant::seals_over_old_hints, "or what it still had when it settled", a,
       Steps{{Op::put_at_stand_in, s, 0}} + barrier + Steps{{Op::crash, s}}},
      {ReapMutant::hint_takes_newest_stamp, "a hint looks new because of what was added to it", a,
       put_aside_and_erase + confirm + begin + on_all(Op::raise) +
           Steps{{Op::put_at_stand_in, s, 0}} + settle_and_seal + begin + on_all(Op::raise) +
           Steps{{Op::put_at_stand_in, s, 0}} + settle_and_seal + drop + hand_off},
      {ReapMutant::answers_from_memory, "an owner loses the delete in a crash after it confirmed",
       a, put_on_b_and_erase + confirm + Steps{{Op::crash, b}} + barrier + barrier + drop},
      {ReapMutant::drops_unsynced, "who drops loses the delete, and not what it deleted", a,
       Steps{{Op::put, a, 0}, {Op::sync, a}, {Op::erase, a, 1}} + confirm + barrier + barrier +
           drop + Steps{{Op::sync, b}, {Op::sync, c}, {Op::crash, a}}},
      {ReapMutant::drops_without_barrier, "a frame is under way", a,
       put_and_erase + confirm + drop + Steps{{Op::deliver, a, 0}}},
      {ReapMutant::drops_after_one_barrier, "a stand-in was a generation ahead", s,
       put_ahead_and_erase + confirm + on_all(Op::raise) + settle_and_seal + drop + hand_off},
      {ReapMutant::drops_unconfirmed, "another owner has never heard of the delete", a,
       put_on_b_and_erase + Steps{{Op::scan, a}} + barrier + barrier + drop},
      {ReapMutant::confirmed_when_scanned, "the round takes generations", a,
       put_on_b_and_erase + Steps{{Op::scan, a}, {Op::exchange, a, c}} + barrier + barrier +
           Steps{{Op::get, 0, 2}, {Op::exchange, a, b}} + drop + Steps{{Op::deliver, a, 4}}},
      {ReapMutant::drops_what_has_changed, "a write after the delete goes with it", a,
       put_and_erase + confirm + barrier + barrier + Steps{{Op::put, a, 0}, {Op::sync, a}} + drop},
      {ReapMutant::rebuilt_at_once, "a wiped owner is given what was deleted, and not the delete",
       a,
       put_aside_and_erase + confirm + Steps{{Op::wipe, b}} + meet_b + hand_off + barrier +
           barrier + drop},
      {ReapMutant::rebuilding_stamps_current, "what it is given looks as if it had confirmed", s,
       put_ahead_and_erase + confirm + on_all(Op::raise) + settle_and_seal + Steps{{Op::wipe, b}} +
           meet_b + begin + Steps{{Op::raise, b}} + hand_off + Steps{{Op::get, 0, 2}} +
           on_all(Op::raise) +
           Steps{{Op::hear_seal, b, a}, {Op::exchange, b, a}, {Op::exchange, b, c}} +
           settle_and_seal + drop + Steps{{Op::deliver, a, 6}}},
      {ReapMutant::counts_former_answers, "it had settled before it was wiped", s,
       put_ahead_and_erase + confirm + on_all(Op::raise) + settle_and_seal + begin +
           Steps{{Op::raise, b}, {Op::settle, b}, {Op::wipe, b}} + meet_b + hand_off +
           on_all(Op::raise) + settle_and_seal + drop},
      {ReapMutant::frames_for_any_identity, "a frame from before everything comes to a wiped owner",
       a,
       put_and_erase + confirm + barrier + barrier + drop +
           Steps{{Op::wipe, b}, {Op::deliver, b, 0}}},
  };
  return all;
}

std::string replay(const Schedule& schedule, ReapMutant mutant) {
  ReapRun run(mutant, schedule.leader);
  for (const ReapRun::Step& step : schedule.steps) {
    run.apply(step);
    if (!run.failure().empty()) return run.failure();
  }
  return {};
}

std::string text(const Steps& steps) {
  std::string text;
  for (const ReapRun::Step& step : steps) text += ReapRun::text(step) + "\n";
  return text;
}

// One of each kind of step, with every node, and the contexts and frames that matter most.
Steps all_steps() {
  Steps all;
  for (std::uint8_t op = 0; op < static_cast<std::uint8_t>(Op::count); ++op) {
    for (std::uint8_t node = 0; node < ReapRun::nodes; ++node) {
      for (std::uint8_t other = 0; other < ReapRun::nodes; ++other) {
        all.push_back({static_cast<Op>(op), node, other});
      }
    }
  }
  return all;
}

// The states that some schedule of `depth` steps leads to. Equal ones are looked at once.
struct Search {
  void from(const ReapRun& run, int depth) {
    if (depth == 0 || !failure.empty()) return;
    for (const ReapRun::Step& step : steps) {
      ReapRun next = run;
      if (!next.apply(step)) continue;
      path.push_back(step);
      if (!next.failure().empty()) failure = next.failure() + " after\n" + text(path);
      if (failure.empty() && seen.insert(next.fingerprint() + std::to_string(depth)).second) {
        from(next, depth - 1);
      }
      path.pop_back();
    }
  }
  Steps steps = all_steps();
  Steps path{};
  std::unordered_set<std::string> seen{};
  std::string failure{};
};

}  // namespace

TEST_CASE("reaping: each rule is needed") {
  CHECK(schedules().size() == static_cast<std::size_t>(ReapMutant::count) - 1);
  for (const Schedule& schedule : schedules()) {
    INFO(schedule.story << "\n" << text(schedule.steps));
    CHECK_FALSE(replay(schedule, schedule.mutant).empty());
    CHECK(replay(schedule, ReapMutant::none).empty());
  }
}

TEST_CASE("reaping: whatever happens next, at every stage") {
  const char* given = std::getenv("DYNAMO_DEPTH");
  const int depth = given == nullptr ? 1 : std::atoi(given);
  std::size_t states = 0;
  for (const Schedule& schedule : schedules()) {
    ReapRun run(ReapMutant::none, schedule.leader);
    Search search;
    for (const ReapRun::Step& step : schedule.steps) {
      search.from(run, depth);
      INFO(schedule.story << ": " << search.failure);
      REQUIRE(search.failure.empty());
      run.apply(step);
      search.path.push_back(step);
    }
    states += search.seen.size();
  }
  INFO(states);
  CHECK(states > 1000);
}
