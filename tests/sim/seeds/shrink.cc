#include "shrink.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace seeds {

namespace {

constexpr int tries_max = 60;

class Shrinker {
 public:
  Shrinker(std::uint64_t seed, Shrunk start, absl::FunctionRef<void(const std::string&)> told)
      : seed_(seed), best_(std::move(start)), told_(told) {}

  Shrunk run() {
    bool better = true;
    while (better && best_.tries < tries_max) {
      better = fewer_minutes();
      better = fewer_faults() || better;
      better = smaller(&Overrides::clients, options().clients) || better;
      better = smaller(&Overrides::keys, options().keys) || better;
      better = smaller(&Overrides::nodes, options().nodes, 3) || better;
    }
    return std::move(best_);
  }

 private:
  SeedOptions options() const { return derive_options(seed_, best_.overrides); }

  bool attempt(const Overrides& overrides) {
    if (best_.tries >= tries_max) return false;
    ++best_.tries;
    SeedResult result = run_seed(derive_options(seed_, overrides));
    if (!result.failure || result.failure->checker != best_.result.failure->checker) return false;
    best_.overrides = overrides;
    best_.result = std::move(result);
    told_(fmt::format("  smaller, and {} still fires:{}", best_.result.failure->checker,
                      overrides.arguments()));
    return true;
  }

  bool fewer_minutes() {
    const auto minutes = std::chrono::duration_cast<std::chrono::minutes>(options().duration);
    bool better = false;
    for (int left : {1, 2, 4}) {
      if (left >= minutes.count()) break;
      Overrides fewer = best_.overrides;
      fewer.minutes = left;
      better = attempt(fewer);
      if (better) break;
    }
    return better;
  }

  bool fewer_faults() {
    bool better = false;
    for (std::size_t i = 0; i < fault_classes; ++i) {
      Overrides fewer = best_.overrides;
      if (std::exchange(fewer.without[i], true)) continue;
      if (is_off(static_cast<FaultClass>(i))) continue;
      better = attempt(fewer) || better;
    }
    return better;
  }

  bool is_off(FaultClass fault) const {
    const SeedOptions now = options();
    switch (fault) {
      case FaultClass::loss:
        return now.network.loss == 0;
      case FaultClass::duplication:
        return now.network.duplication == 0;
      case FaultClass::reordering:
        return now.network.reordering == 0;
      case FaultClass::replay:
        return now.network.replay == 0;
      case FaultClass::delay:
        return now.network.latency_mean == now.network.latency_min;
      case FaultClass::write_error:
        return now.disk.write_error == 0;
      default:
        return !now.has(fault);
    }
  }

  bool smaller(std::optional<int> Overrides::*field, int now, int least = 1) {
    for (const int value : {least, now / 2}) {
      if (value >= now || value < least) continue;
      Overrides fewer = best_.overrides;
      fewer.*field = value;
      if (attempt(fewer)) return true;
    }
    return false;
  }

  const std::uint64_t seed_;
  Shrunk best_;
  absl::FunctionRef<void(const std::string&)> told_;
};

}  // namespace

Shrunk shrink(std::uint64_t seed, const Overrides& overrides, const SeedResult& failed,
              absl::FunctionRef<void(const std::string&)> told) {
  return Shrinker(seed, {.overrides = overrides, .result = failed}, told).run();
}

std::string trace_of(std::uint64_t seed, const Overrides& overrides) {
  const SeedOptions options = derive_options(seed, overrides);
  const SeedResult first = run_seed(options);
  const int about = first.failure ? first.failure->key : -1;
  std::string trace;
  run_seed(options, [&](std::chrono::nanoseconds at, int key, const std::string& text) {
    if (key >= 0 && about >= 0 && key != about) return;
    trace += fmt::format("{:12.6f}  {}\n", static_cast<double>(at.count()) / 1e9, text);
  });
  return trace;
}

std::string replay_command(std::uint64_t seed, const Overrides& overrides) {
  return fmt::format("./dev sim --seed {}{} --trace", seed, overrides.arguments());
}

}  // namespace seeds
