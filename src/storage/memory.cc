#include <dynamo/storage/memory.h>

#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <shared_mutex>
#include <string>
#include <utility>

#include "storage/limits.h"

namespace dynamo {
namespace {

class MemoryEngine final : public StorageEngine {
 public:
  absl::StatusOr<bool> read(std::string_view key,
                            absl::FunctionRef<void(std::string_view record)> visit) override {
    if (absl::Status valid = storage::check_key(key); !valid.ok()) return valid;
    const std::shared_lock<std::shared_mutex> lock = lock_for_reading();
    const auto found = records_.find(key);
    if (found == records_.end()) return false;
    visit(found->second);
    return true;
  }

  // Everything that can fail, the copies, comes before the lock; what is under it moves nodes only.
  absl::Status write(std::span<const Write> batch) override {
    if (absl::Status valid = storage::check_batch(batch); !valid.ok()) return valid;
    Records puts;
    std::set<std::string, std::less<>> erases;
    for (const Write& write : batch) {
      std::string key(write.key);
      if (write.record) {
        erases.erase(key);
        puts.insert_or_assign(std::move(key), std::string(*write.record));
      } else {
        puts.erase(key);
        erases.insert(std::move(key));
      }
    }
    Records replaced;  // freed after the lock
    const std::lock_guard<std::mutex> pass(turnstile_);
    const std::lock_guard<std::shared_mutex> lock(mutex_);
    for (const std::string& key : erases) replaced.insert(records_.extract(key));
    while (!puts.empty()) {
      auto result = records_.insert(puts.extract(puts.begin()));
      if (result.inserted) continue;
      result.position->second.swap(result.node.mapped());
      replaced.insert(std::move(result.node));
    }
    return absl::OkStatus();
  }

  absl::Status scan(
      std::string_view from,
      absl::FunctionRef<bool(std::string_view key, std::string_view record)> visit) override {
    const std::shared_lock<std::shared_mutex> lock = lock_for_reading();
    for (auto at = records_.lower_bound(from); at != records_.end(); ++at) {
      if (!visit(at->first, at->second)) break;
    }
    return absl::OkStatus();
  }

 private:
  // std::string compares as unsigned bytes, whatever the sign of char.
  using Records = std::map<std::string, std::string, std::less<>>;

  std::shared_lock<std::shared_mutex> lock_for_reading() {
    const std::lock_guard<std::mutex> pass(turnstile_);
    return std::shared_lock<std::shared_mutex>(mutex_);
  }

  // A writer holds the turnstile while it waits: a shared_mutex alone may let readers who keep
  // coming starve it.
  std::mutex turnstile_;
  std::shared_mutex mutex_;
  Records records_;  // guarded by mutex_
};

}  // namespace

std::unique_ptr<StorageEngine> memory_storage() { return std::make_unique<MemoryEngine>(); }

}  // namespace dynamo
