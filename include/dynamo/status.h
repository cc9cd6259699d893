#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace dynamo {

// Where a member is in its life. It belongs to the cluster from `joining` to `leaving`; `left` and
// `removed` are for good. Whether it can be reached right now is another question, and each node's
// own knowledge (paper, 4.8).
enum class MemberState { joining, up, leaving, left, removed };

// A member, as this node sees it.
struct MemberStatus {
  std::string name{};
  std::string address{};
  std::string zone{};
  double weight = 1;
  MemberState state = MemberState::up;
  bool reachable = true;                   // has answered lately; a node never doubts itself
  double owned = 0;                        // its share of all copies of all partitions, 0 to 1
  std::uint64_t hints_owed = 0;            // hints that this node keeps for it
  std::chrono::milliseconds round_trip{};  // smoothed; 0 for this node and where nothing is known
};

// The cluster, as this node sees it. Cheap to ask for, ten times a second if need be.
//
// Thread safety: a value.
// A partition that this node gets, with what it needs before the new owners can serve alone.
struct TransferStatus {
  int partition = 0;
  std::vector<std::string> from{};  // its owners until then, by name
  std::vector<std::string> to{};    // its owners from then on
  bool ready = false;               // this node has all of it; others may not yet
  int attempts = 0;                 // comparisons with all other owners that were begun
  std::uint64_t bytes = 0;          // of records that came for it
  std::chrono::milliseconds age{};  // since this node heard of the move
  std::string trouble{};            // why the last attempt was not complete; empty: it was, or runs
};

// What Node::status() says: the cluster as this node sees it.
struct ClusterStatus {
  std::string cluster{};                // the label
  std::uint64_t view = 0;               // its number; 0 before the first
  std::vector<MemberStatus> members{};  // by name
  int moves = 0;                        // partitions on their way
  // Those of them that this node gets, by partition.
  std::vector<TransferStatus> transfers{};
  // Writes that this node keeps for owners that could not be reached (hinted handoff): keys, bytes,
  // and the age of the oldest.
  std::uint64_t hints = 0;
  std::uint64_t hint_bytes = 0;
  std::chrono::milliseconds oldest_hint{};
  // How long ago the last round began after which every owner of a partition held all that any of
  // them had held; of the partitions that this node owns, the one for which that is longest ago. A
  // node that has just started knows of no round yet and shows how long it has been up.
  std::chrono::milliseconds repair_horizon{};
  // Records of this node whose checksum does not match. They are not returned to anybody, and are
  // brought back from their other owners in the background.
  std::uint64_t damaged_records = 0;
  // Sentences: what is waited for, what falls short. Empty if all is well.
  std::vector<std::string> notes{};
};

// Who owns what, as this node sees it.
//
// Thread safety: a value.
struct RingView {
  int partitions = 0;
  // owners[partition]: names in preference order, longest first choice first. As many as the
  // largest n in use, fewer if the cluster has fewer members that own anything.
  std::vector<std::vector<std::string>> owners;
};

}  // namespace dynamo
