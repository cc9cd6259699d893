#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <dynamo/membership.h>

#include "base/time.h"
#include "membership/gossip_messages.h"

namespace dynamo::membership {

// The seeds of a node: where they are, and who has answered there.
//
// Each address of a seed is a place, and a seed of which none is known is one, too: they are what a
// majority is counted of at the founding of a cluster.
//
// Thread safety: one thread at a time.
class SeedTable {
 public:
  static constexpr core::TimePoint fresh = std::chrono::seconds(3);

  struct Place {
    std::string seed{};
    std::string address{};             // empty: not known
    std::optional<Member> answered{};  // who did last
    Identity cluster{};                // of that one; zero: it knows of none
    core::TimePoint at{};              // when it answered
    std::string trouble{};             // why it is none of ours
  };

  // `self_address`: what this node is dialled at.
  SeedTable(const std::vector<std::string>& seeds, bool looked_up, std::string self_address);

  bool empty() const { return places_.empty(); }
  const std::vector<Place>& places() const { return places_; }
  bool is_self(const Place& place) const;
  // What a Hello to that place is tagged with.
  std::uint64_t tag(std::size_t place) const { return revision_ << 16U | place; }

  // The tag for the place with that address, if nobody has answered there lately.
  std::optional<std::uint64_t> tag_of_silent(const std::string& address, core::TimePoint now) const;

  void found(const std::string& seed, const std::vector<std::string>& addresses);
  // A greeting came. `trouble`: why its sender is none of ours; empty: it is.
  void greeted(core::TimePoint now, const Head& head, const Greeting& greeting,
               const Identity& self, std::string trouble);

  // A place whose node is in a cluster, and that said so lately; a different one each time.
  const Place* in_cluster(core::TimePoint now, std::uint64_t random) const;
  // Those that know of no cluster and said so lately, this node among them if it is a seed.
  std::vector<std::size_t> unfounded(core::TimePoint now) const;
  std::size_t majority() const { return places_.size() / 2 + 1; }
  bool has_self() const;
  // What is known of them, in words.
  std::string describe(core::TimePoint now) const;

 private:
  bool is_fresh(const Place& place, core::TimePoint now) const {
    return place.answered && now - place.at <= fresh;
  }

  std::string self_address_;
  std::vector<Place> places_;
  std::uint64_t revision_ = 1;       // of places_
  std::vector<std::string> selves_;  // addresses at which this node has answered itself
};

}  // namespace dynamo::membership
