#include <dynamo/testing/storage_engine_check.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <thread>

#include <dynamo/storage/memory.h>

#include "catch.hpp"
#include "unit/storage/engine_access.h"
#include "unit/storage/temporary_directory.h"

namespace {

using dynamo::StorageEngine;
using test::ContainsSubstring;
using Engine = absl::StatusOr<std::unique_ptr<StorageEngine>>;

TEST_CASE("the memory engine keeps the contract") {
  const absl::Status status =
      dynamo::testing::storage_engine_check([]() -> Engine { return dynamo::memory_storage(); });
  INFO(status.ToString());
  CHECK(status.ok());
}

TEST_CASE("the LMDB engine keeps the contract") {
  const test::TemporaryDirectory temporary;
  int opened = 0;
  const absl::Status status = dynamo::testing::storage_engine_check(
      [&] { return test::open(temporary.path() / std::to_string(opened++)); });
  INFO(status.ToString());
  CHECK(status.ok());
}

TEST_CASE("the LMDB engine keeps its data when opened anew") {
  const test::TemporaryDirectory temporary;
  const absl::Status status =
      dynamo::testing::storage_engine_reopen_check([&] { return test::open(temporary.path()); });
  INFO(status.ToString());
  CHECK(status.ok());
}

TEST_CASE("the reopen check notices that the memory engine forgets") {
  const absl::Status status = dynamo::testing::storage_engine_reopen_check(
      []() -> Engine { return dynamo::memory_storage(); });
  CHECK_THAT(test::message(status), ContainsSubstring("what was written is there"));
}

// What can be wrong with an engine; each must be found, by the rule that is broken.
enum class Fault {
  signed_order,
  last_byte_ignored,
  half_batches_seen,
  refused_batch_applied,
  erase_lost,
  first_write_wins,
  empty_record_is_absent,
  record_cut,
  never_stops,
  bound_excluded,
  visits_twice,
};

class FaultyEngine final : public StorageEngine {
 public:
  explicit FaultyEngine(Fault fault) : fault_(fault), records_(Order{fault}) {}

  absl::StatusOr<bool> read(std::string_view key,
                            absl::FunctionRef<void(std::string_view)> visit) override {
    if (absl::Status refused = check({.key = key, .record = ""}); !refused.ok()) return refused;
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto found = records_.find(std::string(key));
    if (found == records_.end()) return false;
    if (has(Fault::empty_record_is_absent) && found->second.empty()) return false;
    visit(found->second);
    if (has(Fault::visits_twice)) visit(found->second);
    return true;
  }

  absl::Status write(std::span<const Write> batch) override {
    for (const Write& write : batch) {
      absl::Status refused = check(write);
      if (!refused.ok() && !has(Fault::refused_batch_applied)) return refused;
    }
    std::map<std::string, int> seen;
    std::unique_lock<std::mutex> lock(mutex_);
    for (const Write& write : batch) {
      if (absl::Status refused = check(write); !refused.ok()) return refused;
      if (has(Fault::first_write_wins) && seen[std::string(write.key)]++ > 0) continue;
      apply(write);
      if (has(Fault::half_batches_seen)) let_others_see(lock);
    }
    return absl::OkStatus();
  }

  absl::Status scan(std::string_view from,
                    absl::FunctionRef<bool(std::string_view, std::string_view)> visit) override {
    const std::lock_guard<std::mutex> lock(mutex_);
    ++scans_;
    auto at = has(Fault::bound_excluded) ? records_.upper_bound(std::string(from))
                                         : records_.lower_bound(std::string(from));
    for (; at != records_.end(); ++at) {
      if (!visit(at->first, at->second) && !has(Fault::never_stops)) break;
    }
    return absl::OkStatus();
  }

 private:
  struct Order {
    Fault fault;
    bool operator()(const std::string& a, const std::string& b) const {
      if (fault != Fault::signed_order) return a < b;
      return std::lexicographical_compare(
          a.begin(), a.end(), b.begin(), b.end(),
          [](char x, char y) { return static_cast<signed char>(x) < static_cast<signed char>(y); });
    }
  };

  bool has(Fault fault) const { return fault_ == fault; }

  static absl::Status check(const Write& write) {
    const bool valid = !write.key.empty() && write.key.size() <= key_bytes_max &&
                       (!write.record || write.record->size() <= record_bytes_max);
    return valid ? absl::OkStatus() : absl::InvalidArgumentError("out of range");
  }

  void apply(const Write& write) {
    std::string key(write.key);
    if (has(Fault::last_byte_ignored) && key.size() == key_bytes_max) key.pop_back();
    if (!write.record) {
      if (!has(Fault::erase_lost)) records_.erase(key);
      return;
    }
    std::string record(*write.record);
    if (has(Fault::record_cut) && record.size() > (1U << 20)) record.resize(1U << 20);
    records_.insert_or_assign(key, record);
  }

  // Until a scan has come by; when nobody scans, not for long.
  void let_others_see(std::unique_lock<std::mutex>& lock) {
    const int before = scans_;
    for (int i = 0; i < 20 && scans_ == before; ++i) {
      lock.unlock();
      std::this_thread::yield();
      lock.lock();
    }
  }

  const Fault fault_;
  std::mutex mutex_;
  std::map<std::string, std::string, Order> records_;  // guarded
  int scans_ = 0;                                      // guarded
};

TEST_CASE("the check finds what is wrong with an engine and names the rule") {
  struct Case {
    Fault fault;
    std::string rule;
  };
  const auto wrong = GENERATE(values<Case>({
      {Fault::signed_order, "keys are ordered as unsigned bytes"},
      {Fault::last_byte_ignored, "keys are ordered as unsigned bytes"},
      {Fault::half_batches_seen, "readers see whole batches"},
      {Fault::refused_batch_applied, "a refused batch changes nothing"},
      {Fault::erase_lost, "a read gives what was written last"},
      {Fault::first_write_wins, "the last write of a key in a batch wins"},
      {Fault::empty_record_is_absent, "a read gives what was written last"},
      {Fault::record_cut, "large records are kept"},
      {Fault::never_stops, "a scan starts and stops where it is told"},
      {Fault::bound_excluded, "a scan starts and stops where it is told"},
      {Fault::visits_twice, "a read gives what was written last"},
  }));
  const absl::Status status = dynamo::testing::storage_engine_check(
      [&]() -> Engine { return std::make_unique<FaultyEngine>(wrong.fault); });
  CHECK_THAT(test::message(status), ContainsSubstring("\"" + wrong.rule + "\""));
}

}  // namespace
