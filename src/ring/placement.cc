#include "ring/placement.h"

#include <algorithm>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "ring/rendezvous.h"
#include "ring/shares.h"
#include "ring/tuning.h"

// Lists are filled in stages, each a rendezvous (rendezvous.h) whose prices are tuned (tuning.h) so
// that one more prefix is balanced:
//
//   the first three as a set      from all members          balances n = 3
//   the first of the three        from the set              balances n = 1
//   the second of the three       from the rest of the set  balances n = 2
//   the fourth, the fifth, ...    from the members left     balances n = 4, 5, ...
//   stand-ins                     from the members left     as it comes
//
// A set of three first, since three is what most stores replicate to: choosing it in one go with
// one set of prices moves least when members come and go. Putting it in order afterwards moves
// nothing for these stores.
//
// Prices differ little, so the best of all members for a partition is nearly always among the few
// that drew best on it. They are looked at in the order of what they drew; once nobody who follows
// can catch up, whatever his price, the rest need not be looked at.
namespace dynamo::core {
namespace {

constexpr std::size_t set_size = 3;
constexpr std::size_t favourites_max = 64;
constexpr std::size_t block = 64;  // partitions that are sorted together

class Placement {
 public:
  Placement(std::span<const Member* const> members, int partitions, int depth);

  PreferenceLists run() &&;

 private:
  using Prices = std::span<const std::int32_t>;

  // Who has drawn well on a partition.
  struct Favourite {
    std::int32_t score = 0;
    MemberIndex owner = 0;
  };
  // The best so far; without a winner nobody would do.
  struct Choice {
    std::int64_t score = std::numeric_limits<std::int64_t>::min();
    std::optional<MemberIndex> winner{};
  };

  void find_favourites();
  std::int64_t score(std::size_t partition, std::size_t owner, Prices prices) const {
    const std::size_t column = owner * static_cast<std::size_t>(partitions_);
    return std::int64_t{scores_[column + partition]} + prices[owner];
  }
  bool may_take(MemberIndex owner, std::uint32_t round) const {
    return in_zone_[owners_[owner].zone] <= round && chosen_[owner] == 0;
  }
  static void consider(MemberIndex owner, std::int64_t score, Choice& choice);
  Choice best(std::size_t partition, std::uint32_t round, Prices prices) const;
  // One stage: `fill` fills in a list at given prices, of which the first `prefix` are counted.
  template <typename Fill>
  void balance(std::size_t prefix, Fill fill);
  // Fills positions [from, to) with the best of those not in front of `from`.
  void choose(std::size_t partition, std::size_t from, std::size_t to, Prices prices);
  // Puts the best of positions [at, to) at `at`.
  void put_first(std::size_t partition, std::size_t at, std::size_t to, Prices prices);

