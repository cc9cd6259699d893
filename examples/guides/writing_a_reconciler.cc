// A table of best scores that merges: of two entries for one player the higher stays. And a merge
// that does not keep the laws, with what the check says about it.

#include <cstdio>
#include <map>
#include <random>
#include <sstream>
#include <string>

#include <dynamo/dynamo.h>
#include <dynamo/testing/reconciler_check.h>

namespace {

using Scores = std::map<std::string, int>;

absl::StatusOr<Scores> parse(std::string_view object) {
  std::istringstream words{std::string(object)};
  Scores scores;
  std::string player;
  for (int best = 0; words >> player;) {
    if (!(words >> best)) return absl::InvalidArgumentError("a player without a score");
    scores[player] = best;
  }
  return scores;
}

std::string format(const Scores& scores) {
  std::string object;
  for (const auto& [player, best] : scores) object += player + " " + std::to_string(best) + "\n";
  return object;
}

absl::StatusOr<std::string> merge(std::span<const dynamo::Version> siblings) {
  Scores merged;
  for (const dynamo::Version& version : siblings) {
    absl::StatusOr<Scores> scores = parse(version.object);
    if (!scores.ok()) return scores.status();  // becomes the status of get()
    for (const auto& [player, best] : *scores) {
      const auto [entry, is_new] = merged.emplace(player, best);
      if (!is_new) entry->second = std::max(entry->second, best);
    }
  }
  return format(merged);
}

// Looks harmless: but what is there twice is counted twice, and get() may merge a merge again.
std::string add_up(std::span<const dynamo::Version> siblings) {
  int sum = 0;
  for (const dynamo::Version& version : siblings) sum += std::stoi(version.object);
  return std::to_string(sum);
}

}  // namespace

int main() {
  const auto some_scores = [](std::mt19937_64& random) {
    Scores scores;
    for (const char* player : {"ada", "bob", "eve"}) {
      if (random() % 2 == 0) scores[player] = static_cast<int>(random() % 5);
    }
    return format(scores);
  };
  const absl::Status good =
      dynamo::testing::merge_laws_hold(*dynamo::reconcile_with(merge), some_scores);
  std::printf("best scores: %s\n", good.ToString().c_str());

  const auto some_number = [](std::mt19937_64& random) { return std::to_string(random() % 5); };
  const absl::Status bad =
      dynamo::testing::merge_laws_hold(*dynamo::reconcile_with(add_up), some_number);
  std::printf("sums: %s\n", bad.ToString().c_str());
  return good.ok() && !bad.ok() ? 0 : 1;
}
