#include "transport/tcp_peers.h"

#include <chrono>
#include <utility>

#include <asio/post.hpp>

namespace dynamo::transport {

TcpPeers::TcpPeers(std::shared_ptr<TcpShared> shared)
    : shared_(std::move(shared)), executor_(shared_->executor) {}

void TcpPeers::send(std::string_view address, Lane lane, std::string packet) {
  const std::shared_ptr<TcpLink> link = push(address, lane, std::move(packet));
  if (link == nullptr || flush_here(*link)) return;
  const std::lock_guard lock(mutex_);
  if (!open_) return;
  to_flush_.push_back(link);
  if (std::exchange(flush_posted_, true)) return;
  // Under the mutex: once close() has had it, the executor is not touched again.
  asio::post(*executor_, in_turn(shared_, [self = shared_from_this()] { self->flush(); }));
}

void TcpPeers::redial(std::string_view address) {
  const std::lock_guard lock(mutex_);
  const auto found = links_.find(address);
  if (!open_ || found == links_.end()) return;
  for (const std::shared_ptr<TcpLink>& link : found->second) {
    if (link) asio::post(*executor_, in_turn(shared_, [link] { link->redial(); }));
  }
}

// The link, if a flush of it has to be arranged.
std::shared_ptr<TcpLink> TcpPeers::push(std::string_view address, Lane lane, std::string packet) {
  const std::lock_guard lock(mutex_);
  if (!open_ || packet.size() > shared_->options.packet_bytes_max) {
    ++shared_->counters.dropped;
    return nullptr;
  }
  auto found = links_.find(address);
  if (found == links_.end()) found = links_.emplace(std::string(address), Lanes{}).first;
  auto& link = found->second[lane == Lane::bulk ? 1 : 0];
  if (!link) link = std::make_shared<TcpLink>(shared_, found->first, lane);
  return link->push(std::move(packet)) ? link : nullptr;
}

bool TcpPeers::flush_here(TcpLink& link) {
  const std::unique_lock turn(shared_->turn, std::try_to_lock);
  return turn.owns_lock() && (shared_->stopped || link.flush_here());
}

void TcpPeers::flush() {
  std::vector<std::shared_ptr<TcpLink>> links;
  {
    const std::lock_guard lock(mutex_);
    links.swap(to_flush_);
    flush_posted_ = false;
  }
  for (const auto& link : links) link->flush();
  if (!timer_) sweep_later();
}

void TcpPeers::sweep_later() {
  timer_ = std::make_unique<asio::steady_timer>(*shared_->executor, shared_->timing.sweep);
  timer_->async_wait(
      in_turn(shared_, [self = shared_from_this()](const asio::error_code&) { self->sweep(); }));
}

void TcpPeers::sweep() {
  const auto now = std::chrono::steady_clock::now();
  timer_.reset();
  const std::lock_guard lock(mutex_);
  for (auto entry = links_.begin(); entry != links_.end();) {
    for (auto& link : entry->second) {
      if (!link) continue;
      link->sweep(now);
      if (!link->forgettable(now)) continue;
      link->close();
      link.reset();
    }
    const bool unused = !entry->second[0] && !entry->second[1];
    entry = unused ? links_.erase(entry) : std::next(entry);
  }
  if (!links_.empty()) sweep_later();
}

void TcpPeers::close() {
  const std::lock_guard lock(mutex_);
  open_ = false;
  for (auto& [address, lanes] : links_) {
    for (auto& link : lanes) {
      if (link) link->close();
    }
  }
  links_.clear();
  to_flush_.clear();
  timer_.reset();
  executor_.reset();
}

}  // namespace dynamo::transport
