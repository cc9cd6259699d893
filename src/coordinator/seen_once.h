#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <string>

namespace dynamo::core {

// Tells a request that arrives for the first time from one that a transport brings once more. Of
// each peer the last numbers are kept; what is older than all of them counts as seen, for it has
// been overtaken by so many that whoever asked has given it up.
//
// REQUIRES: a peer numbers its requests upwards for as long as it lives; but it may have several
// series of numbers, which say by their rest to which they belong, and of which one may be far
// ahead of another.
//
// Thread safety: one thread at a time.
class SeenOnce {
 public:
  explicit SeenOnce(std::uint64_t series_max = 1) : series_max_(series_max) {}

  // `life` differs after each start of the peer, which begins its numbers anew.
  bool first_time(const std::string& peer, std::uint64_t life, std::uint64_t number) {
    Peer& known = peers_[peer];
    if (known.life != life) known = {.life = life};
    std::set<std::uint64_t>& numbers = known.numbers[number % series_max_];
    const bool is_full = numbers.size() == numbers_max;
    if (is_full && number < *numbers.begin()) return false;
    if (!numbers.insert(number).second) return false;
    if (is_full) numbers.erase(numbers.begin());
    return true;
  }

 private:
  static constexpr std::size_t numbers_max = 256;

  struct Peer {
    std::uint64_t life = 0;
    std::map<std::uint64_t, std::set<std::uint64_t>> numbers{};  // by series
  };
  const std::uint64_t series_max_;
  std::map<std::string, Peer> peers_;
};

}  // namespace dynamo::core
