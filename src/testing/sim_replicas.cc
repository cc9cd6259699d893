// What the nodes of a simulated cluster hold, and whether they agree.

#include <algorithm>
#include <map>
#include <utility>

#include <fmt/format.h>

#include "base/hash.h"
#include "node/engine_keys.h"
#include "node/node_state.h"
#include "testing/sim_world.h"

namespace dynamo::testing {

namespace {

using core::RecordKind;

// The versions of one key, by the node that has them.
struct Copies {
  std::string store{};
  std::string key{};
  std::map<std::string, core::Hash128, std::less<>> sets{};
};

// Of the part of a record that replicas share: who wrote it, and under which actor, is each one's
// own.
core::Hash128 digest(const core::VersionSet& set) {
  std::string bytes;
  core::Encoder out(bytes);
  set.encode(out);
  return core::hash128(bytes, 0);
}

// All keys of all nodes.
class Inventory {
 public:
  // Empty if the node's records are as they should be; else what is wrong.
  std::string take(std::string_view node, std::string_view key, std::string_view record) {
    if (core::is_kind(key, RecordKind::hint)) {
      const absl::StatusOr<core::Record> hint = core::decode_record(record);
      if (!hint.ok()) return fmt::format("{} holds a damaged hint", node);
      std::string owed;
      for (const Identity& owner : hint->owed) owed += fmt::format(" {:016x}", owner.high);
      return fmt::format("{} holds a hint of \"{}\" of generation {}, owed to{}", node, hint->key,
                         hint->generation, owed);
    }
    if (core::is_kind(key, RecordKind::store)) {
      const absl::StatusOr<core::StoreTable::Entry> entry = core::decode_store(record);
      if (!entry.ok()) return fmt::format("{}: {}", node, entry.status().ToString());
      n_[entry->facts.name] = entry->facts.n;
    }
    if (!core::is_kind(key, RecordKind::object)) return "";
    absl::StatusOr<core::Record> stored = core::decode_record(record);
    if (!stored.ok()) return fmt::format("{}: {}", node, stored.status().ToString());
    Copies& copies = copies_[std::string(key)];
    copies.store = std::move(stored->store);
    copies.key = std::move(stored->key);
    copies.sets.emplace(node, digest(stored->replica.set));
    return "";
  }

  // As take().
  std::string compare(const core::NodeState& state) const {
    for (const auto& [engine_key, copies] : copies_) {
      const auto n = n_.find(copies.store);
      if (n == n_.end()) return fmt::format("nobody knows store {}", copies.store);
      const core::Hash128* first = nullptr;
      const std::vector<std::string> owners = state.owners(copies.key, n->second);
      for (const auto& [holder, copy] : copies.sets) {
        if (std::ranges::find(owners, holder) != owners.end()) continue;
        return fmt::format("{} holds {}/{} and does not own it", holder, copies.store, copies.key);
      }
      for (const std::string& owner : owners) {
        const auto copy = copies.sets.find(owner);
        if (copy == copies.sets.end()) {
          return fmt::format("{} lacks {}/{}", owner, copies.store, copies.key);
        }
        if (first == nullptr) first = &copy->second;
        if (copy->second != *first) {
          return fmt::format("{} differs on {}/{}", owner, copies.store, copies.key);
        }
      }
    }
    return "";
  }

 private:
  std::map<std::string, int, std::less<>> n_;  // of each store
  std::map<std::string, Copies> copies_;       // by engine key
};

}  // namespace

void SimWorld::scan(int node, std::string_view from,
                    absl::FunctionRef<bool(std::string_view key, std::string_view record)> visit) {
  Computer& computer = this->computer(node);
  if (computer.host == nullptr || computer.host->stopped()) {
    StorageEngine* engine = computer.storage->engine();
    if (engine != nullptr) engine->scan(from, visit).IgnoreError();
    return;
  }
  computer.host->inspect([&](const core::NodeState&, const core::RecordReader& records) {
    bool more = true;
    constexpr std::size_t chunk = 1024;
    for (std::string next(from); more;) {
      const absl::StatusOr<std::string> rest =
          records.scan(next, chunk, [&](std::string_view key, std::string_view record) {
            more = more && visit(key, record);
          });
      if (!rest.ok() || rest->empty()) return;
      next = *rest;
    }
  });
}

absl::StatusOr<std::optional<core::Record>> SimWorld::record(int node, std::string_view store,
                                                             std::string_view key,
                                                             RecordKind kind) {
  host::Host* host = any_host();
  if (host == nullptr) return absl::FailedPreconditionError("no node is up and has a view");
  std::string engine_key;
  host->inspect([&](const core::NodeState& state, const core::RecordReader&) {
    const core::KeyHash hash = state.hash(key);
    engine_key =
        kind == RecordKind::hint ? core::hint_key(store, hash) : core::object_key(store, hash);
  });
  absl::StatusOr<std::optional<core::Record>> found = std::nullopt;
  scan(node, engine_key, [&](std::string_view at, std::string_view bytes) {
    if (at != engine_key) return false;
    absl::StatusOr<core::Record> decoded = core::decode_record(bytes, store, key);
    if (decoded.ok()) {
      found = *std::move(decoded);
    } else {
      found = decoded.status();
    }
    return false;
  });
  return found;
}

std::string SimWorld::not_converged() {
  host::Host* host = any_host();
  if (host == nullptr) return "no node is up and has a view";
  std::string moving;
  host->inspect([&](const core::NodeState& state, const core::RecordReader&) {
    for (int partition = 0; partition < state.ring->partitions(); ++partition) {
      if (!state.ring->is_moving(partition)) continue;
      moving = fmt::format("partition {} is moving", partition);
      return;
    }
  });
  if (!moving.empty()) return moving;
  if (compared_at_ != journal_->changes()) {
    compared_at_ = journal_->changes();
    differences_ = compare_records(*host);
  }
  return differences_;
}

std::string SimWorld::compare_records(const host::Host& host) {
  std::string missing;
  Inventory inventory;
  for (int i = 0; i < size(); ++i) {
    if (!is_member(i)) continue;  // what it has is lost, or was given away
    scan(i, "", [&](std::string_view key, std::string_view record) {
      missing = inventory.take(name_of(i), key, record);
      return missing.empty();
    });
    if (!missing.empty()) return missing;
  }
  host.inspect([&](const core::NodeState& state, const core::RecordReader&) {
    missing = inventory.compare(state);
  });
  return missing;
}

}  // namespace dynamo::testing
