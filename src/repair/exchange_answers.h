#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "repair/partition_records.h"
#include "wire/exchange_messages.h"

// The side of an exchange that is asked. It keeps nothing between two questions, so the one that
// asks may go away at any time.
namespace dynamo::core {

// Why two nodes that compare under these scopes would not mean the same; empty if they would.
std::string scope_difference(const ExchangeScope& asked, const ExchangeScope& own);

// Adds the set, unless the page is full; the first always fits. `bytes`: what is on the page.
bool add_to_page(KeyedSet set, std::vector<KeyedSet>& page, std::size_t& bytes);

TreeReply answer(const TreeRequest& request, PartitionRecords& records);
LeafReply answer(const LeafRequest& request, PartitionRecords& records);
// Merges what was sent and reads what is wanted. The reply must not leave before the merges are on
// stable storage.
SetsReply answer(const SetsRequest& request, PartitionRecords& records);

}  // namespace dynamo::core
