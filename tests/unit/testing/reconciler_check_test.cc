#include <dynamo/testing/reconciler_check.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <map>
#include <numeric>
#include <random>
#include <set>
#include <sstream>
#include <stdexcept>

#include "catch.hpp"

namespace {

using dynamo::Version;
using dynamo::testing::merge_laws_hold;
using test::ContainsSubstring;
using Siblings = std::span<const Version>;

// One to three small numbers, ascending: sets that often overlap.
std::string some_set(std::mt19937_64& random) {
  std::set<std::uint64_t> numbers;
  for (std::uint64_t n = 1 + random() % 3; n > 0; --n) numbers.insert(random() % 5);
  std::string text;
  for (const std::uint64_t number : numbers) text += std::to_string(number) + " ";
  return text;
}

std::string some_number(std::mt19937_64& random) { return std::to_string(random() % 50); }

std::string message(const absl::Status& status) { return std::string(status.message()); }

template <class Merge, class Generator>
absl::Status check(Merge merge, Generator next_object) {
  return merge_laws_hold(*dynamo::reconcile_with(std::move(merge)), next_object);
}

template <class Merge, class Generator>
void holds(Merge merge, Generator next_object) {
  const absl::Status status = check(std::move(merge), next_object);
  INFO(status.ToString());
  CHECK(status.ok());
}

template <class Merge, class Generator>
void breaks(const std::string& law, Merge merge, Generator next_object) {
  const absl::Status status = check(std::move(merge), next_object);
  CHECK(status.code() == absl::StatusCode::kInternal);
  CHECK_THAT(message(status), ContainsSubstring("\"" + law + "\""));
}

std::string union_of(Siblings siblings) {
  std::set<std::string> all;
  for (const Version& version : siblings) {
    std::istringstream in(version.object);
    for (std::string item; in >> item;) all.insert(item);
  }
  std::string text;
  for (const std::string& item : all) text += item + " ";
  return text;
}

std::vector<long> numbers(Siblings siblings) {
  std::vector<long> all;
  for (const Version& version : siblings) all.push_back(std::stol(version.object));
  return all;
}

// Item and quantity; of each item the largest quantity stays.
std::string merged_cart(Siblings siblings) {
  std::map<std::string, int> cart;
  for (const Version& version : siblings) {
    std::istringstream in(version.object);
    int quantity = 0;
    for (std::string item; in >> item >> quantity;) {
      cart[item] = std::max(cart[item], quantity);
    }
  }
  std::string text;
  for (const auto& [item, quantity] : cart) text += item + " " + std::to_string(quantity) + "\n";
  return text;
}

TEST_CASE("set union, the maximum, and a cart keep the laws") {
  holds(union_of, some_set);
  holds(
      [](Siblings siblings) {
        return std::ranges::max_element(siblings, {}, &Version::object)->object;
      },
      some_number);
  holds(merged_cart, [](std::mt19937_64& random) {
    std::string text;  // not as the merge would write it: items in any order, and twice
    for (std::uint64_t n = random() % 4; n > 0; --n) {
      text += "item" + std::to_string(random() % 3) + " " + std::to_string(random() % 9) + "\n";
    }
    return text;
  });
}

TEST_CASE("the newest wins keeps the laws if a draw is decided by the bytes, and only then") {
  holds(
      [](Siblings siblings) {
        return std::ranges::max_element(siblings,
                                        [](const Version& a, const Version& b) {
                                          return std::tie(a.written_at, a.object) <
                                                 std::tie(b.written_at, b.object);
                                        })
            ->object;
      },
      some_set);
  const auto first_of_newest = [](Siblings siblings) {
    return std::ranges::max_element(siblings, {}, &Version::written_at)->object;
  };
  breaks("order is nothing", first_of_newest, some_set);
  CHECK_THAT(message(check(first_of_newest, some_set)), ContainsSubstring("with one written_at"));
  CHECK(merge_laws_hold(*dynamo::last_write_wins(), some_set).ok());
}

TEST_CASE("what depends on the order of siblings is found") {
  breaks(
      "order is nothing",
      [](Siblings siblings) {
        std::string all;
        for (const Version& version : siblings) all += version.object;
        return all;
      },
      some_set);
  breaks("order is nothing", [](Siblings siblings) { return siblings.front().object; }, some_set);
  breaks("order is nothing", [](Siblings siblings) { return siblings.back().object; }, some_set);
  breaks(
      "order is nothing",
      [](Siblings siblings) {
        return std::ranges::min_element(siblings, {},
                                        [](const Version& v) { return v.object.size(); })
            ->object;
      },
      some_set);
}

TEST_CASE("what shows dots is found") {
  const absl::Status status =
      check([](Siblings siblings) { return union_of(siblings) + siblings.front().dot.to_string(); },
            some_set);
  CHECK(status.code() == absl::StatusCode::kInternal);
}

TEST_CASE("clocks and chance are found") {
  breaks(
      "it is a function",
      [](Siblings siblings) {
        const auto now = std::chrono::steady_clock::now().time_since_epoch();
        return union_of(siblings) + std::to_string(now.count());
      },
      some_set);
  breaks(
      "it is a function",
      [random = std::make_shared<std::mt19937_64>(1)](Siblings siblings) {
        return siblings[(*random)() % siblings.size()].object;
      },
      some_set);
  breaks(
      "it is a function",
      [calls = std::make_shared<std::atomic<int>>(0)](Siblings siblings) {
        return union_of(siblings) + (++*calls % 100 == 0 ? "now and then" : "");
      },
      some_set);
}

TEST_CASE("what depends on the grouping is found") {
  // Paper, scissors, stone: two have a winner, all three are a draw.
  breaks(
      "grouping is nothing",
      [](Siblings siblings) -> std::string {
        std::set<std::string> hands;
        for (const Version& version : siblings) hands.insert(version.object);
        if (hands.contains("draw") || hands.size() == 3) return "draw";
        if (!hands.contains("paper")) return *hands.rbegin();
        return hands.contains("scissors") ? "scissors" : "paper";
      },
      [](std::mt19937_64& random) {
        return std::array<std::string, 3>{"paper", "scissors", "stone"}[random() % 3];
      });
  // The average of two averages is another average, even with itself.
  const absl::Status average = check(
      [](Siblings siblings) {
        const std::vector<long> all = numbers(siblings);
        return std::to_string(std::accumulate(all.begin(), all.end(), 0L) /
                              static_cast<long>(all.size()));
      },
      some_number);
  CHECK(average.code() == absl::StatusCode::kInternal);
}

TEST_CASE("what counts twice is found") {
  breaks(
      "it is idempotent",
      [](Siblings siblings) {
        const std::vector<long> all = numbers(siblings);
        return std::to_string(std::accumulate(all.begin(), all.end(), 0L));
      },
      some_number);
}

TEST_CASE("errors and exceptions are found, with the objects") {
  breaks(
      "it merges",
      [](Siblings siblings) -> absl::StatusOr<std::string> {
        if (siblings.size() > 3) return absl::UnimplementedError("four!");
        return union_of(siblings);
      },
      some_set);
  const absl::Status status = check(
      [](Siblings siblings) -> std::string {
        if (siblings[0].object != siblings[1].object) throw std::runtime_error("they differ");
        return siblings[0].object;
      },
      some_number);
  CHECK_THAT(message(status), ContainsSubstring("throws: they differ"));
  breaks("it merges", [](Siblings) -> std::string { throw 1; }, some_number);
}

TEST_CASE("the objects are shown as literals, two if two are enough, and cut if they are long") {
  const auto first = [](Siblings siblings) { return siblings.front().object; };
  int made = 0;
  const std::string short_ones = message(check(first, [&] {
    const std::string tail = ++made % 2 == 0 ? "b" : "1";
    return std::string("a\"\n\0\xff", 5) + tail;
  }));
  CHECK_THAT(short_ones, ContainsSubstring(R"({"a\"\n\000\3771"s, "a\"\n\000\377b"s})"));
  CHECK_THAT(short_ones, ContainsSubstring("seed 1, round 0"));

  const std::string long_ones = message(check(first, [](std::uint64_t random) {
    return std::string(4999, 'x') + static_cast<char>('a' + random % 26);
  }));
  CHECK_THAT(long_ones, ContainsSubstring("cut, 1000 of 5000"));
  CHECK(long_ones.size() < 10'000);
}

TEST_CASE("the same seed tries the same objects, another tries others") {
  const auto tried = [](std::uint64_t seed) {
    std::string all;
    const absl::Status status = merge_laws_hold(
        *dynamo::reconcile_with(union_of),
        [&](std::mt19937_64& random) {
          all += some_set(random) + ";";
          return some_set(random);
        },
        seed);
    CHECK(status.ok());
    return all;
  };
  CHECK(tried(1) == tried(1));
  CHECK(tried(1) != tried(2));
}

TEST_CASE("the versions look as those of a get") {
  bool two = false;
  bool many = false;
  bool same_node = false;
  holds(
      [&](std::string_view key, Siblings siblings) {
        CHECK_FALSE(key.empty());
        CHECK(std::ranges::is_sorted(siblings, {}, &Version::dot));
        two |= siblings.size() == 2;
        many |= siblings.size() >= 5;
        for (std::size_t i = 0; i < siblings.size(); ++i) {
          CHECK(siblings[i].dot.counter > 0);
          CHECK(siblings[i].written_at.time_since_epoch() > std::chrono::hours(24 * 365));
          if (i == 0) continue;
          CHECK(siblings[i - 1].dot != siblings[i].dot);
          same_node |= siblings[i - 1].dot.actor == siblings[i].dot.actor;
        }
        return union_of(siblings);
      },
      some_set);
  CHECK((two && many && same_node));
}

TEST_CASE("a generator that makes one object tries nothing, and that is said") {
  const absl::Status status = check(union_of, [] { return "1 "; });
  CHECK(status.code() == absl::StatusCode::kInvalidArgument);
  CHECK_THAT(message(status), ContainsSubstring("next_object") && ContainsSubstring("\"1 \""));
}

}  // namespace
