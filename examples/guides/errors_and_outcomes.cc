// A put that finds one of its three replicas, what its error says, and the retry that writes once.

#include <cstdio>

#include <dynamo/dynamo.h>

#include "../local_cluster.h"

namespace {

using namespace std::chrono_literals;

dynamo::Node start(std::size_t self, const std::vector<dynamo::Member>& members) {
  const dynamo::NodeOptions options{.name = members[self].name, .listen = members[self].address};
  dynamo::Components parts{.membership = dynamo::fixed_membership(members)};
  parts.storage = dynamo::memory_storage();
  return example::require(dynamo::Node::start(options, std::move(parts)));
}

// What a caller may tell its own caller.
const char* meaning(const absl::Status& failed) {
  const std::optional<dynamo::Outcome> outcome = dynamo::outcome_of(failed);
  if (!outcome) return "never reached a replica";
  switch (outcome->verdict) {
    case dynamo::Outcome::Verdict::not_applied:
      return "did not happen, and will not";
    case dynamo::Outcome::Verdict::applied_below_quorum:
      return "is on a replica, and may spread";
    case dynamo::Outcome::Verdict::applied:
      return "happened";
    case dynamo::Outcome::Verdict::unknown:
      return "may have happened";
  }
  return "";
}

// The same id is the same write: however many attempts reach a replica, it is there once.
absl::StatusOr<dynamo::PutResult> retry(const dynamo::Store& store, dynamo::WriteId id) {
  absl::StatusOr<dynamo::PutResult> put = absl::UnavailableError("not tried");
  for (int attempt = 0; attempt < 20 && !put.ok(); ++attempt) {
    put = store.put("order", dynamo::Context(), "tea", {.timeout = 1s, .id = id});
    if (absl::IsInvalidArgument(put.status())) break;  // it would be refused every time
  }
  return put;
}

}  // namespace

int main() {
  const std::vector<dynamo::Member> members = example::local_members(3);
  dynamo::Node a = start(0, members);  // b and c are not up
  const dynamo::Store store = example::require(a.open("orders"));

  const auto put = store.put("order", dynamo::Context(), "tea", {.timeout = 300ms});
  std::printf("%s\nso the put %s\n", put.status().ToString().c_str(), meaning(put.status()));
  const std::optional<dynamo::Outcome> outcome = dynamo::outcome_of(put);
  if (put.ok() || !outcome) return 1;

  dynamo::Node b = start(1, members);
  const auto again = example::require(retry(store, outcome->id));
  std::printf("the retry: %s\n", dynamo::to_string(again.outcome).c_str());
  const dynamo::GetResult found = example::require(store.get("order", {.timeout = 10s}));
  std::printf("%zu version\n", found.versions.size());

  const absl::Status refused = store.put("", dynamo::Context(), "tea").status();
  std::printf("%s\nso the put %s\n", refused.ToString().c_str(), meaning(refused));
  return found.versions.size() == 1 && absl::IsInvalidArgument(refused) ? 0 : 1;
}
