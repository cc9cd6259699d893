#include "node/get_answer.h"

#include <algorithm>
#include <chrono>
#include <set>
#include <utility>

namespace dynamo::core {

namespace {

// A peer may send any number; the application's clock counts nanoseconds in 63 bits.
std::chrono::system_clock::time_point to_time_point(std::int64_t wall_us) {
  using Clock = std::chrono::system_clock;
  constexpr auto last =
      std::chrono::duration_cast<std::chrono::microseconds>(Clock::duration::max());
  return Clock::time_point(std::chrono::microseconds(
      std::clamp(wall_us, std::int64_t{0}, static_cast<std::int64_t>(last.count()))));
}

}  // namespace

ContextBody make_context_body(const Identity& cluster,
                              const std::shared_ptr<const ContextSecrets>& secrets,
                              std::string_view store, std::string_view key) {
  return make_context_body(cluster, secrets, store, bind_store(cluster, store), key);
}

ContextBody make_context_body(const Identity& cluster,
                              const std::shared_ptr<const ContextSecrets>& secrets,
                              std::string_view store, std::uint32_t store_binding,
                              std::string_view key) {
  ContextBody body{.binding = bind_context(cluster, store_binding, key)};
  if (secrets == nullptr) return body;
  // Shared by the copies of one context.
  body.seal = std::make_shared<const ContextSeal>(ContextSeal{
      secrets, {.cluster = cluster, .store = std::string(store), .key = std::string(key)}});
  return body;
}

GetAnswer make_answer(VersionSet set, ContextBody seen, Outcome outcome, std::int64_t wall_us) {
  seen.latest = set.latest();
  VersionSet::Parts parts = std::move(set).take();
  GetAnswer answer;
  answer.versions.reserve(parts.versions.size());
  std::set<WriteId> shown;  // a write that was stored under two dots is one version (trap A8)
  const bool several = parts.versions.size() > 1;
  for (StoredVersion& version : parts.versions) {
    if (!version.visible_at(wall_us)) continue;
    if (several && !shown.insert(version.write_id).second) continue;
    answer.versions.push_back({.object = *std::move(version.object),
                               .dot = version.dot,
                               .written_at = to_time_point(version.written_at_us)});
  }
  seen.history = std::move(parts.history);
  answer.context = make_context(std::move(seen));
  answer.outcome = std::move(outcome);
  return answer;
}

}  // namespace dynamo::core
