#include "end_checks.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "node/engine_keys.h"
#include "node/node_state.h"
#include "repair/merkle_tree.h"
#include "testing/sim_world.h"

namespace seeds {

namespace core = dynamo::core;
using core::StoredVersion;
using dynamo::testing::SimWorld;

void EndChecks::check_records() {
  for (int key = 0; key < ghosts_.keys(); ++key) {
    std::vector<StoredVersion> versions;
    for (int node = 0; node < cluster_.size() && versions.empty(); ++node) {
      if (is_gone(cluster_, node)) continue;
      const auto record = cluster_.world().record(node, "carts", Ghosts::key_name(key));
      if (!record.ok() || !record->has_value()) continue;
      const auto held = (*record)->replica.set.versions();
      versions.assign(held.begin(), held.end());
    }
    check_key(key, versions);
  }
}

void EndChecks::check_key(int key, const std::vector<StoredVersion>& versions) {
  const KeyGhosts& ghosts = ghosts_.of(key);
  Bits covered = ghosts.reaped;
  for (const StoredVersion& version : versions) {
    const Write* write = ghosts_.find_stored(version);
    if (write == nullptr) {
      findings_.fail("C1", "a version that nobody wrote is left", key);
      continue;
    }
    covered.add(write->seen);
    if (ghosts.replaced_dots.has(ghosts_.dot_place(key, version))) {
      findings_.fail(
          "C3",
          fmt::format("write {} is back, which an acknowledged write had replaced", write->number),
          key);
    }
  }
  for (const int number : ghosts.writes) {
    const Write& write = ghosts_.write(number);
    if (write.fate == Fate::acknowledged) check_kept(key, write, covered, versions);
  }
}

void EndChecks::check_kept(int key, const Write& write, const Bits& covered,
                           const std::vector<StoredVersion>& versions) {
  if (covered.has(write.place)) return;
  if (options_.last_write_wins) {
    if (has_winner(write, versions) || ghosts_.lost_to_reaped(write)) return;
  }
  findings_.fail("C2", fmt::format("write {} was acknowledged, and is lost", write.number), key);
}

void EndChecks::check_gets() {
  const int all = members_.fewest_owners();
  for (int node = 0; node < cluster_.size(); ++node) {
    if (is_gone(cluster_, node)) continue;
    const auto store = cluster_.open(node, "carts", options_.store);
    if (!store.ok()) return findings_.fail("C14", store.status().ToString());
    for (int key = 0; key < ghosts_.keys(); ++key) {
      const auto got = store->get(Ghosts::key_name(key), {.r = all});
      if (!got.ok()) {
        return findings_.fail(
            "C14", fmt::format("at {}: {}", SimWorld::name_of(node), got.status().ToString()), key);
      }
      for (const dynamo::Version& version : got->versions) {
        const Write* write = ghosts_.find_object(version.object);
        const auto dot = ghosts_.of(key).dot_places.find(version.dot);
        if (write == nullptr || write->key != key || dot == ghosts_.of(key).dot_places.end()) {
          findings_.fail("C1", "a get shows what was never written there", key);
        } else if (ghosts_.of(key).replaced_dots.has(dot->second)) {
          findings_.fail(
              "C3", fmt::format("a get shows write {}, which had been replaced", write->number),
              key);
        }
      }
    }
  }
}

void EndChecks::check_trees() {
  for (int node = 0; node < cluster_.size(); ++node) {
    if (!cluster_.is_up(node) || is_gone(cluster_, node)) continue;
    cluster_.world().host(node).inspect([&](const core::NodeState& state,
                                            const core::RecordReader& records) {
      if (state.ring == nullptr || !state.trees.complete()) return;
      using Place = std::pair<std::uint64_t, std::uint32_t>;
      std::map<Place, core::MerkleTree> recount;
      // Where one has rotted that the node has in memory, and so need not have noticed yet.
      std::set<Place> rotten;
      const int bits = state.trees.partition_bits();
      std::string from = core::first_key(core::RecordKind::object);
      while (!from.empty()) {
        const auto rest =
            records.scan(from, 1024, [&](std::string_view key, std::string_view bytes) {
              const auto at = core::parse_object_key(key);
              const auto record = core::decode_record(bytes);
              if (!at) return;
              const auto partition = static_cast<std::uint32_t>(state.ring->partition_of(at->hash));
              if (!record.ok()) {
                rotten.emplace(at->store, partition);
                return;
              }
              recount.try_emplace({at->store, partition}, partition, bits)
                  .first->second.update(at->hash, {},
                                        state.trees.digest(at->hash, record->replica.set));
            });
        from = rest.ok() ? *rest : std::string();
      }
      for (const auto& [place, tree] : recount) {
        const auto root = state.trees.root(place.first, place.second);
        if (!root || *root == tree.root() || rotten.contains(place)) continue;
        findings_.fail("C8", fmt::format("the Merkle tree of partition {} at {} is not what a "
                                         "recount gives",
                                         place.second, SimWorld::name_of(node)));
      }
      if (state.trees.trees_corrected() > 0) {
        findings_.fail("C8", fmt::format("{} has found {} of its Merkle trees wrong",
                                         SimWorld::name_of(node), state.trees.trees_corrected()));
      }
    });
  }
}

int EndChecks::deletes_left() {
  int left = 0;
  constexpr auto midnight = std::chrono::hours(13800 * 24);
  const auto wall =
      std::chrono::duration_cast<std::chrono::microseconds>(cluster_.now() + midnight);
  for (int node = 0; node < cluster_.size(); ++node) {
    if (is_gone(cluster_, node)) continue;
    for (int key = 0; key < ghosts_.keys(); ++key) {
      const auto record = cluster_.world().record(node, "carts", Ghosts::key_name(key));
      if (!record.ok() || !record->has_value()) continue;
      left += (*record)->replica.set.only_deletes_at(wall.count()) ? 1 : 0;
    }
  }
  return left;
}

int EndChecks::disks_with(const Write& write, const std::string& engine_key,
                          const std::vector<int>& nodes) {
  int disks = 0;
  for (const int node : nodes) {
    bool there = false;
    for (const core::RecordKind kind : {core::RecordKind::object, core::RecordKind::hint}) {
      std::string at = engine_key;
      at[0] = static_cast<char>(kind);
      const OnDisk disk = read_disk(cluster_, node, at);
      there = there || disk.damaged;
      there = there || (disk.record && write.is_in(disk.record->replica.set.history()));
      there = there || (options_.last_write_wins && disk.record &&
                        has_winner(write, disk.record->replica.set.versions()));
    }
    disks += there ? 1 : 0;
  }
  return disks;
}

void EndChecks::check_disks(int lost) {
  if (options_.store.durability != dynamo::Durability::synced) return;
  std::map<int, std::string> engine_keys;
  for (int node = 0; node < cluster_.size() && engine_keys.empty(); ++node) {
    if (!cluster_.is_up(node)) continue;
    cluster_.world().host(node).inspect([&](const core::NodeState& state, const auto&) {
      if (state.ring == nullptr) return;
      for (int key = 0; key < ghosts_.keys(); ++key) {
        engine_keys[key] = core::object_key("carts", state.hash(Ghosts::key_name(key)));
      }
    });
  }
  if (engine_keys.empty()) return;
  std::vector<int> nodes;
  for (int node = 0; node < cluster_.size(); ++node) {
    if (!is_gone(cluster_, node)) nodes.push_back(node);
  }
  // Those who have left took nothing along: what they held is where their partitions are now.
  const int wanted = std::min(options_.store.quorum.w, members_.fewest_owners()) - lost;
  for (int number = checked_on_disk_; number < ghosts_.writes(); ++number) {
    const Write& write = ghosts_.write(number);
    if (write.fate != Fate::acknowledged || ghosts_.of(write.key).reaped.has(write.place)) continue;
    if (options_.last_write_wins && ghosts_.lost_to_reaped(write)) continue;
    if (options_.last_write_wins && write.dots.empty()) continue;
    const int disks = disks_with(write, engine_keys[write.key], nodes);
    findings_.visit(Visit::durable_checked);
    if (disks >= wanted) continue;
    findings_.fail("C7",
                   fmt::format("write {} was acknowledged as synced by w={}, and is on {} "
                               "disks, where {} are wanted",
                               number, options_.store.quorum.w, disks, wanted),
                   write.key);
  }
  // Disks keep what they have; those that were being written stay in the picture.
  checked_on_disk_ = std::max(checked_on_disk_, ghosts_.writes() - 64);
}

void EndChecks::check_moved(int partition, const std::vector<int>& owners) {
  if (options_.store.durability != dynamo::Durability::synced) return;
  for (int key = 0; key < ghosts_.keys(); ++key) {
    if (members_.partition_of(Ghosts::key_name(key)) == partition) check_moved_key(key, owners);
  }
}

void EndChecks::check_moved_key(int key, const std::vector<int>& owners) {
  // In a sloppy store others may have kept some of it for an old owner.
  std::vector<OnDisk> disks;
  const core::KeyHash hash = members_.hash_of(Ghosts::key_name(key));
  for (int node = 0; node < cluster_.size(); ++node) {
    if (!options_.store.sloppy && std::ranges::find(owners, node) == owners.end()) continue;
    disks.push_back(read_disk(cluster_, node, core::object_key("carts", hash)));
    if (!options_.store.sloppy) continue;
    disks.push_back(read_disk(cluster_, node, core::hint_key("carts", hash)));
  }
  const auto wanted =
      std::min<std::ptrdiff_t>(options_.store.quorum.w, static_cast<std::ptrdiff_t>(owners.size()));
  const KeyGhosts& ghosts = ghosts_.of(key);
  for (const int number : ghosts.writes) {
    const Write& write = ghosts_.write(number);
    if (write.fate != Fate::acknowledged || ghosts.reaped.has(write.place)) continue;
    if (options_.last_write_wins && write.dots.empty()) continue;
    if (options_.last_write_wins && ghosts_.lost_to_reaped(write)) continue;
    const auto has = [&](const OnDisk& disk) {
      if (disk.damaged || !disk.record) return disk.damaged;
      return write.is_in(disk.record->replica.set.history()) ||
             (options_.last_write_wins && has_winner(write, disk.record->replica.set.versions()));
    };
    const std::ptrdiff_t there = std::ranges::count_if(disks, has);
    findings_.visit(Visit::moved_checked);
    if (there >= wanted) continue;
    return findings_.fail(
        "C7",
        fmt::format("write {} was acknowledged, its partition has been moved, and "
                    "it is on {} of w={} disks",
                    number, there, options_.store.quorum.w),
        key);
  }
}

}  // namespace seeds
