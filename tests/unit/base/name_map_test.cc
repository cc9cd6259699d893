#include "base/name_map.h"

#include <map>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "base/prng.h"
#include "catch.hpp"

using dynamo::core::NameMap;
using dynamo::core::Prng;

TEST_CASE("a name map is a map whose names are also found by their hash") {
  Prng random(1);
  NameMap<int> names;
  std::map<std::string, int> model;
  for (int step = 0; step < 4000; ++step) {
    const std::string name = fmt::format("node-{}", random.below(300));
    switch (random.below(step % 1000 < 500 ? 8 : 3)) {
      case 0: {
        const auto kept = random.below(3);
        const auto goes = [&](const auto& entry) {
          return entry.second % 3 != static_cast<int>(kept);
        };
        if (step % 50 != 0) break;
        names.erase_if(goes);
        std::erase_if(model, goes);
        break;
      }
      default: {
        const auto [entry, added] = names.try_emplace(name, step);
        const auto [at, was_added] = model.try_emplace(name, step);
        CHECK(added == was_added);
        CHECK(entry.first == name);
        CHECK(entry.second == at->second);
      }
    }
    const std::string asked = fmt::format("node-{}", random.below(300));
    const int* found = names.find(asked);
    REQUIRE((found != nullptr) == model.contains(asked));
    if (found != nullptr) CHECK(*found == model.at(asked));
    REQUIRE(names.size() == model.size());
  }
  const std::vector<std::pair<std::string, int>> all(names.begin(), names.end());
  CHECK(all == std::vector<std::pair<std::string, int>>(model.begin(), model.end()));
}

TEST_CASE("values of a name map stay where they are") {
  NameMap<int> names;
  const auto& first = names.try_emplace("first", 1).first;
  for (int i = 0; i < 1000; ++i) names.try_emplace(fmt::format("node-{}", i), i);
  names.erase_if([](const auto& entry) { return entry.first.starts_with("node-"); });
  CHECK(names.find("first") == &first.second);
  CHECK(names.find("node-7") == nullptr);
  CHECK(names.find("") == nullptr);
}

TEST_CASE("name map: names of every length that begin alike are told apart") {
  NameMap<std::size_t> names;
  std::string longest;
  for (int i = 0; i < 40; ++i) longest += i % 3 == 0 ? 'a' : 'b';
  for (std::size_t size = 0; size <= longest.size(); ++size) {
    for (const char last : {'x', 'y'}) {
      const std::size_t value = 2 * size + (last == 'x' ? 1 : 0);
      names.try_emplace(longest.substr(0, size) + last, value);
    }
  }
  CHECK(names.size() == 2 * (longest.size() + 1));
  for (const auto& [name, value] : names) {
    const std::string copy = name;  // elsewhere in memory
    REQUIRE(names.find(copy) != nullptr);
    CHECK(*names.find(copy) == value);
  }
  CHECK(names.find("") == nullptr);
  CHECK(names.find(longest) == nullptr);
}