  const int partitions_;
  const std::size_t depth_;
  std::vector<Owner> owners_;
  std::vector<std::int32_t> scores_;  // of each owner, of each partition, with the weight
  std::size_t favourites_count_;
  std::vector<Favourite> favourites_;  // of each partition, the best first
  std::int64_t price_max_ = 0;
  PreferenceLists lists_;
  // Scratch, all zero between two lists: how often each zone and whether each owner is in the list.
  std::vector<std::uint32_t> in_zone_;
  std::vector<char> chosen_;
};

std::vector<Owner> owners_of(std::span<const Member* const> members) {
  double heaviest = 0;
  for (const Member* member : members) heaviest = std::max(heaviest, member->weight);
  heaviest = std::min(heaviest, std::numeric_limits<double>::max());
  std::map<std::string_view, std::uint32_t> zones;
  std::uint32_t zone_count = 0;
  std::vector<Owner> owners;
  for (const Member* member : members) {
    std::uint32_t zone = zone_count;
    if (!member->zone.empty()) zone = zones.emplace(member->zone, zone_count).first->second;
    if (zone == zone_count) ++zone_count;
    owners.push_back(
        {.weight = std::clamp(member->weight / heaviest, weight_min, 1.0), .zone = zone});
  }
  return owners;
}

Placement::Placement(std::span<const Member* const> members, int partitions, int depth)
    : partitions_(partitions),
      depth_(std::min(static_cast<std::size_t>(depth), members.size())),
      owners_(owners_of(members)),
      scores_(static_cast<std::size_t>(partitions) * members.size()),
      favourites_count_(std::min(favourites_max, members.size())),
      favourites_(static_cast<std::size_t>(partitions) * favourites_count_),
      lists_(partitions,
             std::min(std::max(2 * static_cast<std::size_t>(depth), set_size), members.size())),
      in_zone_(members.size()),
      chosen_(members.size()) {
  for (std::size_t i = 0; i < owners_.size(); ++i) {
    const auto weight = static_cast<std::uint64_t>(owners_[i].weight / weight_min);
    const std::int32_t log = fixed_log2(weight) - 32 * score_unit;
    const std::vector<std::int32_t> drawn = draws(members[i]->name, partitions);
    std::ranges::transform(drawn, scores_.begin() + static_cast<std::ptrdiff_t>(i * drawn.size()),
                           [log](std::int32_t draw) { return draw + log; });
  }
  find_favourites();
}

void Placement::find_favourites() {
  const auto count = static_cast<std::size_t>(partitions_);
  const auto better = [](const Favourite& a, const Favourite& b) {
    return a.score != b.score ? a.score > b.score : a.owner < b.owner;
  };
  std::vector<std::vector<Favourite>> all(std::min(block, count),
                                          std::vector<Favourite>(owners_.size()));
  for (std::size_t first = 0; first < count; first += all.size()) {
    const std::size_t size = std::min(all.size(), count - first);
    for (std::size_t i = 0; i < owners_.size(); ++i) {
      const std::int32_t* scores = &scores_[i * count + first];
      for (std::size_t p = 0; p < size; ++p) all[p][i] = {scores[p], static_cast<MemberIndex>(i)};
    }
    for (std::size_t p = 0; p < size; ++p) {
      const auto middle = all[p].begin() + static_cast<std::ptrdiff_t>(favourites_count_);
      if (middle != all[p].end()) std::nth_element(all[p].begin(), middle, all[p].end(), better);
      std::sort(all[p].begin(), middle, better);
      const std::size_t place = (first + p) * favourites_count_;
      std::copy(all[p].begin(), middle, favourites_.begin() + static_cast<std::ptrdiff_t>(place));
    }
  }
}

void Placement::consider(MemberIndex owner, std::int64_t score, Choice& choice) {
  const bool better = score > choice.score || (score == choice.score && owner < *choice.winner);
  if (better) choice = {score, owner};
}

Placement::Choice Placement::best(std::size_t partition, std::uint32_t round, Prices prices) const {
  Choice choice;
  const auto favourites =
      std::span(favourites_).subspan(partition * favourites_count_, favourites_count_);
  for (const Favourite& favourite : favourites) {
    if (choice.winner && favourite.score + price_max_ < choice.score) return choice;
    if (!may_take(favourite.owner, round)) continue;
    consider(favourite.owner, std::int64_t{favourite.score} + prices[favourite.owner], choice);
  }
  if (favourites_count_ == owners_.size()) return choice;
  for (MemberIndex owner = 0; owner < owners_.size(); ++owner) {
    if (may_take(owner, round)) consider(owner, score(partition, owner, prices), choice);
  }
  return choice;
}

template <typename Fill>
void Placement::balance(std::size_t prefix, Fill fill) {
  const std::vector<std::int64_t> shares =
      fair_shares(owners_, partitions_, static_cast<int>(prefix));
  tune(shares, partitions_, [&](Prices prices, std::span<std::int32_t> loads) {
    price_max_ = *std::ranges::max_element(prices);
    for (std::size_t p = 0; p < static_cast<std::size_t>(partitions_); ++p) {
      fill(p, prices);
      for (const MemberIndex owner : lists_[p].first(prefix)) ++loads[owner];
    }
  });
}

void Placement::choose(std::size_t partition, std::size_t from, std::size_t to, Prices prices) {
  const std::span<MemberIndex> list = lists_[partition];
  const auto take = [&](MemberIndex owner) {
    chosen_[owner] = 1;
    ++in_zone_[owners_[owner].zone];
  };
  std::for_each_n(list.begin(), from, take);
  // Zones in rounds: a zone comes a second time once no other is left for the first.
  std::uint32_t round = 0;
  for (std::size_t position = from; position < to;) {
    const std::optional<MemberIndex> winner = best(partition, round, prices).winner;
    if (!winner) {
      ++round;
      continue;
    }
    list[position++] = *winner;
    take(*winner);
  }
  for (const MemberIndex owner : list.first(to)) {
    chosen_[owner] = 0;
    in_zone_[owners_[owner].zone] = 0;
  }
}

void Placement::put_first(std::size_t partition, std::size_t at, std::size_t to, Prices prices) {
  const std::span<MemberIndex> list = lists_[partition];
  for (const MemberIndex owner : list.first(at)) ++in_zone_[owners_[owner].zone];
  const auto better = [&](MemberIndex a, MemberIndex b) {
    const std::uint32_t zone_a = in_zone_[owners_[a].zone];
    const std::uint32_t zone_b = in_zone_[owners_[b].zone];
    if (zone_a != zone_b) return zone_a < zone_b;
    const std::int64_t score_a = score(partition, a, prices);
    const std::int64_t score_b = score(partition, b, prices);
    // By index last, since the list is still in the order of the prices before.
    return score_a != score_b ? score_a > score_b : a < b;
  };
  const std::span<MemberIndex> rest = list.subspan(at, to - at);
  std::iter_swap(rest.begin(), std::min_element(rest.begin(), rest.end(), better));
  for (const MemberIndex owner : list.first(to)) in_zone_[owners_[owner].zone] = 0;
}

PreferenceLists Placement::run() && {
  const std::size_t set = std::min(set_size, owners_.size());
  balance(set, [&](std::size_t p, Prices prices) { choose(p, 0, set, prices); });
  for (std::size_t at = 0; at + 1 < set; ++at) {
    balance(at + 1, [&](std::size_t p, Prices prices) { put_first(p, at, set, prices); });
  }
  for (std::size_t at = set; at < depth_; ++at) {
    balance(at + 1, [&](std::size_t p, Prices prices) { choose(p, at, at + 1, prices); });
  }
  const std::vector<std::int32_t> none(owners_.size());
  price_max_ = 0;
  for (std::size_t p = 0; p < static_cast<std::size_t>(partitions_); ++p) {
    choose(p, std::max(set, depth_), lists_.length(), none);
  }
  return std::move(lists_);
}

PreferenceLists placed(std::span<const Member* const> members, int partitions, int depth) {
  std::vector<const Member*> owners;
  std::vector<MemberIndex> index;  // of an owner among all members
  for (std::size_t i = 0; i < members.size(); ++i) {
    if (!owns(*members[i])) continue;
    owners.push_back(members[i]);
    index.push_back(static_cast<MemberIndex>(i));
  }
  if (owners.empty()) return PreferenceLists(partitions, 0);
  PreferenceLists lists = Placement(owners, partitions, depth).run();
  for (std::size_t p = 0; p < static_cast<std::size_t>(partitions); ++p) {
    for (MemberIndex& owner : lists[p]) owner = index[owner];
  }
  return lists;
}

}  // namespace

bool is_present(const Member& member) {
  return member.state != MemberState::left && member.state != MemberState::removed;
}

bool owns(const Member& member) {
  return member.weight > 0 &&
         (member.state == MemberState::joining || member.state == MemberState::up);
}

PreferenceLists place(std::span<const Member> members, int partitions, int depth) {
  std::vector<const Member*> by_name;
  for (const Member& member : members) by_name.push_back(&member);
  std::sort(by_name.begin(), by_name.end(),
            [](const Member* a, const Member* b) { return a->name < b->name; });
  return placed(by_name, partitions, depth);
}

bool placed_alike(std::span<const Member> a, std::span<const Member> b) {
  return std::ranges::equal(a, b, [](const Member& one, const Member& other) {
    const auto weight = [](const Member& member) { return owns(member) ? member.weight : 0; };
    return one.name == other.name && one.zone == other.zone && weight(one) == weight(other);
  });
}

}  // namespace dynamo::core
