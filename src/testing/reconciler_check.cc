#include <dynamo/testing/reconciler_check.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <exception>
#include <set>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include <absl/status/statusor.h>
#include <absl/strings/escaping.h>
#include <dynamo/version.h>
#include <fmt/format.h>

#include "causality/last_write_wins.h"
#include "testing/broken_rule.h"

// Each round draws a few versions and merges them in one go. That result is what every other way to
// merge the same versions has to give, byte for byte.
namespace dynamo::testing::detail {
namespace {

constexpr int rounds = 300;
constexpr std::size_t siblings_most = 5;
// A literal that is longer is cut: nobody pastes it.
constexpr std::size_t literal_bytes_max = 1000;

using Siblings = std::vector<Version>;

// As a C++ literal. Octal escapes have a fixed length, so that what follows is not drawn in.
std::string literal(std::string_view bytes) {
  const std::string_view shown = bytes.substr(0, literal_bytes_max);
  const bool has_zero = shown.find('\0') != std::string_view::npos;
  std::string text =
      fmt::format("\"{}\"{}", absl::CEscape({shown.data(), shown.size()}), has_zero ? "s" : "");
  if (shown.size() < bytes.size()) {
    text += fmt::format(" /* cut, {} of {} bytes */", shown.size(), bytes.size());
  }
  return text;
}

std::string literals(std::span<const Version> siblings) {
  std::string text = "{";
  for (const Version& sibling : siblings) {
    text += fmt::format("{}{}", text.size() > 1 ? ", " : "", literal(sibling.object));
  }
  text += "}";
  const auto same_time = [&](const Version& sibling) {
    return sibling.written_at == siblings.front().written_at;
  };
  if (siblings.size() > 1 && std::ranges::all_of(siblings, same_time)) {
    text += " with one written_at";
  }
  return text;
}

absl::Status of_law(std::string_view law, const std::string& found) {
  return broken(fmt::format("the reconciler breaks the law \"{}\": {}", law, found));
}

class Laws {
 public:
  Laws(const Reconciler& reconciler, NextObject next_object, std::uint64_t seed)
      : reconciler_(reconciler), next_object_(next_object), random_(seed), seed_(seed) {}

  absl::Status check() {
    for (int round = 0; round < rounds; ++round) {
      key_ = fmt::format("key{}", round % 10);
      // Few versions first: what breaks with two is reported with two.
      const std::size_t most = 2 + static_cast<std::size_t>(round) * (siblings_most - 1) / rounds;
      if (absl::Status broken_law = check_round(draw(most)); !broken_law.ok()) {
        return broken(fmt::format("{} (key \"{}\", seed {}, round {})",
                                  std::string(broken_law.message()), key_, seed_, round));
      }
    }
    if (seen_.size() > 1) return absl::OkStatus();
    return absl::InvalidArgumentError(fmt::format(
        "next_object: gave {} each time, so nothing was tried", literal(*seen_.begin())));
  }

 private:
  std::size_t below(std::size_t bound) { return static_cast<std::size_t>(random_() % bound); }

