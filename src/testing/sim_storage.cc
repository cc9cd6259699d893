#include "testing/sim_storage.h"

#include <algorithm>
#include <stdexcept>
#include <utility>
#include <vector>

#include <dynamo/storage/memory.h>
#include <fmt/format.h>

#include "base/hash.h"
#include "node/engine_keys.h"

namespace dynamo::testing {

// An engine of the application's own may crash its node in the middle of a call.
class SimStorage::Call {
 public:
  explicit Call(SimStorage& storage) : storage_(storage.shared_from_this()) { ++storage_->calls_; }
  ~Call() {
    if (--storage_->calls_ == 0) storage_->dying_.clear();
  }
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

 private:
  const std::shared_ptr<SimStorage> storage_;
};

class SimStorage::Port final : public StorageEngine {
 public:
  Port(std::shared_ptr<SimStorage> storage, std::uint64_t life)
      : storage_(std::move(storage)), life_(life) {}
  ~Port() override {
    if (live() && storage_->own_) storage_->sever();
  }

  absl::StatusOr<bool> read(std::string_view key,
                            absl::FunctionRef<void(std::string_view record)> visit) override {
    if (!live()) return dead();
    const Call call(*storage_);
    return storage_->engine_->read(key, visit);
  }
  absl::Status write(std::span<const Write> batch) override {
    if (!live()) return dead();
    const Call call(*storage_);
    return storage_->write(batch);
  }
  absl::Status scan(
      std::string_view from,
      absl::FunctionRef<bool(std::string_view key, std::string_view record)> visit) override {
    if (!live()) return dead();
    const Call call(*storage_);
    return storage_->engine_->scan(from, visit);
  }

 private:
  bool live() const { return storage_->life_ == life_ && storage_->engine_ != nullptr; }
  absl::Status dead() const {
    return absl::DataLossError(fmt::format("the process of node {} is dead", storage_->node_));
  }

  const std::shared_ptr<SimStorage> storage_;
  const std::uint64_t life_;
};

SimStorage::SimStorage(std::shared_ptr<SimContext> context, std::string node, SimDisk rates,
                       std::uint64_t seed, std::shared_ptr<SimJournal> journal)
    : context_(std::move(context)),
      node_(std::move(node)),
      journal_(std::move(journal)),
      prng_(core::hash64(node_, seed ^ 0x6469736b)),
      rates_(rates),
      engine_(memory_storage()) {}

std::unique_ptr<StorageEngine> SimStorage::open(std::shared_ptr<SimStorage> storage,
                                                std::unique_ptr<StorageEngine> own) {
  storage->sever();
  if (own != nullptr) {
    storage->own_ = true;
    storage->engine_ = std::move(own);
  }
  const std::uint64_t life = storage->life_;
  return std::make_unique<Port>(std::move(storage), life);
}

void SimStorage::sever() {
  ++life_;
  started_ = false;
  if (!own_) return;
  if (calls_ > 0) dying_.push_back(std::move(engine_));
  engine_.reset();
}

core::TimePoint SimStorage::commit_time() {
  const std::int64_t mean = rates_.write_latency.count();
  // Half to one and a half times the mean. A disk that takes longer than the limit is a dead one,
  // and what is begun while a disk is slow should end soon after that.
  constexpr core::TimePoint limit = std::chrono::seconds(20);
  const std::int64_t drawn =
      mean / 2 + static_cast<std::int64_t>(prng_.below(static_cast<std::uint64_t>(mean) + 1));
  return std::min(core::TimePoint(drawn) * slowness_, limit);
}

void SimStorage::slow_down(int factor) {
  slowness_ = factor;
  if (factor > 1) journal_->fault(SimFault::slow_disk);
}

absl::Status SimStorage::draw_failure() {
  const bool by_chance = prng_.chance(rates_.write_error) && started_;
  if (next_write_) return *std::exchange(next_write_, std::nullopt);
  if (full_) return absl::ResourceExhaustedError("no space left on the simulated disk");
  if (by_chance) return absl::ResourceExhaustedError("the simulated disk failed to write");
  return absl::OkStatus();
}

absl::Status SimStorage::write(std::span<const StorageEngine::Write> batch) {
  absl::Status status = draw_failure();
  if (status.ok()) {
    status = engine_->write(batch);
    if (started_ && prng_.chance(rates_.bit_rot)) rot();
  } else if (absl::IsDataLoss(status)) {
    journal_->fault(SimFault::data_loss);
    // A sync that failed says nothing of what is on the disk.
    if (survives_crash() && !engine_->write(batch).ok()) {
      status = absl::DataLossError("the simulated disk failed to write, and so did the engine");
    }
  } else {
    journal_->fault(SimFault::write_error);
  }
  journal_->write({context_->scheduler().now(), node_, batch, status});
  return status;
}

bool SimStorage::rot() {
  if (engine_ == nullptr) return false;
  std::vector<std::string> keys;
  for (const core::RecordKind kind : {core::RecordKind::hint, core::RecordKind::object}) {
    const absl::Status scanned =
        engine_->scan(core::first_key(kind), [&](std::string_view key, std::string_view) {
          if (core::is_kind(key, kind)) keys.emplace_back(key);
          return core::is_kind(key, kind);
        });
    if (!scanned.ok()) return false;
  }
  return !keys.empty() && rot(keys[prng_.below(keys.size())]);
}

bool SimStorage::rot(std::string_view key) {
  std::string record;
  if (engine_ == nullptr) return false;
  const absl::StatusOr<bool> found =
      engine_->read(key, [&](std::string_view bytes) { record = bytes; });
  if (!found.ok() || record.empty()) return false;
  char& byte = record[prng_.below(record.size())];
  byte = static_cast<char>(byte ^ (1 << prng_.below(8)));
  const StorageEngine::Write write{key, record};
  if (!engine_->write({&write, 1}).ok()) return false;
  journal_->fault(SimFault::bit_rot);
  return true;
}

void SimStorage::require_simulated() const {
  if (!own_) return;
  throw std::logic_error(fmt::format(
      "SimCluster: node {} keeps its data in an engine of the application's own", node_));
}

DiskImage SimStorage::image() const {
  require_simulated();
  DiskImage image;
  const absl::Status scanned =
      engine_->scan("", [&](std::string_view key, std::string_view record) {
        image.records.emplace(key, record);
        return true;
      });
  if (!scanned.ok()) throw std::runtime_error(scanned.ToString());
  return image;
}

void SimStorage::restore(const DiskImage& image) {
  require_simulated();
  engine_ = memory_storage();
  full_ = false;
  next_write_.reset();
  std::vector<StorageEngine::Write> writes;
  writes.reserve(image.records.size());
  for (const auto& [key, record] : image.records) writes.push_back({key, record});
  if (const absl::Status status = engine_->write(writes); !status.ok()) {
    throw std::invalid_argument("SimCluster: disk image: " + status.ToString());
  }
}

}  // namespace dynamo::testing
