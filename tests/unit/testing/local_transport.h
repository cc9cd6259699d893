#pragma once

#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <dynamo/transport.h>

namespace test {

// What can be wrong with a transport.
enum class TransportFault {
  none,
  cuts_packets,         // above 64 KiB
  flips_a_bit,          // of long packets
  stops_at_zero_bytes,  // as if packets were strings in C
  joins_packets,        // two that wait become one
  forgets_bulk,         // nothing arrives on that lane
  wrong_peer,           // now and then
  no_address,           // start() gives none
  one_address,          // and all get the same
  throws_at_strangers,  // send() to an address that nobody has
  dies_of_strangers,    // nothing arrives after that
  waits_for_room,       // send() to a full queue
  delivers_at_once,     // send() calls `receive`
  delivers_locked,      // `receive` is called under the lock of send()
  goes_on_after_stop,   // `receive` is called after stop()
  stop_in_a_hurry,      // stop() does not wait for `receive`
  second_stop_hangs,
  address_for_many,  // an address in use is given to another as well
  address_unnamed,   // it is refused, but not named
};

class LocalTransport;

// Where the transports of one test find each other.
struct LocalNetwork {
  explicit LocalNetwork(TransportFault of_all) : fault(of_all) {}

  const TransportFault fault;
  std::mutex mutex{};
  std::map<std::string, LocalTransport*, std::less<>> transports{};  // guarded
  int last_number = 0;                                               // guarded
};

// A transport within the process, as short as one can be: a queue and a thread for each address.
class LocalTransport final : public dynamo::Transport {
 public:
  LocalTransport(std::shared_ptr<LocalNetwork> network, std::string address)
      : network_(std::move(network)), address_(std::move(address)) {}
  ~LocalTransport() override {
    if (thread_.joinable()) thread_.join();
  }

  absl::StatusOr<std::string> start(Receiver receive) override;
  void send(std::string_view address, dynamo::Lane lane, std::string packet) override;
  void stop() override;

 private:
  using Fault = TransportFault;
  static constexpr std::size_t queue_max = 1000;

  bool has(Fault fault) const { return network_->fault == fault; }
  void take(std::string packet);
  void damage(std::string& packet) const;
  void run();

  const std::shared_ptr<LocalNetwork> network_;  // shared by all transports of a test
  std::string address_;
  Receiver receive_;
  std::thread thread_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::string> queue_;  // guarded, as all that follows
  bool stopped_ = false;
  bool dead_ = false;
  int sent_ = 0;
};

}  // namespace test
