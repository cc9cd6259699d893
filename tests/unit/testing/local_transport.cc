#include "unit/testing/local_transport.h"

namespace test {

absl::StatusOr<std::string> LocalTransport::start(Receiver receive) {
  const std::lock_guard network_lock(network_->mutex);
  if (address_.empty()) address_ = "local-" + std::to_string(++network_->last_number);
  if (network_->transports.contains(address_) && !has(Fault::address_for_many)) {
    return absl::UnavailableError((has(Fault::address_unnamed) ? "the address" : address_) +
                                  " is in use");
  }
  network_->transports[address_] = this;
  receive_ = std::move(receive);
  thread_ = std::thread([this] { run(); });
  if (has(Fault::no_address)) return "";
  return has(Fault::one_address) ? "local-1" : address_;
}

void LocalTransport::send(std::string_view address, dynamo::Lane lane, std::string packet) {
  if (has(Fault::forgets_bulk) && lane == dynamo::Lane::bulk) return;
  std::unique_lock network_lock(network_->mutex);
  if (dead_) return;
  auto to = network_->transports.find(address);
  if (to == network_->transports.end()) {
    if (has(Fault::throws_at_strangers)) throw std::out_of_range("no such address");
    dead_ = has(Fault::dies_of_strangers);
    return;
  }
  if (has(Fault::wrong_peer) && ++sent_ % 10 == 0) to = network_->transports.begin();
  LocalTransport& peer = *to->second;
  if (has(Fault::delivers_at_once) || has(Fault::delivers_locked)) {
    if (!has(Fault::delivers_locked)) network_lock.unlock();
    return peer.receive_(std::move(packet), "");
  }
  if (has(Fault::waits_for_room)) network_lock.unlock();
  peer.take(std::move(packet));
}

void LocalTransport::damage(std::string& packet) const {
  if (has(Fault::cuts_packets)) packet.resize(std::min(packet.size(), std::size_t{64} << 10));
  if (has(Fault::flips_a_bit) && packet.size() > 1000) packet[999] ^= 4;
  if (has(Fault::stops_at_zero_bytes)) packet.resize(std::min(packet.size(), packet.find('\0')));
}

void LocalTransport::take(std::string packet) {
  std::unique_lock lock(mutex_);
  if (has(Fault::waits_for_room)) {
    changed_.wait(lock, [&] { return queue_.size() < 100 || stopped_; });
  }
  if (queue_.size() >= queue_max) return;
  damage(packet);
  if (has(Fault::joins_packets) && !queue_.empty()) {
    queue_.back() += packet;
  } else {
    queue_.push_back(std::move(packet));
  }
  changed_.notify_all();
}

void LocalTransport::run() {
  std::unique_lock lock(mutex_);
  const bool goes_on = has(Fault::goes_on_after_stop);
  while (true) {
    changed_.wait(lock, [&] { return !queue_.empty() || stopped_; });
    if (queue_.empty() || (stopped_ && !goes_on)) return;
    std::string packet = std::move(queue_.front());
    queue_.pop_front();
    changed_.notify_all();
    lock.unlock();
    receive_(std::move(packet), "");
    lock.lock();
  }
}

void LocalTransport::stop() {
  {
    const std::lock_guard network_lock(network_->mutex);
    const auto at = network_->transports.find(address_);
    const bool found = at != network_->transports.end() && at->second == this;
    if (found) network_->transports.erase(at);
  }
  std::unique_lock lock(mutex_);
  if (has(Fault::second_stop_hangs)) changed_.wait(lock, [&] { return !stopped_; });
  stopped_ = true;
  changed_.notify_all();
  lock.unlock();
  const bool waits = !has(Fault::goes_on_after_stop) && !has(Fault::stop_in_a_hurry);
  if (waits && thread_.joinable()) thread_.join();
}

}  // namespace test
