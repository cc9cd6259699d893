#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string_view>
#include <vector>

#include "node/event.h"
#include "node/node_state.h"

namespace dynamo::core {

// What of a node's state decides whether a get with r = 1 may be answered where it is asked, from
// this node's own record, without the machine: a copy that never changes. The host hands it to the
// application's threads, and makes another when the state has moved on.
//
// Thread safety: immutable; any thread.
class LocalView {
 public:
  // Null if no get can be answered so: there is no ring yet, or the node is out of service.
  static std::shared_ptr<const LocalView> of(const NodeState& state);
  // Whether `view`, which may be null, is still what of() would make.
  static bool is_current(const LocalView* view, const NodeState& state);

  // The answer of this node's own record, if it owns the key; what it keeps as a stand-in says
  // nothing. Nullopt if the machine has to be asked: the key is another's, the record is damaged or
  // was lost with a disk, or the store's facts differ.
  std::optional<GetAnswer> get(const RecordReader& own, const StoreFacts& store,
                               std::string_view key, std::int64_t wall_us) const;

 private:
  explicit LocalView(const NodeState& state);
  bool answers_for(const StoreFacts& store, const KeyHash& hash) const;

  const std::shared_ptr<const PartitionMap> ring_;  // shared with the machine
  const std::shared_ptr<const ContextSecrets> secrets_;
  const std::string name_;
  const Identity cluster_;
  const std::uint64_t store_changes_;  // StoreTable::changes() as it was copied
  struct Known {
    StoreFacts facts{};
    std::uint64_t place = 0;    // in the engine: store_place()
    std::uint32_t binding = 0;  // of contexts: bind_store()
  };
  std::vector<Known> stores_;
  std::optional<MemberIndex> self_;
  std::set<int> rebuilding_;
};

}  // namespace dynamo::core
