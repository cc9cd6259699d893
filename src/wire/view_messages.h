#pragma once

#include <cstdint>

#include <dynamo/membership.h>

// How nodes keep up with views of the cluster, and how moves of partitions end. Which view a node
// is in, every packet says in its header.
namespace dynamo::core {

bool same_view(const View& a, const View& b);

// "This is the view that I am in": in front of what is said to whom may not know it.
struct ViewNews {
  View view{};
  friend bool operator==(const ViewNews& a, const ViewNews& b) { return same_view(a.view, b.view); }
};

// To the first of a move's new side: "I own this partition after its move, and have on my disk all
// that the others have who own it now".
struct MoveReady {
  std::uint32_t partition = 0;
  std::uint64_t mark = 0;  // PartitionMap::move_mark() of the move that is meant
  friend bool operator==(const MoveReady&, const MoveReady&) = default;
};

}  // namespace dynamo::core
