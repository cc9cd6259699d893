#include "answer_checks.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "causality/context_body.h"
#include "node/engine_keys.h"
#include "node/node_state.h"
#include "testing/sim_world.h"

namespace seeds {

namespace core = dynamo::core;
using Answer = dynamo::ReplicaReport::Answer;
using Role = dynamo::ReplicaReport::Role;
using dynamo::testing::SimWorld;

namespace {

const core::History& history_of(const dynamo::Context& context) {
  static const core::History none;
  return context.body() == nullptr ? none : context.body()->history;
}

}  // namespace

Asked AnswerChecks::ask(int key) const {
  Asked asked{.key = key};
  asked.regular = options_.reads_are_regular() && !disks_lost_;
  if (asked.regular) {
    asked.acknowledged = ghosts_.of(key).acknowledged;
    asked.replaced_dots = ghosts_.of(key).replaced_dots;
  }
  return asked;
}

Seen AnswerChecks::got(const Asked& asked, const dynamo::GetResult& result) {
  findings_.visit(Visit::get_ok);
  if (result.siblings > 1) findings_.visit(Visit::siblings);
  check_shown(asked, result);
  Seen seen = ghosts_.seen_by(asked.key, result.versions, history_of(result.context));
  check_context(asked, result, seen);
  check_covered(asked, result, seen);
  return seen;
}

void AnswerChecks::check_shown(const Asked& asked, const dynamo::GetResult& result) {
  std::set<int> shown;
  for (const dynamo::Version& version : result.versions) {
    const Write* write = ghosts_.find_object(version.object);
    if (write == nullptr || write->key != asked.key) {
      findings_.fail("C1", "a get shows what was never written there: " + version.object,
                     asked.key);
      continue;
    }
    if (!shown.insert(write->number).second) {
      findings_.fail("C1", fmt::format("a get shows write {} twice", write->number), asked.key);
    }
    const auto place = ghosts_.of(asked.key).dot_places.find(version.dot);
    if (place == ghosts_.of(asked.key).dot_places.end()) {
      findings_.fail(
          "C1",
          fmt::format("a get shows write {} under a dot that no node has written", write->number),
          asked.key);
    } else if (asked.regular && asked.replaced_dots.has(place->second)) {
      findings_.fail("C3",
                     fmt::format("a get shows write {}, which had been replaced", write->number),
                     asked.key);
    }
  }
  int said = 0;
  std::set<std::string> nodes;
  for (const dynamo::ReplicaReport& report : result.outcome.replicas) {
    const bool absent = report.answer == Answer::not_found && report.role == Role::primary;
    said += absent || report.answer == Answer::found ? 1 : 0;
    if (!nodes.insert(report.node).second) {
      findings_.fail("C1", fmt::format("a get counts {} twice", report.node), asked.key);
    }
  }
  if (said < options_.store.quorum.r) {
    findings_.fail("C1",
                   fmt::format("a get is answered by {} of r={}", said, options_.store.quorum.r),
                   asked.key);
  }
}

void AnswerChecks::check_context(const Asked& asked, const dynamo::GetResult& result,
                                 const Seen& seen) {
  if (options_.last_write_wins) return;  // there the losers are covered, and never shown
  const KeyGhosts& ghosts = ghosts_.of(asked.key);
  const core::History& history = history_of(result.context);
  ghosts.dots_in(history).for_each([&](std::size_t at) {
    const KnownDot& known = ghosts.dots[at];
    const std::size_t place = known.write_place;
    if (known.write < 0 || seen.writes.has(place) || ghosts.reaped.has(place)) return;
    findings_.fail(
        "C4",
        fmt::format("the context of a get covers write {}, which it does not show", known.write),
        asked.key);
  });
  for (const dynamo::Version& version : result.versions) {
    if (history.contains(version.dot)) continue;
    findings_.fail(
        "C4", fmt::format("the context of a get does not cover what it shows: {}", version.object),
        asked.key);
  }
}

bool AnswerChecks::covers(int key, std::size_t place, const dynamo::GetResult& result,
                          const Seen& seen) const {
  const KeyGhosts& ghosts = ghosts_.of(key);
  if (seen.writes.has(place) || ghosts.reaped.has(place)) return true;
  if (!options_.last_write_wins) return false;
  // A loser may never be stored, and then only its writer's context knows its dot.
  if (result.versions.empty()) return true;
  const Write& wanted = ghosts_.write(ghosts.writes[place]);
  // The delete that it lost to has been dropped, and later writes may have smaller clocks: one that
  // was ahead has been set right (seed 300206).
  if (ghosts_.lost_to_reaped(wanted)) return true;
  return std::ranges::any_of(result.versions, [&](const dynamo::Version& version) {
    const Write* shown = ghosts_.find_object(version.object);
    return shown != nullptr && !wins_over(wanted, *shown);
  });
}

void AnswerChecks::check_covered(const Asked& asked, const dynamo::GetResult& result,
                                 const Seen& seen) {
  const auto check = [&](const Bits& wanted, std::string_view why) {
    Bits missing = wanted;
    missing.remove(seen.writes);
    bool failed = false;
    missing.for_each([&](std::size_t place) {
      if (failed || covers(asked.key, place, result, seen)) return;
      failed = true;
      const int number = ghosts_.of(asked.key).writes[place];
      findings_.fail("C13", fmt::format("a get does not cover write {}, which {}", number, why),
                     asked.key);
    });
  };
  if (asked.regular && !disks_lost_) {
    findings_.visit(Visit::read_checked_regular);
    check(asked.acknowledged, "was acknowledged before it began");
  }
  if (!asked.at_least) return;
  findings_.visit(Visit::at_least_covered);
  check(asked.at_least->writes, "at_least has seen");
  if (!history_of(result.context).covers(history_of(asked.at_least_context))) {
    findings_.fail("C13", "the context of a get does not cover at_least", asked.key);
  }
}

void AnswerChecks::failed(const Asked& asked, const absl::Status& status) {
  findings_.visit(Visit::get_failed);
  if (!absl::IsInternal(status) && !absl::IsInvalidArgument(status)) return;
  findings_.fail("C1", "a get fails with " + status.ToString(), asked.key);
}

void AnswerChecks::put(const Write& write, const dynamo::Context& given,
                       const dynamo::PutResult& result) {
  findings_.visit(write.object ? Visit::put_ok : Visit::erase_ok);
  const KeyGhosts& ghosts = ghosts_.of(write.key);
  Bits added = ghosts.dots_in(history_of(result.context));
  added.remove(ghosts.dots_in(history_of(given)));
  added.for_each([&](std::size_t place) {
    if (ghosts.dots[place].write == write.number) return;
    findings_.fail("C4",
                   fmt::format("the context of put {} covers write {}, which its writer has "
                               "not seen",
                               write.number, ghosts.dots[place].write),
                   write.key);
  });
  if (!history_of(result.context).covers(history_of(given))) {
    findings_.fail("C4",
                   fmt::format("the context of put {} has lost what was given to it", write.number),
                   write.key);
  }
  int took = 0;
  std::set<std::string> nodes;
  for (const dynamo::ReplicaReport& report : result.outcome.replicas) {
    took += counts(report) ? 1 : 0;
    if (!nodes.insert(report.node).second) {
      findings_.fail("C7", fmt::format("put {} counts {} twice", write.number, report.node),
                     write.key);
    }
    const bool stored = report.answer == Answer::synced || report.answer == Answer::stored;
    if (stored && report.role == Role::stand_in) findings_.visit(Visit::stand_in_took);
  }
  if (took < options_.store.quorum.w) {
    findings_.fail("C7",
                   fmt::format("put {} is acknowledged by {} of w={}", write.number, took,
                               options_.store.quorum.w),
                   write.key);
  }
  check_durable(write, result);
}

bool AnswerChecks::counts(const dynamo::ReplicaReport& report) const {
  return report.answer == Answer::synced ||
         (options_.store.durability == dynamo::Durability::buffered &&
          report.answer == Answer::stored);
}

bool AnswerChecks::is_taken_by_members(const dynamo::PutResult& result) {
  int members = 0;
  for (const dynamo::ReplicaReport& report : result.outcome.replicas) {
    members += counts(report) && !is_gone(cluster_, index_of(cluster_, report.node)) ? 1 : 0;
  }
  return members >= options_.store.quorum.w;
}

void AnswerChecks::check_durable(const Write& write, const dynamo::PutResult& result) {
  std::string engine_key;
  for (int node = 0; node < cluster_.size() && engine_key.empty(); ++node) {
    if (!cluster_.is_up(node)) continue;
    cluster_.world().host(node).inspect([&](const core::NodeState& state, const auto&) {
      if (state.ring == nullptr) return;
      engine_key = core::object_key("carts", state.hash(Ghosts::key_name(write.key)));
    });
  }
  if (engine_key.empty()) return;
  const KeyGhosts& ghosts = ghosts_.of(write.key);
  const std::vector<int> owners = members_.latest_owners_of(Ghosts::key_name(write.key));
  for (const dynamo::ReplicaReport& report : result.outcome.replicas) {
    if (report.answer != Answer::synced) continue;
    bool there = false;
    const int node = index_of(cluster_, report.node);
    // It owns the key no more, and may have given away what it had.
    const bool handed_on = std::ranges::find(owners, node) == owners.end();
    for (const core::RecordKind kind : {core::RecordKind::object, core::RecordKind::hint}) {
      engine_key[0] = static_cast<char>(kind);
      const OnDisk disk = read_disk(cluster_, node, engine_key);
      there = there || disk.damaged;
      there = there || (disk.record && write.is_in(disk.record->replica.set.history()));
      there = there || (options_.last_write_wins && disk.record &&
                        has_winner(write, disk.record->replica.set.versions()));
    }
    // What has been handed on since, or dropped, or was on a disk that is lost, was there once.
    const bool gone_since = lost_since(report.node, write.begun) ||
                            ghosts.reaped.has(write.place) || report.role == Role::stand_in ||
                            handed_on;
    if (there) findings_.visit(Visit::durable_checked);
    // A write that lost (last write wins) is never stored as such, and no dot is known for it.
    const bool lost =
        options_.last_write_wins && (write.dots.empty() || ghosts_.lost_to_reaped(write));
    if (there || gone_since || lost) continue;
    findings_.fail("C7",
                   fmt::format("write {} is acknowledged as synced by {}, and is not on its "
                               "disk",
                               write.number, report.node),
                   write.key);
  }
}

void AnswerChecks::disk_lost(int node) {
  disks_lost_ = true;
  lost_at_[SimWorld::name_of(node)] = cluster_.now();
}

bool AnswerChecks::lost_since(const std::string& node, std::chrono::nanoseconds time) const {
  const auto at = lost_at_.find(node);
  return at != lost_at_.end() && at->second >= time;
}

void AnswerChecks::put_failed(const Write& write, const absl::Status& status) {
  if (absl::IsInternal(status)) {
    findings_.fail("C1", "a put fails with " + status.ToString(), write.key);
  }
}

}  // namespace seeds