  Siblings draw(std::size_t count) {
    using namespace std::chrono;
    Siblings siblings(count);
    const bool one_moment = below(4) == 0;
    // An afternoon in 2007; clocks of nodes differ by milliseconds.
    microseconds written_at = seconds(1'192'370'400) + milliseconds(below(10'000'000));
    for (Version& sibling : siblings) {
      sibling.object = next_object_(random_);
      if (seen_.size() < 2) seen_.insert(sibling.object);
      sibling.written_at = system_clock::time_point(written_at);
      if (!one_moment) written_at += microseconds(1 + below(5000));
    }
    // The newest is anywhere.
    for (std::size_t i = count; i > 1; --i) {
      std::swap(siblings[i - 1].written_at, siblings[below(i)].written_at);
    }
    return siblings;
  }

  // The versions in this order of dots, and so as a get would show them.
  Siblings placed(Siblings siblings) {
    Dot dot{.actor = {.boot = 0x6b1f2d04a7c9e350 + below(1000), .sequence = 1 + below(3)},
            .counter = 1 + below(100)};
    for (Version& sibling : siblings) {
      sibling.dot = dot;
      if (below(2) == 0) {
        ++dot.counter;  // of the same node
      } else {
        dot = {.actor = {.boot = dot.actor.boot + 1 + below(1'000'000), .sequence = 1},
               .counter = 1 + below(100)};
      }
    }
    return siblings;
  }

  Siblings shuffled(Siblings siblings) {
    for (std::size_t i = siblings.size(); i > 1; --i) {
      std::swap(siblings[i - 1], siblings[below(i)]);
    }
    return siblings;
  }

  absl::StatusOr<std::string> merged(const Siblings& siblings) const {
    constexpr std::string_view law = "it merges";
    try {
      absl::StatusOr<std::string> object = reconciler_.reconcile(key_, siblings);
      if (object.ok()) return object;
      return of_law(law, fmt::format("{} gives the error {}", literals(siblings),
                                     object.status().ToString()));
    } catch (const std::exception& thrown) {
      return of_law(law, fmt::format("{} throws: {}", literals(siblings), thrown.what()));
    } catch (...) {
      return of_law(law, literals(siblings) + " throws");
    }
  }

  // A part of the versions as one: if it is more than one, merged, and stored by a put.
  absl::StatusOr<Version> as_one(std::span<const Version> part) {
    if (part.size() == 1) return part.front();
    absl::StatusOr<std::string> object = merged(placed(Siblings(part.begin(), part.end())));
    if (!object.ok()) return object.status();
    return as_stored(*std::move(object), part);
  }
  static Version as_stored(std::string object, std::span<const Version> merged_from) {
    const auto newest = std::ranges::max_element(merged_from, {}, &Version::written_at);
    return {.object = std::move(object), .written_at = newest->written_at};
  }

  // Whoever reads a clock or draws lots breaks the other laws as well; say what is wrong with it.
  absl::Status is_function(const Siblings& siblings, const std::string& expected, int times) const {
    for (int i = 0; i < times; ++i) {
      const absl::StatusOr<std::string> object = merged(siblings);
      if (!object.ok()) return object.status();
      if (*object == expected) continue;
      return of_law("it is a function",
                    fmt::format("{} gives {} once and {} another time", literals(siblings),
                                literal(expected), literal(*object)));
    }
    return absl::OkStatus();
  }

  // That `again`, another way to merge `siblings`, gives what they gave. `way` says how.
  absl::Status gives(std::string_view law, const Siblings& siblings, const std::string& expected,
                     const Siblings& again, const std::string& way = "") const {
    const absl::StatusOr<std::string> object = merged(again);
    if (!object.ok()) return object.status();
    if (*object == expected) return absl::OkStatus();
    absl::Status wrong = is_function(siblings, expected, 20);
    if (wrong.ok()) wrong = is_function(again, *object, 20);
    if (!wrong.ok()) return wrong;
    return of_law(law, fmt::format("{} gives {}, but {}{} gives {}", literals(siblings),
                                   literal(expected), literals(again), way, literal(*object)));
  }

  absl::Status check_round(Siblings siblings) {
    siblings = placed(std::move(siblings));
    const absl::StatusOr<std::string> whole = merged(siblings);
    if (!whole.ok()) return whole.status();
    absl::Status wrong = is_function(siblings, *whole, 2);
    if (wrong.ok()) wrong = check_order(siblings, *whole);
    if (wrong.ok()) wrong = check_idempotence(siblings, *whole);
    if (wrong.ok()) wrong = check_grouping(siblings, *whole);
    return wrong;
  }

  absl::Status check_order(const Siblings& siblings, const std::string& whole) {
    for (std::size_t first = 0; first < siblings.size(); ++first) {
      Siblings rotated = siblings;
      std::ranges::rotate(rotated, rotated.begin() + static_cast<std::ptrdiff_t>(first));
      for (const Siblings& again : {placed(rotated), placed(shuffled(siblings))}) {
        absl::Status wrong = gives("order is nothing", siblings, whole, again);
        if (!wrong.ok()) return wrong;
      }
    }
    return absl::OkStatus();
  }

  absl::Status check_idempotence(const Siblings& siblings, const std::string& whole) {
    const Version once = as_stored(whole, siblings);
    std::vector<Siblings> more{{once, once}};
    for (const Version& sibling : siblings) {
      more.push_back({once, sibling});
      Siblings twice = siblings;
      twice.push_back(sibling);
      more.push_back(std::move(twice));
    }
    for (Siblings& again : more) {
      absl::Status wrong =
          gives("it is idempotent", siblings, whole, placed(shuffled(std::move(again))));
      if (!wrong.ok()) return wrong;
    }
    return absl::OkStatus();
  }

  absl::Status check_grouping(const Siblings& siblings, const std::string& whole) {
    const Siblings order = shuffled(siblings);
    for (std::size_t size = 1; size < siblings.size(); ++size) {
      const auto left = std::span<const Version>(order).first(size);
      const auto right = std::span<const Version>(order).subspan(size);
      const absl::StatusOr<Version> left_one = as_one(left);
      if (!left_one.ok()) return left_one.status();
      const absl::StatusOr<Version> right_one = as_one(right);
      if (!right_one.ok()) return right_one.status();
      absl::Status wrong = gives(
          "grouping is nothing", siblings, whole, placed({*left_one, *right_one}),
          fmt::format(", which is {} merged and {} merged,", literals(left), literals(right)));
      if (!wrong.ok()) return wrong;
    }
    return absl::OkStatus();
  }

  const Reconciler& reconciler_;
  const NextObject next_object_;
  std::mt19937_64 random_;  // its numbers are fixed by the standard
  const std::uint64_t seed_;
  std::string key_;
  std::set<std::string> seen_;  // the first two objects that differ
};

}  // namespace

absl::Status merge_laws_hold(const Reconciler& reconciler, NextObject next_object,
                             std::uint64_t seed) {
  if (core::is_last_write_wins(&reconciler)) return absl::OkStatus();
  return Laws(reconciler, next_object, seed).check();
}

}  // namespace dynamo::testing::detail
