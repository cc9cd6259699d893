#pragma once

#include <string>
#include <vector>

namespace dynamo {

// Where a member is in its life. It belongs to the cluster from `joining` to `leaving`; `left` and
// `removed` are for good. Whether it can be reached right now is another question, and each node's
// own knowledge (paper, 4.8).
enum class MemberState { joining, up, leaving, left, removed };

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
