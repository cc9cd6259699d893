#pragma once

#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <dynamo/membership/fixed.h>
#include <dynamo/storage/memory.h>

#include "host/host.h"
#include "unit/host/manual_environment.h"

namespace test {

// A memory engine whose disk fails as told. Outlives the host that uses it, as a disk does.
//
// Thread safety: one thread.
struct Disk {
  std::unique_ptr<dynamo::StorageEngine> engine = dynamo::memory_storage();
  absl::Status write_status{};  // of every write, if not OK
  absl::Status read_status{};
  int commits = 0;
  int commits_max = std::numeric_limits<int>::max();  // all that come after these fail
  std::function<void()> during_read{};  // once, before the reader is told what was read
};

class ScriptedEngine final : public dynamo::StorageEngine {
 public:
  explicit ScriptedEngine(std::shared_ptr<Disk> disk) : disk_(std::move(disk)) {}

  absl::StatusOr<bool> read(std::string_view key,
                            absl::FunctionRef<void(std::string_view)> visit) override {
    if (!disk_->read_status.ok()) return disk_->read_status;
    if (!disk_->during_read) return disk_->engine->read(key, visit);
    std::string record;
    const auto found = disk_->engine->read(key, [&](std::string_view read) { record = read; });
    std::exchange(disk_->during_read, {})();
    if (found.ok() && *found) visit(record);
    return found;
  }
  absl::Status write(std::span<const Write> batch) override {
    if (!disk_->write_status.ok()) return disk_->write_status;
    if (disk_->commits == disk_->commits_max) return absl::DataLossError("the disk is gone");
    ++disk_->commits;
    return disk_->engine->write(batch);
  }
  absl::Status scan(std::string_view from,
                    absl::FunctionRef<bool(std::string_view, std::string_view)> visit) override {
    return disk_->engine->scan(from, visit);
  }

 private:
  const std::shared_ptr<Disk> disk_;
};

// The one whose peers never answer.
class SilentTransport final : public dynamo::Transport {
 public:
  // Puts what it is to call into `receive`.
  explicit SilentTransport(std::shared_ptr<Receiver> receive) : receive_(std::move(receive)) {}

  absl::StatusOr<std::string> start(Receiver receive) override {
    *receive_ = std::move(receive);
    return std::string("here");
  }
  void send(std::string_view, dynamo::Lane, std::string) override {}
  void stop() override {}

 private:
  const std::shared_ptr<Receiver> receive_;
};

// A host on a manual environment, a scripted disk and a transport without peers.
//
// Thread safety: one thread.
struct LoneNode {
  using Hands = ManualEnvironment::Hands;

  std::shared_ptr<Hands> hands = std::make_shared<Hands>();
  std::shared_ptr<Disk> disk = std::make_shared<Disk>();
  // Hands a packet to the node, once it is started.
  std::shared_ptr<dynamo::Transport::Receiver> receive =
      std::make_shared<dynamo::Transport::Receiver>();
  dynamo::NodeOptions options{.name = "a", .partitions = 8};
  std::vector<std::string> members{"a"};
  bool transport_is_own = true;
  std::uint64_t seed = 1;
  std::vector<std::string> log{};
  std::shared_ptr<dynamo::host::Host> host{};
  dynamo::core::StoreFacts facts{.name = "carts", .n = 1};

  absl::Status start(std::unique_ptr<dynamo::Membership> membership = nullptr) {
    if (membership == nullptr) {
      std::vector<dynamo::Member> list;
      for (const std::string& name : members) list.push_back({.name = name, .address = name});
      membership = dynamo::fixed_membership(std::move(list));
    }
    absl::StatusOr<std::shared_ptr<dynamo::host::Host>> started = dynamo::host::Host::start(
        options,
        {.environment = std::make_unique<ManualEnvironment>(hands, ++seed),
         .transport = std::make_unique<SilentTransport>(receive),
         .transport_is_own = transport_is_own,
         .membership = std::move(membership),
         .storage = std::make_unique<ScriptedEngine>(disk),
         .log = [this](const dynamo::LogRecord& record) { log.emplace_back(record.text); }});
    if (!started.ok()) return started.status();
    host = *std::move(started);
    hands->run();
    return absl::OkStatus();
  }
  // The answer, once there is one; times that it was given.
  template <class T>
  struct Answer {
    int times = 0;
    absl::Status status = absl::UnknownError("none yet");
    T value{};
  };
  template <class T>
  static auto keep(const std::shared_ptr<Answer<T>>& answer) {
    return [answer](absl::StatusOr<T> given) {
      ++answer->times;
      answer->status = given.status();
      if (given.ok()) answer->value = *std::move(given);
    };
  }
  using Put = std::shared_ptr<Answer<dynamo::core::PutAnswer>>;
  using Get = std::shared_ptr<Answer<dynamo::core::GetAnswer>>;

  Put put(const std::string& key, std::string object, bool synced = true,
          std::chrono::milliseconds timeout = std::chrono::milliseconds(1000)) {
    auto answer = std::make_shared<Answer<dynamo::core::PutAnswer>>();
    host->put({.store = facts,
               .key = key,
               .object = std::move(object),
               .w = 1,
               .synced = synced,
               .deadline = host->now().steady + timeout},
              keep(answer));
    return answer;
  }
  Get get(const std::string& key,
          dynamo::host::Host::By by = dynamo::host::Host::By::environment) {
    auto answer = std::make_shared<Answer<dynamo::core::GetAnswer>>();
    host->get({.store = facts,
               .key = key,
               .r = 1,
               .deadline = host->now().steady + std::chrono::seconds(1)},
              keep(answer), by);
    return answer;
  }
  // What a get shows now, in order of their dots; its error, if it fails.
  std::vector<std::string> objects(const std::string& key) {
    const Get answer = get(key);
    hands->turn();
    if (!answer->status.ok()) return {answer->status.ToString()};
    std::vector<std::string> objects;
    for (const dynamo::Version& version : answer->value.versions) objects.push_back(version.object);
    std::ranges::sort(objects);
    return objects;
  }
};

}  // namespace test
