#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "wire/message.h"

namespace dynamo::core {

// What this node knows of each store: its n and kind, which are the same on all nodes, fixed at
// first use.
//
// Facts that have only been opened are a proposal; those under which something was written are
// established. Where two nodes differ, established beats proposed, and between equals the smaller
// (n, kind) wins: two nodes that open a store for the first time at the same moment settle it
// without asking anyone, and the other handle fails by name.
//
// Thread safety: one thread at a time.
class StoreTable {
 public:
  struct Entry {
    StoreFacts facts{};
    bool established = false;
  };

  // What became of a claim. `changed`: the entry is to be stored.
  struct Verdict {
    absl::Status status{};
    bool changed = false;
  };

  // This node opens the store.
  Verdict open(const StoreFacts& facts);
  // A peer uses the store in a request or says what it has.
  Verdict claimed(const StoreFacts& facts, bool established);
  // Something is written under these facts, which are those of the table. Returns whether the entry
  // changed.
  bool establish(std::string_view name);

  // OK if the table agrees; FAILED_PRECONDITION with both facts otherwise.
  absl::Status check(const StoreFacts& facts) const;
  const Entry* find(std::string_view name) const;
  const std::map<std::string, Entry, std::less<>>& entries() const { return entries_; }

  // Rises with every change of an entry's facts, and of what entries there are.
  std::uint64_t changes() const { return changes_; }

  // From the engine, at start.
  void restore(Entry entry);

 private:
  std::map<std::string, Entry, std::less<>> entries_;
  std::uint64_t changes_ = 0;
};

std::string encode_store(const StoreTable::Entry& entry);
absl::StatusOr<StoreTable::Entry> decode_store(std::string_view record);

}  // namespace dynamo::core
