#include "membership/seed_table.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace dynamo::membership {

SeedTable::SeedTable(const std::vector<std::string>& seeds, bool looked_up,
                     std::string self_address)
    : self_address_(std::move(self_address)) {
  for (const std::string& seed : seeds) {
    const bool repeated = std::ranges::find(places_, seed, &Place::seed) != places_.end();
    if (!repeated) places_.push_back({.seed = seed, .address = looked_up ? "" : seed});
  }
}

bool SeedTable::is_self(const Place& place) const {
  return place.seed == self_address_ || place.address == self_address_ ||
         std::ranges::find(selves_, place.address) != selves_.end();
}

std::optional<std::uint64_t> SeedTable::tag_of_silent(const std::string& address,
                                                      core::TimePoint now) const {
  const auto place = std::ranges::find(places_, address, &Place::address);
  if (place == places_.end() || is_fresh(*place, now)) return std::nullopt;
  return tag(static_cast<std::size_t>(place - places_.begin()));
}

void SeedTable::found(const std::string& seed, const std::vector<std::string>& addresses) {
  std::vector<std::string> sorted = addresses;
  std::ranges::sort(sorted);
  sorted.erase(std::unique(sorted.begin(), sorted.end()), sorted.end());
  if (sorted.empty()) return;  // what was known before may still be right
  std::vector<std::string> known;
  for (const Place& place : places_) {
    if (place.seed == seed) known.push_back(place.address);
  }
  if (known.empty() || known == sorted) return;
  const auto at = std::ranges::find(places_, seed, &Place::seed) - places_.begin();
  std::erase_if(places_, [&](const Place& place) { return place.seed == seed; });
  std::vector<Place> places;
  for (std::string& address : sorted) {
    const bool elsewhere = std::ranges::find(places_, address, &Place::address) != places_.end();
    if (!elsewhere) places.push_back({.seed = seed, .address = std::move(address)});
  }
  places_.insert(places_.begin() + at, places.begin(), places.end());
  ++revision_;
}

void SeedTable::greeted(core::TimePoint now, const Head& head, const Greeting& greeting,
                        const Identity& self, std::string trouble) {
  const std::size_t index = greeting.tag & 0xffff;
  if (greeting.tag >> 16U != revision_ || index >= places_.size()) return;
  Place& place = places_[index];
  if (head.sender == self) {
    if (!is_self(place)) selves_.push_back(place.address);
    return;
  }
  place.answered = greeting.self;
  place.cluster = head.cluster;
  place.at = now;
  place.trouble = std::move(trouble);
}

const SeedTable::Place* SeedTable::in_cluster(core::TimePoint now, std::uint64_t random) const {
  std::vector<const Place*> found;
  for (const Place& place : places_) {
    const bool usable = is_fresh(place, now) && place.trouble.empty();
    if (usable && !place.cluster.is_zero()) found.push_back(&place);
  }
  return found.empty() ? nullptr : found[random % found.size()];
}

std::vector<std::size_t> SeedTable::unfounded(core::TimePoint now) const {
  std::vector<std::size_t> found;
  for (std::size_t i = 0; i < places_.size(); ++i) {
    const Place& place = places_[i];
    const bool usable = is_fresh(place, now) && place.trouble.empty() && place.cluster.is_zero();
    if (usable || is_self(place)) found.push_back(i);
  }
  return found;
}

bool SeedTable::has_self() const {
  return std::ranges::any_of(places_, [this](const Place& place) { return is_self(place); });
}

std::string SeedTable::describe(core::TimePoint now) const {
  std::string text;
  for (const Place& place : places_) {
    if (is_self(place)) continue;
    if (!text.empty()) text += "; ";
    text +=
        place.address.empty() ? fmt::format("{} (no address known)", place.seed) : place.address;
    if (!is_fresh(place, now)) {
      text += " has not answered";
    } else if (!place.trouble.empty()) {
      text += " " + place.trouble;
    } else if (place.cluster.is_zero()) {
      text += " knows of no cluster";
    } else {
      text += " is in a cluster";
    }
  }
  return text.empty() ? "none but this node" : text;
}

}  // namespace dynamo::membership
