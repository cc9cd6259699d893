#pragma once

#include <map>
#include <set>
#include <utility>

#include <dynamo/version.h>

#include "causality/version_set.h"

namespace test {

// The naive model of a version set: every dot ever seen, one by one, and the versions that remain.
// Written straight from the definitions of semantics.md 1, with nothing folded and nothing sorted
// by hand, so that it is right at a glance.
//
// Thread safety: a value.
struct ExplicitDots {
  std::set<dynamo::Dot> seen{};
  std::map<dynamo::Dot, dynamo::core::StoredVersion> versions{};

  // S = (S1 and S2) + {d in S1 not seen by 2} + {d in S2 not seen by 1}; seen = seen1 + seen2.
  void merge(const ExplicitDots& other, dynamo::core::Conflict conflict) {
    std::map<dynamo::Dot, dynamo::core::StoredVersion> result;
    for (const auto& [dot, version] : versions) {
      if (other.versions.contains(dot) || !other.seen.contains(dot)) result[dot] = version;
    }
    for (const auto& [dot, version] : other.versions) {
      if (!seen.contains(dot)) result[dot] = version;
    }
    versions = std::move(result);
    seen.insert(other.seen.begin(), other.seen.end());
    if (conflict == dynamo::core::Conflict::last_write_wins) keep_last_write();
  }

  void put(const std::set<dynamo::Dot>& context, const dynamo::core::StoredVersion& version,
           dynamo::core::Conflict conflict) {
    for (const dynamo::Dot& dot : context) versions.erase(dot);
    seen.insert(context.begin(), context.end());
    seen.insert(version.dot);
    versions[version.dot] = version;
    if (conflict == dynamo::core::Conflict::last_write_wins) keep_last_write();
  }

  // Holds exactly what the real set says it holds.
  bool equals(const dynamo::core::VersionSet& real) const {
    std::map<dynamo::Dot, dynamo::core::StoredVersion> kept;
    for (const auto& version : real.versions()) kept[version.dot] = version;
    return kept == versions && kept.size() == real.versions().size() &&
           dots_of(real.history()) == seen;
  }

  static std::set<dynamo::Dot> dots_of(const dynamo::core::History& history) {
    std::set<dynamo::Dot> dots(history.dots().begin(), history.dots().end());
    for (const auto& entry : history.clock().entries()) {
      for (std::uint64_t n = 1; n <= entry.counter; ++n) dots.insert({entry.actor, n});
    }
    return dots;
  }

 private:
  void keep_last_write() {
    if (versions.empty()) return;
    dynamo::core::StoredVersion last = versions.begin()->second;
    for (const auto& [dot, version] : versions) {
      const bool later = version.clock != last.clock ? version.clock > last.clock
                                                     : version.write_id > last.write_id;
      if (later) last = version;
    }
    versions = {{last.dot, last}};
  }
};

}  // namespace test
