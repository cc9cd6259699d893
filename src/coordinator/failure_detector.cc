#include "coordinator/failure_detector.h"

#include <algorithm>
#include <set>
#include <utility>

#include <fmt/format.h>

namespace dynamo::core {

void FailureDetector::set_peers(const std::vector<std::string>& peers, TimePoint now) {
  const auto lock = mutex_.lock();
  const std::set<std::string_view> names(peers.begin(), peers.end());
  peers_.erase_if([&](const auto& entry) { return !names.contains(entry.first); });
  // Newcomers are asked at once if they are few, and else in turn.
  std::int64_t turn = 0;
  const auto count = static_cast<std::int64_t>(names.size());
  const TimePoint spread = std::max(TimePoint{}, idle_probe * count / idle_probes_max - idle_probe);
  for (const std::string& name : peers) {
    const TimePoint first = now + spread * turn++ / count;
    peers_.try_emplace(name, Peer{.heard_at = now, .probe_at = first});
  }
  due_ = {};  // of some that are gone
  for (auto& entry : peers_) schedule(entry, entry.second.probe_at);
  ++changes_;
}

void FailureDetector::schedule(NameMap<Peer>::Entry& entry, TimePoint at) {
  entry.second.due_at = at;
  due_.emplace(at, &entry);
}

TimePoint FailureDetector::idle_period() const {
  const auto lock = mutex_.lock();
  return pause_of_idle();
}

std::uint64_t FailureDetector::changes() const {
  const auto lock = mutex_.lock();
  return changes_;
}

TimePoint FailureDetector::pause_of_idle() const {
  const auto count = static_cast<std::int64_t>(peers_.size());
  return std::max(idle_probe, idle_probe * count / idle_probes_max);
}

bool FailureDetector::heard(std::string_view name, TimePoint now) {
  const auto lock = mutex_.lock();
  Peer* peer = peers_.find(name);
  if (peer == nullptr) return true;
  peer->heard_at = now;
  peer->heard = true;
  peer->waiting = false;
  peer->probes = 0;
  peer->probe_at = now + pause_of_idle();
  const bool was_reachable = std::exchange(peer->reachable, true);
  if (!was_reachable) ++changes_;
  return was_reachable;
}

FailureDetector::Prospect FailureDetector::asked(std::string_view name, TimePoint now) {
  const auto lock = mutex_.lock();
  auto* entry = peers_.find_entry(name);
  if (entry == nullptr) return {.late_after = late_unknown};
  Peer& peer = entry->second;
  const Prospect prospect{.reachable = peer.reachable, .late_after = late_after(peer)};
  if (std::exchange(peer.waiting, true)) return prospect;
  peer.waiting_since = now;
  peer.probe_at = std::min(peer.probe_at, now + probe);
  if (peer.probe_at < peer.due_at) schedule(*entry, peer.probe_at);
  return prospect;
}

void FailureDetector::round_trip(std::string_view name, TimePoint took) {
  const auto lock = mutex_.lock();
  if (Peer* peer = peers_.find(name)) note_round_trip(*peer, took);
}

void FailureDetector::note_round_trip(Peer& peer, TimePoint took) {
  if (took < TimePoint{} || took > round_trip_max) return;
  if (peer.smoothed == TimePoint{}) {
    peer.smoothed = took;
    peer.slow = 2 * took;
    return;
  }
  peer.smoothed = (peer.smoothed * 7 + took) / 8;
  // Up by 19 parts for one that took longer, down by one for each that did not: at rest where one
  // in 20 takes longer.
  const TimePoint part = peer.slow / 256 + TimePoint{1};
  peer.slow = took > peer.slow ? peer.slow + 19 * part : std::max(peer.slow - part, took);
}

void FailureDetector::pinged(std::string_view name, TimePoint now) {
  const auto lock = mutex_.lock();
  Peer* peer = peers_.find(name);
  if (peer != nullptr) peer->pinged_at = now;
}

void FailureDetector::ping_answered(std::string_view name, TimePoint sent, TimePoint now) {
  if (sent < TimePoint{} || sent > now) return;
  const auto lock = mutex_.lock();
  Peer* peer = peers_.find(name);
  if (peer == nullptr) return;
  note_round_trip(*peer, now - sent);
  peer->answered_ping = std::max(peer->answered_ping, sent);
}

std::vector<NameMap<FailureDetector::Peer>::Entry*> FailureDetector::take_due(TimePoint now) {
  std::vector<NameMap<Peer>::Entry*> due;
  while (!due_.empty() && due_.top().first <= now) {
    const auto [at, entry] = due_.top();
    due_.pop();
    Peer& peer = entry->second;
    if (at != peer.due_at) continue;  // another one counts, or has been taken
    peer.due_at = TimePoint::min();
    if (peer.probe_at > now) {
      schedule(*entry, peer.probe_at);
    } else {
      due.push_back(entry);
    }
  }
  std::ranges::sort(due, {}, [](const auto* entry) -> const std::string& { return entry->first; });
  return due;
}

std::vector<std::string> FailureDetector::tick(TimePoint now, std::vector<std::string>& lost) {
  const auto lock = mutex_.lock();
  std::vector<std::string> ping;
  for (auto* entry : take_due(now)) {
    auto& [name, peer] = *entry;
    if (!peer.waiting) {
      peer.waiting = true;
      peer.waiting_since = now;
    }
    const bool was_late = std::exchange(peer.late, now - peer.probe_at >= probe);
    const bool silent = peer.probes >= probes_min && now - peer.waiting_since >= silence;
    // Late once: this process was away. Late time and again: it is slow, and must still decide.
    if (silent && peer.reachable && (!peer.late || was_late)) {
      peer.reachable = false;
      ++changes_;
      lost.push_back(name);
    }
    ++peer.probes;
    peer.probe_at = now + (peer.reachable ? probe : pause_of_idle() / 2);
    schedule(*entry, peer.probe_at);
    ping.push_back(name);
  }
  return ping;
}

bool FailureDetector::reachable(std::string_view name) const {
  const auto lock = mutex_.lock();
  const Peer* peer = peers_.find(name);
  return peer == nullptr || peer->reachable;
}

FailureDetector::Standing FailureDetector::standing(std::string_view name, TimePoint now) const {
  const auto lock = mutex_.lock();
  const Peer* peer = peers_.find(name);
  if (peer == nullptr) return {};
  Standing standing{.reachable = peer->reachable, .round_trip = peer->smoothed};
  if (peer->waiting && standing.round_trip != TimePoint{}) {
    standing.round_trip = std::max(standing.round_trip, now - peer->waiting_since);
  }
  return standing;
}

std::string FailureDetector::reason(std::string_view name, TimePoint now) const {
  const auto lock = mutex_.lock();
  const Peer* peer = peers_.find(name);
  if (peer == nullptr || peer->reachable) return {};
  return fmt::format("silent for {:.1f} s",
                     std::chrono::duration<double>(now - peer->heard_at).count());
}

bool FailureDetector::heard_since(std::string_view name, TimePoint since) const {
  const auto lock = mutex_.lock();
  const Peer* peer = peers_.find(name);
  return peer != nullptr && peer->heard && peer->heard_at > since;
}

bool FailureDetector::ping_answered_since(std::string_view name, TimePoint since) const {
  const auto lock = mutex_.lock();
  const Peer* peer = peers_.find(name);
  return peer != nullptr && peer->answered_ping > since;
}

bool FailureDetector::wants_ping(std::string_view name, TimePoint since, TimePoint now) const {
  const auto lock = mutex_.lock();
  const Peer* peer = peers_.find(name);
  return peer != nullptr && (peer->pinged_at <= since || now - peer->pinged_at >= probe);
}

TimePoint FailureDetector::late_after(const Peer& peer) {
  return peer.smoothed == TimePoint{} ? late_unknown : std::max(peer.slow, late_min);
}

TimePoint FailureDetector::round_trip_of(std::string_view name) const {
  const auto lock = mutex_.lock();
  const Peer* peer = peers_.find(name);
  return peer == nullptr ? TimePoint{} : peer->smoothed;
}

}  // namespace dynamo::core
