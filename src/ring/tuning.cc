#include "ring/tuning.h"

#include <algorithm>
#include <cmath>
#include <compare>
#include <optional>
#include <vector>

#include "ring/rendezvous.h"
#include "ring/shares.h"

namespace dynamo::core {
namespace {

constexpr int settling_rounds = 60;
constexpr int correcting_rounds = 240;
constexpr std::int64_t rate_max = 39322;              // 0.6 of 2^16
constexpr std::int32_t price_max = 200 * score_unit;  // beyond any difference of scores

struct Band {
  std::int32_t low = 0;
  std::int32_t high = 0;
};

// How far a load may be from its share, as fractions of it in units of 1 / 2^16.
struct Tolerance {
  std::int64_t below = 0;
  std::int64_t above = 0;
};

Tolerance tolerance(int partitions, std::size_t owners) {
  const double each = static_cast<double>(partitions) / static_cast<double>(owners);
  const double wide = std::min(3.3 / each, 0.56 / std::sqrt(each));
  const double below = std::max(0.049, wide);
  const double chance = static_cast<double>(fixed_log2(owners)) / score_unit / each;
  const double above = std::min(below, 0.15 * std::sqrt(chance));
  return {.below = static_cast<std::int64_t>(below * 65536),
          .above = static_cast<std::int64_t>(above * 65536)};
}

std::vector<Band> bands(std::span<const std::int64_t> shares, int partitions) {
  const Tolerance fraction = tolerance(partitions, shares.size());
  const auto floor = [](std::int64_t share) {
    return static_cast<std::int32_t>(share / share_unit);
  };
  const auto ceiling = [&](std::int64_t share) { return floor(share + share_unit - 1); };
  std::vector<Band> bands;
  for (const std::int64_t share : shares) {
    const std::int64_t below = share * fraction.below / 65536;
    const std::int64_t above = share * fraction.above / 65536;
    // Whole partitions: never so narrow that the share itself, rounded, is outside.
    bands.push_back({.low = std::min(floor(share), ceiling(share - below)),
                     .high = std::max(ceiling(share), floor(share + above))});
  }
  return bands;
}

std::int32_t outside(Band band, std::int32_t load) {
  return std::max({0, band.low - load, load - band.high});
}

// Where the search stands. Less is better: first loads outside of their bands, then loads that a
// price keeps further inside than it need.
struct Miss {
  std::int64_t outside = 0;
  std::int64_t overdone = 0;
  friend auto operator<=>(const Miss&, const Miss&) = default;
};

Miss miss(std::span<const Band> bands, std::span<const std::int32_t> prices,
          std::span<const std::int32_t> loads) {
  Miss sum;
  for (std::size_t i = 0; i < bands.size(); ++i) {
    sum.outside += outside(bands[i], loads[i]);
    if (prices[i] > 0) sum.overdone += std::max(0, loads[i] - bands[i].low);
    if (prices[i] < 0) sum.overdone += std::max(0, bands[i].high - loads[i]);
  }
  return sum;
}

// The price change that takes a load from one value to another, if the odds of being chosen go with
// the exponential of the price, which they nearly do. `rate`: of 2^16.
std::int32_t step(std::int32_t from, std::int32_t to, std::int32_t partitions, std::int64_t rate) {
  const auto log_odds = [&](std::int32_t load) {
    const auto log = [](std::int32_t count) {
      return std::int64_t{fixed_log2(static_cast<std::uint64_t>(2 * count + 1))};
    };
    return log(load) - log(partitions - load);
  };
  return static_cast<std::int32_t>((log_odds(to) - log_odds(from)) * rate / 65536);
}

std::int32_t next_price(std::int32_t price, std::int32_t load, Band band, std::int32_t partitions,
                        std::int64_t rate) {
  if (load < band.low) {
    price += step(load, band.low, partitions, rate);
  } else if (load > band.high) {
    price += step(load, band.high, partitions, rate);
  } else if (price > 0) {
    price = std::max(0, price + step(load, band.low, partitions, rate));
  } else if (price < 0) {
    price = std::min(0, price + step(load, band.high, partitions, rate));
  }
  return std::clamp(price, -price_max, price_max);
}

// The search: prices, what they led to, and the best of all that were tried.
class Search {
 public:
  Search(std::span<const std::int64_t> shares, int partitions, Assign assign)
      : partitions_(partitions),
        bands_(bands(shares, partitions)),
        assign_(assign),
        prices_(shares.size()),
        loads_(shares.size()) {}

  void run() {
    if (settle() || correct()) return;
    prices_ = best_prices_;
    try_prices();
  }

 private:
  Miss try_prices() {
    std::fill(loads_.begin(), loads_.end(), 0);
    assign_(prices_, loads_);
    const Miss now = miss(bands_, prices_, loads_);
    if (!best_ || now < *best_) {
      best_ = now;
      best_prices_ = prices_;
    }
    return now;
  }

  // All prices at a time, each as if it were the only one to change; so the steps have to shrink
  // until they no longer overshoot. True if the prices cannot be better.
  bool settle() {
    for (int round = 0; round < settling_rounds; ++round) {
      if (try_prices() == Miss{}) return true;
      const std::int64_t rate = round < 10 ? rate_max : 10 * rate_max / round;
      for (std::size_t i = 0; i < prices_.size(); ++i) change(i, rate);
    }
    return false;
  }

  // What is left are mostly two loads one off, changing places for ever. One price at a time ends
  // that: the worst. True if all loads are inside of their bands.
  bool correct() {
    if (best_->outside == 0) return false;
    prices_ = best_prices_;
    for (int round = 0; round < correcting_rounds; ++round) {
      if (try_prices().outside == 0) return true;
      std::size_t worst = 0;
      for (std::size_t i = 1; i < prices_.size(); ++i) {
        if (outside(bands_[i], loads_[i]) > outside(bands_[worst], loads_[worst])) worst = i;
      }
      change(worst, rate_max);
    }
    return false;
  }

  void change(std::size_t owner, std::int64_t rate) {
    prices_[owner] = next_price(prices_[owner], loads_[owner], bands_[owner], partitions_, rate);
  }

  const std::int32_t partitions_;
  const std::vector<Band> bands_;
  const Assign assign_;
  std::vector<std::int32_t> prices_;
  std::vector<std::int32_t> loads_;
  std::vector<std::int32_t> best_prices_;
  std::optional<Miss> best_;
};

}  // namespace

void tune(std::span<const std::int64_t> shares, int partitions, Assign assign) {
  Search(shares, partitions, assign).run();
}

}  // namespace dynamo::core
