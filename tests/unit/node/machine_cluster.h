#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "node/engine_keys.h"
#include "node/machine.h"
#include "wire/packet.h"

namespace test {

struct PutArgs {
  dynamo::Context context{};
  int w = 2;
  dynamo::WriteId id{};
  bool synced = true;
  int siblings_max = 64;
  std::optional<std::chrono::seconds> ttl{};
  std::chrono::milliseconds timeout{1000};
  bool sloppy = true;
};

struct GetArgs {
  int r = 2;
  dynamo::Context at_least{};
  std::chrono::milliseconds timeout{1000};
  bool sloppy = true;
};

// Several machines on one virtual clock, driven by hand: packets lie in `packets` until they are
// delivered or dropped, writes lie in a node's buffer until they are synced or fail. Nothing
// happens that the test does not ask for; run() asks for all of it.
//
// Thread safety: one thread.
class MachineCluster {
 public:
  using Facts = dynamo::core::StoreFacts;

  struct Sent {
    std::string from{};
    std::string to{};  // by address, which is the name
    std::string bytes{};
    dynamo::core::Packet packet{};
    dynamo::Lane lane = dynamo::Lane::request;
  };

  // One node: a machine, the buffer that a crash loses, and the engine that it does not.
  struct Node final : dynamo::core::RecordReader {
    std::unique_ptr<dynamo::core::Machine> machine{};
    dynamo::core::NodeIdentity identity{};
    std::map<std::string, std::string> engine{};
    std::map<std::string, std::optional<std::string>> buffer{};
    std::vector<std::uint64_t> writes{};  // that wait for the disk
    std::string full_reason{};
    absl::Status read_error{};          // of every read of an object, if not OK
    std::chrono::microseconds skew{0};  // of its wall clock
    bool up = true;

    absl::StatusOr<bool> read(std::string_view key,
                              absl::FunctionRef<void(std::string_view)> visit) const override;
    absl::StatusOr<std::string> scan(
        std::string_view from, std::size_t limit,
        absl::FunctionRef<void(std::string_view, std::string_view)> visit) const override;
    std::string full() const override { return full_reason; }
  };

  struct Options {
    std::string label = "dynamo";
    int partitions = 16;
    bool with_view = true;
    std::size_t hint_bytes_max = std::size_t{1} << 30;
  };
  explicit MachineCluster(std::vector<std::string> names) : MachineCluster(names, Options{}) {}
  MachineCluster(std::vector<std::string> names, Options options);

  Node& node(const std::string& name) { return *nodes_.at(name); }
  const dynamo::core::NodeState& state(const std::string& name) {
    return node(name).machine->state();
  }
  dynamo::View view() const;

  std::uint64_t get(const std::string& at, const std::string& key) { return get(at, key, {}); }
  std::uint64_t get(const std::string& at, const std::string& key, const GetArgs& args);
  // No object: a delete.
  std::uint64_t put(const std::string& at, const std::string& key,
                    std::optional<std::string> object, const PutArgs& args);
  std::uint64_t put(const std::string& at, const std::string& key,
                    std::optional<std::string> object) {
    return put(at, key, std::move(object), {});
  }
  void step(const std::string& at, dynamo::core::Event event);
  std::uint64_t converge(const std::string& at, std::chrono::milliseconds timeout);
  // Its end; it must have come, once.
  absl::Status converged(std::uint64_t request);

  // The answer to a request; it must be there, once.
  absl::StatusOr<dynamo::core::GetAnswer> got(std::uint64_t request);
  absl::StatusOr<dynamo::core::PutAnswer> done(std::uint64_t request);
  bool finished(std::uint64_t request) const;

  // Everything at once: run(), and the answer.
  absl::StatusOr<dynamo::core::GetAnswer> get_now(const std::string& at, const std::string& key) {
    return get_now(at, key, {});
  }
  absl::StatusOr<dynamo::core::GetAnswer> get_now(const std::string& at, const std::string& key,
                                                  const GetArgs& args);
  absl::StatusOr<dynamo::core::PutAnswer> put_now(const std::string& at, const std::string& key,
                                                  std::optional<std::string> object,
                                                  const PutArgs& args);
  absl::StatusOr<dynamo::core::PutAnswer> put_now(const std::string& at, const std::string& key,
                                                  std::optional<std::string> object) {
    return put_now(at, key, std::move(object), {});
  }
  // What a get through `at` shows, in order.
  std::vector<std::string> objects(const std::string& at, const std::string& key, int r = 3);

  // Delivers what lies there now, but not what that brings forth.
  void deliver();
  void deliver(const Sent& sent) { deliver_to(sent.to, sent.bytes); }
  void deliver_to(const std::string& to, std::string bytes, std::string peer = {});
  // Drops packets that satisfy `which`, returns how many.
  std::size_t drop(const std::function<bool(const Sent&)>& which);
  void sync(const std::string& name);
  void fail_writes(const std::string& name, const absl::Status& status);
  // Delivers and syncs until nothing is left to do. Nodes that are not up take part in nothing.
  void run();
  // Lets time pass in steps of 10 ms, each with what is due.
  void advance(std::chrono::milliseconds duration);
  // A new life: boot raised, buffer lost.
  void restart(const std::string& name);

  // In order of preference.
  std::vector<std::string> owners(const std::string& key, int n = 3);
  // A key that `wanted` likes the owners of.
  std::string key_where(const std::function<bool(const std::vector<std::string>&)>& wanted);
  // A key with these owners, in this order.
  std::string key_of(const std::vector<std::string>& owners);
  std::string key_owned_first_by(const std::string& name);
  std::string key_not_owned_by(const std::string& name);
  std::string object_key(const std::string& key);

  // How many messages of a type have ever been sent.
  template <class Message>
  int sent() const {
    int count = 0;
    for (const dynamo::core::Message& message : all_messages) {
      count += std::holds_alternative<Message>(message) ? 1 : 0;
    }
    return count;
  }

  Facts store{.name = "carts", .n = 3};
  dynamo::core::Now now{std::chrono::seconds(1000), 1'192'320'000'000'000};
  std::vector<Sent> packets{};
  std::function<bool(const Sent&)> loses{};  // packets, whenever some are delivered
  std::vector<dynamo::core::Message> all_messages{};
  std::vector<std::string> log{};
  std::vector<std::string> membership{};  // payloads that came out

 private:
  void start(Node& node);
  void take(const std::string& from, dynamo::core::Actions& actions);
  dynamo::core::Now now_at(const Node& node) const;

  Options options_;
  std::map<std::string, std::unique_ptr<Node>> nodes_;
  std::uint64_t last_request_ = 0;
  std::uint64_t last_random_ = 0x1000;
  std::map<std::uint64_t, absl::StatusOr<dynamo::core::GetAnswer>> gets_;
  std::map<std::uint64_t, absl::StatusOr<dynamo::core::PutAnswer>> puts_;
  std::map<std::uint64_t, absl::Status> converges_;
};

template <class T>
bool holds(const MachineCluster::Sent& sent) {
  for (const dynamo::core::Message& message : sent.packet.messages) {
    if (std::holds_alternative<T>(message)) return true;
  }
  return false;
}

}  // namespace test
