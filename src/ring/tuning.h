#pragma once

#include <cstdint>
#include <span>

#include <absl/functional/function_ref.h>

// How placement gets from chance to balance. Rendezvous hashing alone gives members loads as uneven
// as chance is: 10 % and more off at a thousand partitions. Each member therefore has a price,
// added to its scores in all partitions alike; a higher price wins it more of them. Prices are
// raised and lowered until all loads are within a tolerance of their shares.
//
// Balance and movement pull in opposite directions: prices depend on all members, so they change
// when one comes or goes, and what changes with them moves without need. Hence
// * a price is 0 unless its member's load would be outside of the tolerance, and then just large
//   enough to bring it to the edge; a price that is no longer needed goes back to 0. These are the
//   prices of an auction, and the outcome is the same wherever the search starts;
// * the tolerance below a share is as wide as the promises allow: 5 % while there are 68 partitions
//   a member or more (15 members at 1,024), growing to 10 % at 34, further below. Above a share it
//   is narrower, for the busiest member decides what a cluster can carry: what chance would make of
//   the paper's strategy 3 on average, which grows with the root of the logarithm of the members,
//   and shrinks with that of the partitions a member. Narrower below, too, a join would move more.
namespace dynamo::core {

// Fills in how many partitions each owner gets at these prices.
using Assign =
    absl::FunctionRef<void(std::span<const std::int32_t> prices, std::span<std::int32_t> loads)>;

// Searches for prices at which `assign` gives each owner its share (see fair_shares) within the
// tolerance, or as nearly as a bounded search finds. The last call of `assign` is the one that
// counts. Deterministic.
//
// Thread safety: reentrant.
void tune(std::span<const std::int64_t> shares, int partitions, Assign assign);

}  // namespace dynamo::core
