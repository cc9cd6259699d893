#include "unit/repair/memory_records.h"

#include <algorithm>
#include <stdexcept>

#include "repair/exchange.h"
#include "repair/exchange_answers.h"
#include "wire/codec.h"

namespace test {

using namespace dynamo::core;

namespace {

template <class T>
T through_bytes(const T& message, Traffic& traffic) {
  std::string bytes;
  Encoder out(bytes);
  encode_body(message, out);
  traffic.bytes += bytes.size();
  traffic.largest_bytes = std::max(traffic.largest_bytes, bytes.size());
  auto back = decode_body(message_type(message), bytes);
  if (!back || *back != Message(message)) throw std::runtime_error("a message lost something");
  return std::get<T>(*back);
}

}  // namespace

Hash128 MemoryRecords::digest(const KeyHash& key) const {
  const auto at = records.find(key);
  return at == records.end() ? Hash128{} : set_digest(at->second.set, key, seed);
}

absl::StatusOr<KeyHash> MemoryRecords::list(const TreeNode& node, const KeyHash& from,
                                            std::size_t limit, std::vector<KeyDigest>& keys) {
  const HashRange range = tree_.range(node);
  limit = std::min(limit, list_max);
  for (auto at = records.lower_bound(from); at != records.end(); ++at) {
    if (at->first > range.last) break;
    keys.push_back({at->first, digest(at->first)});
    if (--limit == 0) return at->first;
  }
  return range.last;
}

std::optional<KeyedSet> MemoryRecords::read(const KeyHash& key) {
  const auto at = records.find(key);
  return at == records.end() ? std::nullopt : std::optional(at->second);
}

absl::StatusOr<bool> MemoryRecords::merge(const KeyedSet& set) {
  if (!full.ok()) return full;
  const KeyHash key = hash(set.key);
  const Hash128 before = digest(key);
  KeyedSet& mine = records[key];
  mine.key = set.key;
  mine.set.merge(set.set, Conflict::keep_siblings);
  tree_.update(key, before, digest(key));
  return before != digest(key);
}

void MemoryRecords::put(const std::string& key, std::uint64_t actor, std::string object) {
  const KeyHash at = hash(key);
  const Hash128 before = digest(at);
  KeyedSet& record = records[at];
  record.key = key;
  const dynamo::ActorId writer{actor, 1};
  record.set.put({},
                 {.dot = {writer, record.set.history().highest(writer) + 1},
                  .write_id = {1, 1},
                  .object = std::move(object)},
                 Conflict::keep_siblings);
  tree_.update(at, before, digest(at));
}

void MemoryRecords::erase(const std::string& key) {
  tree_.update(hash(key), digest(hash(key)), {});
  records.erase(hash(key));
}

bool MemoryRecords::same_as(const MemoryRecords& other) const {
  return tree_.root() == other.tree_.root() && records == other.records;
}

Traffic run_exchange(MemoryRecords& asking, MemoryRecords& asked) {
  Traffic traffic;
  Exchange exchange({.store = {.name = "carts", .n = 3}});
  while (traffic.status.ok()) {
    auto request = exchange.next(asking);
    if (!request) break;
    ++traffic.requests;
    if (traffic.requests > 100'000) throw std::runtime_error("the exchange does not end");
    std::visit(
        [&](const auto& message) {
          const auto reply = answer(through_bytes(message, traffic), asked);
          traffic.status = exchange.take(through_bytes(reply, traffic), asking);
        },
        *request);
  }
  traffic.differences = exchange.differences();
  traffic.received = exchange.received();
  return traffic;
}

}  // namespace test
