#pragma once

#include <span>
#include <vector>

#include <dynamo/membership.h>

#include "ring/placement.h"

namespace dynamo::core {

// Moves are planned for stores of up to so many replicas. A larger one has its first so many owners
// moved; the others find out by anti-entropy what they miss.
inline constexpr int moves_depth = 8;

// The moves of the view that follows `before` when its members become `members`: whoever serves a
// partition goes on to, and hands it to whom placement gives it now. Partitions of which every
// prefix of the preference list has the same members stay where they are.
//
// Changes that overlap compose: a partition that is moving already goes on from where it was, to
// where it should be now; if that is where it was, its move is over without having happened (those
// it was going to give up what they got). Members that are no longer present are on neither side,
// and the places that they had on the old one stay empty: the next in line has nothing of what they
// had, so it gets it by a move. Where nobody who served is left there is nothing to wait for, and
// no move.
//
// A move whose sides stay the same is the same move; any other begins with the view after `before`.
//
// The result is sorted by partition. Both sides of a move have at most 2 x moves_depth names, in
// the order of preference.
//
// REQUIRES: `partitions` as of all views of this cluster.
//
// Thread safety: pure.
std::vector<Move> plan_moves(const View& before, std::span<const Member> members, int partitions);

}  // namespace dynamo::core
