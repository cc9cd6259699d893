#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include <dynamo/membership.h>

// Why shared zones move more, whatever the method. Of eight members in four zones, each pair holds
// one copy of 3/4 of the partitions, and with a ninth the three in its zone must hold one of all. A
// pure function cannot have known the ninth when it chose the 3/4, so of the other 1/4 some go to
// the older two, who lose as many elsewhere. If each member may own what it drew well on, half of
// all partitions, then on 1/8 all three drew badly: at least 1.25 times the newcomer's share moves,
// and no other choice of pairs is known to do better. Here it is 1.3.
namespace dynamo::core {

// A member by its place in a list of members sorted by name.
using MemberIndex = std::uint32_t;

// For each partition an ordered list of distinct members. All lists have the same length.
//
// Thread safety: a value.
class PreferenceLists {
 public:
  PreferenceLists() = default;
  PreferenceLists(int partitions, std::size_t length)
      : length_(length), members_(static_cast<std::size_t>(partitions) * length) {}

  std::size_t length() const { return length_; }
  std::span<MemberIndex> operator[](std::size_t partition) {
    return std::span(members_).subspan(partition * length_, length_);
  }
  std::span<const MemberIndex> operator[](std::size_t partition) const {
    return std::span(members_).subspan(partition * length_, length_);
  }

 private:
  std::size_t length_ = 0;
  std::vector<MemberIndex> members_;
};

// True for members that have neither left nor been removed.
bool is_present(const Member& member);

// True for members that placement gives partitions: those that are joining or up, of a weight
// above 0. A member that is leaving hands its partitions to them.
bool owns(const Member& member);

// Who should own what: for each partition the preference list of the paper (4.3, 4.6), 2 x `depth`
// members long or all that own. A store with n replicas takes the first n; those after them stand
// in, in order.
//
// A pure function of the members that own, their names, weights and zones:
// * Their order does not matter. The result is the same on every machine and compiler.
// * The members of any prefix are in distinct zones as long as zones suffice, and spread over them
//   as evenly as possible beyond. Members with an empty zone have each a zone of their own.
// * The first n of all lists, for each n up to `depth`, give each member its share by weight,
//   within 5 % up to 15 members at 1,024 partitions and 10 % up to 30 (tuning.h), as far as weights
//   and zones allow (shares.h). Stand-ins are as chance has them.
// * A member that comes or goes moves little beyond its own share, weighed at n = 3: at most 1.15
//   times that up to 15 members at 1,024 partitions and 1.3 times up to 30, where each has a zone
//   to itself. Members that share a zone displace each other: up to 1.4 times, most where few zones
//   hold nearly all that they may.
// * The first n are the same for every `depth` of at least n.
//
// REQUIRES: unique names.
//
// Thread safety: pure.
PreferenceLists place(std::span<const Member> members, int partitions, int depth);

// Whether these members, in this order, are placed alike, whatever else differs.
bool placed_alike(std::span<const Member> a, std::span<const Member> b);

}  // namespace dynamo::core
