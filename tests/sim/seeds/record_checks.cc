#include "record_checks.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "node/engine_keys.h"
#include "node/identity.h"
#include "testing/sim_world.h"

namespace seeds {

namespace core = dynamo::core;
using dynamo::testing::SimCluster;
using dynamo::testing::SimWorld;

OnDisk read_disk(SimCluster& cluster, int node, std::string_view engine_key) {
  OnDisk found;
  const absl::StatusOr<bool> read =
      cluster.world().storage(node).engine()->read(engine_key, [&](std::string_view bytes) {
        absl::StatusOr<core::Record> record = core::decode_record(bytes);
        found.damaged = !record.ok();
        if (record.ok()) found.record = *std::move(record);
      });
  found.damaged = found.damaged || !read.ok();
  return found;
}

RecordChecks::RecordChecks(SimCluster& cluster, Ghosts& ghosts, const Members& members,
                           Findings& findings, const SeedOptions& options)
    : cluster_(cluster),
      ghosts_(ghosts),
      members_(members),
      findings_(findings),
      last_write_wins_(options.last_write_wins),
      packets_arrive_once_(options.network.replay == 0 && options.network.duplication == 0) {}

void RecordChecks::see(std::string_view node, const core::Actions& actions) {
  for (const core::WriteRecord& write : actions.writes) {
    const bool hint = core::is_kind(write.key, core::RecordKind::hint);
    if (!hint && !core::is_kind(write.key, core::RecordKind::object)) continue;
    if (write.record) {
      see_record(node, write);
    } else if (hint) {
      see_hint_go(index_of(cluster_, node), write.key);
    } else {
      see_record_go(index_of(cluster_, node), write.key);
    }
  }
}

void RecordChecks::see_record(std::string_view node, const core::WriteRecord& write) {
  const absl::StatusOr<core::Record> record = core::decode_record(*write.record);
  if (!record.ok()) {
    return findings_.fail(
        "C6", fmt::format("{} writes a record that is none: {}", node, record.status().ToString()));
  }
  const int key = ghosts_.key_of(record->key);
  if (key < 0) return;
  if (core::encode_record(*record) != *write.record) {
    findings_.fail("C6", fmt::format("{} writes a record that is not canonical", node), key);
  }
  findings_.note(key, [&] {
    std::string text = fmt::format("{} writes {}:", node, Ghosts::key_name(key));
    for (const core::StoredVersion& version : record->replica.set.versions()) {
      const Write* known = ghosts_.find_stored(version);
      text += fmt::format(" {} as {} at {:x}", known == nullptr ? -1 : known->number,
                          version.dot.to_string(), version.clock.value);
    }
    return text;
  });
  const std::size_t known = ghosts_.of(key).dots.size();
  for (const core::StoredVersion& version : record->replica.set.versions()) {
    see_version(key, node, version);
  }
  const bool hint = core::is_kind(write.key, core::RecordKind::hint);
  if (hint && ghosts_.of(key).dots.size() > known) findings_.visit(Visit::stand_in_coordinated);
  see_versions_together(key, node, record->replica.set);
  if (hint) owed_[{index_of(cluster_, node), write.key}] = record->owed;
}

void RecordChecks::see_version(int key, std::string_view node, const core::StoredVersion& version) {
  Write* write = ghosts_.find_stored(version);
  if (write == nullptr || write->key != key || write->object != version.object) {
    return findings_.fail("C1",
                          fmt::format("{} has a version of {} that nobody wrote there: {}", node,
                                      Ghosts::key_name(key), version.object.value_or("a delete")),
                          key);
  }
  // A packet that arrives a second time may be taken where it was refused (Outcome::Verdict).
  if (write->fate == Fate::refused && packets_arrive_once_) {
    findings_.fail(
        "C1", fmt::format("{} has write {}, which was refused for good", node, write->number), key);
  }
  see_dot(key, version, *write);
  if (!last_write_wins_) return;
  if (write->clock == 0) write->clock = version.clock.value;
  if (write->clock != version.clock.value) {
    findings_.fail("C6",
                   fmt::format("write {} has two clocks, {:x} and {:x}", write->number,
                               write->clock, version.clock.value),
                   key);
  }
}

void RecordChecks::see_dot(int key, const core::StoredVersion& version, const Write& write) {
  const std::size_t known = ghosts_.of(key).dots.size();
  const std::size_t place = ghosts_.dot_place(key, version);
  if (place < known) {
    const KnownDot& dot = ghosts_.of(key).dots[place];
    if (dot.id == version.write_id) return;
    return findings_.fail("C5",
                          fmt::format("dot {} names write {} and write {}", version.dot.to_string(),
                                      dot.write, write.number),
                          key);
  }
  Actor& actor = actors_[version.dot.actor];
  if (actor.key < 0) {
    actor.key = key;
    findings_.visit(Visit::fresh_actor);
  }
  if (actor.key != key || version.dot.counter <= actor.counter) {
    findings_.fail("C5",
                   fmt::format("dot {} of write {}: that actor has written {} up to {}",
                               version.dot.to_string(), write.number, Ghosts::key_name(actor.key),
                               actor.counter),
                   key);
  }
  actor.counter = version.dot.counter;
  if (write.dots.size() == 2) findings_.visit(Visit::write_under_two_dots);
}

void RecordChecks::see_versions_together(int key, std::string_view node,
                                         const core::VersionSet& set) {
  const auto versions = set.versions();
  if (last_write_wins_ && versions.size() > 1) {
    findings_.fail("C6",
                   fmt::format("{} keeps {} versions under last-write-wins", node, versions.size()),
                   key);
  }
  if (versions.size() < 2) return;
  for (const core::StoredVersion& newer : versions) {
    const Write* write = ghosts_.find_stored(newer);
    for (const core::StoredVersion& older : versions) {
      if (write == nullptr || !write->seen_dots.has(ghosts_.dot_place(key, older))) continue;
      const Write* replaced = ghosts_.find_stored(older);
      findings_.fail("C6",
                     fmt::format("{} has write {} beside write {}, which replaced it", node,
                                 replaced == nullptr ? -1 : replaced->number, write->number),
                     key);
    }
  }
}

// Of the node's view.
std::vector<int> RecordChecks::owed(const core::Record& hint, int key, int node) const {
  std::vector<int> nodes;
  const std::vector<int> owners = members_.owners_of(Ghosts::key_name(key), node);
  for (const int owner : owners) {
    dynamo::Identity identity;
    const absl::StatusOr<bool> read = cluster_.world().storage(owner).engine()->read(
        core::identity_key(), [&](std::string_view bytes) {
          const absl::StatusOr<core::NodeIdentity> stored = core::decode_identity(bytes);
          if (stored.ok()) identity = stored->identity;
        });
    // A disk that was lost meanwhile says no more whose it was (seed 770390).
    const bool unknown = !read.ok() || identity.is_zero();
    if (unknown || std::ranges::find(hint.owed, identity) != hint.owed.end()) {
      nodes.push_back(owner);
    }
  }
  // Somebody is not there any more, or was never known: then all are to have it.
  return nodes.size() < hint.owed.size() ? owners : nodes;
}

const Write* RecordChecks::missing_at(int owner, int key, const std::string& object_key,
                                      const core::Record& from) {
  if (lost_.contains(owner)) return nullptr;
  // What it got it may have handed on, by a view that others have not heard of.
  const std::vector<int> latest = members_.latest_owners_of(Ghosts::key_name(key));
  if (std::ranges::find(latest, owner) == latest.end()) return nullptr;
  const OnDisk there = read_disk(cluster_, owner, object_key);
  if (there.damaged) return nullptr;
  for (const core::StoredVersion& version : from.replica.set.versions()) {
    const Write* write = ghosts_.find_stored(version);
    if (write == nullptr || ghosts_.of(key).reaped.has(write->place)) continue;
    if (there.record && there.record->replica.set.history().contains(version.dot)) continue;
    // It has lost there, and its dot with it: the owner has handed on what it had, and got it back
    // from somebody who never had the loser (seed 702161).
    const bool lost = last_write_wins_ && there.record &&
                      has_winner(*write, there.record->replica.set.versions());
    if (!lost) return write;
  }
  return nullptr;
}

void RecordChecks::died(int node) {
  std::erase_if(owed_, [&](const auto& hint) { return hint.first.first == node; });
}

void RecordChecks::see_hint_go(int node, const std::string& engine_key) {
  OnDisk hint = read_disk(cluster_, node, engine_key);
  const auto written = owed_.extract({node, engine_key});
  if (!hint.record) return;
  if (!written.empty()) {
    std::erase_if(hint.record->owed, [&](const dynamo::Identity& identity) {
      return std::ranges::find(written.mapped(), identity) == written.mapped().end();
    });
  }
  const int key = ghosts_.key_of(hint.record->key);
  if (key < 0) return;
  findings_.visit(Visit::hint_delivered);
  std::string object_key = engine_key;
  object_key[0] = static_cast<char>(core::RecordKind::object);
  for (const int owner : owed(*hint.record, key, node)) {
    const Write* write = missing_at(owner, key, object_key, *hint.record);
    if (write == nullptr) continue;
    findings_.fail("C9",
                   fmt::format("{} drops a hint with write {}, which {} has not",
                               SimWorld::name_of(node), write->number, SimWorld::name_of(owner)),
                   key);
  }
}

void RecordChecks::see_copy_go(int node, const std::string& engine_key, int key,
                               const core::Record& copy) {
  findings_.note(key, [&] {
    return fmt::format("{} owns {} no more and drops its copy", SimWorld::name_of(node),
                       Ghosts::key_name(key));
  });
  // Those that are to own it get it from those that do.
  for (const int owner : members_.current_owners_of(Ghosts::key_name(key), node)) {
    const Write* write = missing_at(owner, key, engine_key, copy);
    if (write == nullptr) continue;
    findings_.fail("C2",
                   fmt::format("{} drops its copy with write {}, which {} has not",
                               SimWorld::name_of(node), write->number, SimWorld::name_of(owner)),
                   key);
  }
}

void RecordChecks::see_record_go(int node, const std::string& engine_key) {
  const OnDisk gone = read_disk(cluster_, node, engine_key);
  if (!gone.record) return;
  const int key = ghosts_.key_of(gone.record->key);
  if (key < 0) return;
  const std::vector<int> owners = members_.owners_of(Ghosts::key_name(key), node);
  if (std::ranges::find(owners, node) == owners.end()) {
    return see_copy_go(node, engine_key, key, *gone.record);
  }
  findings_.visit(Visit::reaped);
  findings_.note(key, [&] {
    return fmt::format("{} drops the record of {}", SimWorld::name_of(node), Ghosts::key_name(key));
  });
  Bits covered;
  for (const core::StoredVersion& version : gone.record->replica.set.versions()) {
    const Write* write = ghosts_.find_stored(version);
    if (write == nullptr) continue;
    if (!write->may_be_hidden()) {
      findings_.fail("C2",
                     fmt::format("{} drops write {}, which is no delete", SimWorld::name_of(node),
                                 write->number),
                     key);
    }
    covered.add(write->seen);
  }
  ghosts_.reap(key, covered);
  if (on_reap_) on_reap_(key, covered);
}

}  // namespace seeds
