#include "ring/shares.h"

#include <algorithm>

namespace dynamo::core {
namespace {

// All arithmetic that decides is on integers: a sum of products in floating point would be allowed
// to round differently from one compiler to the next (fused multiply-add).
struct Zone {
  std::vector<std::size_t> owners;
  std::int64_t least = 0;  // what the rule of zones gives it, whatever it weighs
  std::int64_t most = 0;
};

std::int64_t share_at(double weight, double price, std::int64_t whole) {
  const double share = weight * price;
  return share >= static_cast<double>(whole) ? whole : static_cast<std::int64_t>(share);
}

// The smallest price (share per weight), nearly, at which `sum` reaches `total`. `sum` must not
// fall as the price rises.
template <typename Sum>
double price_for(std::int64_t total, Sum sum) {
  double high = 1;
  while (sum(high) < total && high < 0x1p200) high *= 2;
  double low = 0;
  for (int step = 0; step < 64; ++step) {
    const double middle = (low + high) * 0.5;
    (sum(middle) < total ? low : high) = middle;
  }
  return high;
}

// Deals the copies of one partition, a round of one per zone after the other: what a zone gets in
// full rounds is the least of its share, the last round it takes part in may be shared.
void bound_zones(std::vector<Zone>& zones, std::int64_t whole, std::int64_t copies) {
  for (std::size_t round = 1; copies > 0; ++round) {
    std::vector<Zone*> dealt;
    for (Zone& zone : zones) {
      if (zone.owners.size() >= round) dealt.push_back(&zone);
    }
    if (dealt.empty()) return;
    const bool full = static_cast<std::int64_t>(dealt.size()) <= copies;
    for (Zone* zone : dealt) {
      zone->most += whole;
      if (full) zone->least += whole;
    }
    copies -= static_cast<std::int64_t>(dealt.size());
  }
}

}  // namespace

std::vector<std::int64_t> fair_shares(std::span<const Owner> owners, int partitions, int copies) {
  std::vector<Zone> zones;
  for (std::size_t i = 0; i < owners.size(); ++i) {
    if (owners[i].zone >= zones.size()) zones.resize(owners[i].zone + std::size_t{1});
    zones[owners[i].zone].owners.push_back(i);
  }
  const std::int64_t whole = partitions * share_unit;
  copies = std::min(copies, static_cast<int>(owners.size()));
  bound_zones(zones, whole, copies);

  const auto in_zone = [&](const Zone& zone, double price) {
    std::int64_t sum = 0;
    for (const std::size_t i : zone.owners) sum += share_at(owners[i].weight, price, whole);
    return sum;
  };
  const auto bounded = [&](const Zone& zone, double price) {
    return std::clamp(in_zone(zone, price), zone.least, zone.most);
  };
  const double price = price_for(whole * copies, [&](double at) {
    std::int64_t sum = 0;
    for (const Zone& zone : zones) sum += bounded(zone, at);
    return sum;
  });
  std::vector<std::int64_t> shares(owners.size());
  for (const Zone& zone : zones) {
    const std::int64_t total = bounded(zone, price);
    const double own_price = price_for(total, [&](double at) { return in_zone(zone, at); });
    for (const std::size_t i : zone.owners) {
      shares[i] = share_at(owners[i].weight, own_price, whole);
    }
  }
  return shares;
}

}  // namespace dynamo::core
