#include "coordinator/failure_detector.h"

#include <algorithm>
#include <set>
#include <utility>

#include <fmt/format.h>

namespace dynamo::core {

void FailureDetector::set_peers(const std::vector<std::string>& peers, TimePoint now) {
  const auto lock = mutex_.lock();
  const std::set<std::string_view> names(peers.begin(), peers.end());
  std::erase_if(peers_, [&](const auto& entry) { return !names.contains(entry.first); });
  // Newcomers are asked at once if they are few, and else in turn.
  std::int64_t turn = 0;
  const auto count = static_cast<std::int64_t>(names.size());
  const TimePoint spread = std::max(TimePoint{}, idle_probe * count / idle_probes_max - idle_probe);
  for (const std::string& name : peers) {
    const TimePoint first = now + spread * turn++ / count;
    peers_.try_emplace(name, Peer{.heard_at = now, .probe_at = first});
  }
  next_ = peers_.empty() ? TimePoint::max() : now;
  ++changes_;
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

FailureDetector::Peer* FailureDetector::find(std::string_view peer) {
  const auto at = peers_.find(peer);
  return at == peers_.end() ? nullptr : &at->second;
}

const FailureDetector::Peer* FailureDetector::find(std::string_view peer) const {
  const auto at = peers_.find(peer);
  return at == peers_.end() ? nullptr : &at->second;
}

void FailureDetector::heard(std::string_view name, TimePoint now) {
  const auto lock = mutex_.lock();
  Peer* peer = find(name);
  if (peer == nullptr) return;
  peer->heard_at = now;
  peer->heard = true;
  peer->waiting = false;
  peer->probes = 0;
  if (!std::exchange(peer->reachable, true)) ++changes_;
  peer->probe_at = now + pause_of_idle();
}

void FailureDetector::asked(std::string_view name, TimePoint now) {
  const auto lock = mutex_.lock();
  Peer* peer = find(name);
  if (peer == nullptr || peer->waiting) return;
  peer->waiting = true;
  peer->waiting_since = now;
  peer->probe_at = std::min(peer->probe_at, now + probe);
  next_ = std::min(next_, peer->probe_at);
}

void FailureDetector::round_trip(std::string_view name, TimePoint took) {
  const auto lock = mutex_.lock();
  if (Peer* peer = find(name)) note_round_trip(*peer, took);
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
  Peer* peer = find(name);
  if (peer != nullptr) peer->pinged_at = now;
}

void FailureDetector::ping_answered(std::string_view name, TimePoint sent, TimePoint now) {
  if (sent < TimePoint{} || sent > now) return;
  const auto lock = mutex_.lock();
  Peer* peer = find(name);
  if (peer == nullptr) return;
  note_round_trip(*peer, now - sent);
  peer->answered_ping = std::max(peer->answered_ping, sent);
}

std::vector<std::string> FailureDetector::tick(TimePoint now, std::vector<std::string>& lost) {
  const auto lock = mutex_.lock();
  std::vector<std::string> ping;
  if (next_ > now) return ping;
  next_ = TimePoint::max();
  for (auto& [name, peer] : peers_) {
    if (peer.probe_at > now) {
      next_ = std::min(next_, peer.probe_at);
      continue;
    }
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
    next_ = std::min(next_, peer.probe_at);
    ping.push_back(name);
  }
  return ping;
}

bool FailureDetector::reachable(std::string_view name) const {
  const auto lock = mutex_.lock();
  const Peer* peer = find(name);
  return peer == nullptr || peer->reachable;
}

FailureDetector::Standing FailureDetector::standing(std::string_view name, TimePoint now) const {
  const auto lock = mutex_.lock();
  const Peer* peer = find(name);
  if (peer == nullptr) return {};
  Standing standing{.reachable = peer->reachable, .round_trip = peer->smoothed};
  if (peer->waiting && standing.round_trip != TimePoint{}) {
    standing.round_trip = std::max(standing.round_trip, now - peer->waiting_since);
  }
  return standing;
}

std::string FailureDetector::reason(std::string_view name, TimePoint now) const {
  const auto lock = mutex_.lock();
  const Peer* peer = find(name);
  if (peer == nullptr || peer->reachable) return {};
  return fmt::format("silent for {:.1f} s",
                     std::chrono::duration<double>(now - peer->heard_at).count());
}

bool FailureDetector::heard_since(std::string_view name, TimePoint since) const {
  const auto lock = mutex_.lock();
  const Peer* peer = find(name);
  return peer != nullptr && peer->heard && peer->heard_at > since;
}

bool FailureDetector::ping_answered_since(std::string_view name, TimePoint since) const {
  const auto lock = mutex_.lock();
  const Peer* peer = find(name);
  return peer != nullptr && peer->answered_ping > since;
}

bool FailureDetector::wants_ping(std::string_view name, TimePoint since, TimePoint now) const {
  const auto lock = mutex_.lock();
  const Peer* peer = find(name);
  return peer != nullptr && (peer->pinged_at <= since || now - peer->pinged_at >= probe);
}

TimePoint FailureDetector::late_after(std::string_view name) const {
  const auto lock = mutex_.lock();
  const Peer* peer = find(name);
  if (peer == nullptr || peer->smoothed == TimePoint{}) return late_unknown;
  return std::max(peer->slow, late_min);
}

TimePoint FailureDetector::round_trip_of(std::string_view name) const {
  const auto lock = mutex_.lock();
  const Peer* peer = find(name);
  return peer == nullptr ? TimePoint{} : peer->smoothed;
}

}  // namespace dynamo::core
