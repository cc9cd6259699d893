#include "testing/sim_network.h"

#include <utility>

#include <fmt/format.h>

namespace dynamo::testing {

class SimNetwork::Port final : public Transport {
 public:
  Port(std::shared_ptr<SimNetwork> network, std::string address)
      : network_(std::move(network)), address_(std::move(address)) {}
  ~Port() override { stop(); }

  absl::StatusOr<std::string> start(Receiver receive) override {
    listening_ = network_->receivers_.try_emplace(address_, std::move(receive)).second;
    if (listening_) return address_;
    return absl::UnavailableError(fmt::format("address {} is in use", address_));
  }
  void send(std::string_view address, Lane lane, std::string packet) override {
    if (listening_) network_->send(address_, address, lane, std::move(packet));
  }
  void stop() override {
    if (std::exchange(listening_, false)) network_->receivers_.erase(address_);
  }

 private:
  const std::shared_ptr<SimNetwork> network_;
  const std::string address_;
  bool listening_ = false;
};

std::unique_ptr<Transport> SimNetwork::transport(std::shared_ptr<SimNetwork> network,
                                                 std::string address) {
  return std::make_unique<Port>(std::move(network), std::move(address));
}

bool SimNetwork::reaches(const std::string& to) const {
  return receivers_.contains(to) && !disconnected_.contains(to);
}

void SimNetwork::send(const std::string& from, std::string_view to, Lane lane, std::string bytes) {
  SimScheduler& scheduler = context_->scheduler();
  std::string receiver(to);
  const bool lost = disconnected_.contains(from) || !reaches(receiver);
  if (observer_) observer_({scheduler.now(), from, to, lane, bytes, lost});
  if (lost) return;
  // The context destroys its events before the network goes.
  scheduler.schedule(scheduler.after(latency),
                     [this, receiver = std::move(receiver), bytes = std::move(bytes)]() mutable {
                       if (reaches(receiver))
                         receivers_.find(receiver)->second(std::move(bytes), "");
                     });
}

}  // namespace dynamo::testing
