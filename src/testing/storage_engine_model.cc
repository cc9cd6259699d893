#include "testing/storage_engine_model.h"

#include <array>
#include <limits>

#include <fmt/format.h>

namespace dynamo::testing {

absl::Status ModelledEngine::write(std::span<const StorageEngine::Write> batch) {
  if (absl::Status written = engine_.write(batch); !written.ok()) {
    return broken(fmt::format("a valid batch of {} writes was refused: {}", batch.size(),
                              written.ToString()));
  }
  for (const StorageEngine::Write& write : batch) {
    std::optional<std::string>& record = records_[std::string(write.key)];
    record.reset();
    if (write.record) record.emplace(*write.record);
  }
  return absl::OkStatus();
}

absl::Status ModelledEngine::put(std::string_view key, std::string_view record) {
  const std::array<StorageEngine::Write, 1> batch{{{.key = key, .record = record}}};
  return write(batch);
}

absl::Status ModelledEngine::erase(std::string_view key) {
  const std::array<StorageEngine::Write, 1> batch{{{.key = key, .record = std::nullopt}}};
  return write(batch);
}

absl::Status ModelledEngine::agrees_on_read(std::string_view key) const {
  int visits = 0;
  std::string seen;
  const absl::StatusOr<bool> found = engine_.read(key, [&](std::string_view record) {
    ++visits;
    seen = record;
  });
  if (!found.ok()) {
    return broken(fmt::format("read of {} failed: {}", quote(key), found.status().ToString()));
  }
  const auto at = records_.find(key);
  const bool expected = at != records_.end() && at->second.has_value();
  if (*found != expected || visits != (expected ? 1 : 0)) {
    return broken(fmt::format("read of {} returned {} and visited {} records; the key should be {}",
                              quote(key), *found, visits, expected ? "there" : "absent"));
  }
  if (expected && seen != *at->second) {
    return broken(
        fmt::format("read of {} gave {}, not {}", quote(key), quote(seen), quote(*at->second)));
  }
  return absl::OkStatus();
}

absl::Status ModelledEngine::agrees_on_scan(std::string_view from, std::size_t limit) const {
  auto expected = records_.lower_bound(from);
  const auto skip_absent = [&] {
    while (expected != records_.end() && !expected->second) ++expected;
  };
  std::size_t visits = 0;
  std::string wrong;
  const absl::Status scanned =
      engine_.scan(from, [&](std::string_view key, std::string_view record) {
        if (visits++ == limit)
          wrong = fmt::format("was told to stop before {} and did not", quote(key));
        if (!wrong.empty()) return false;
        skip_absent();
        if (expected == records_.end()) {
          wrong = fmt::format("visited {} where it should have ended", quote(key));
        } else if (key != expected->first) {
          wrong = fmt::format("visited {}, not {}", quote(key), quote(expected->first));
        } else if (record != *expected->second) {
          wrong = fmt::format("visited {} with {}, not {}", quote(key), quote(record),
                              quote(*expected->second));
        } else {
          ++expected;
        }
        return wrong.empty() && visits < limit;
      });
  if (!scanned.ok()) wrong = "failed: " + scanned.ToString();
  skip_absent();
  if (wrong.empty() && visits < limit && expected != records_.end()) {
    wrong = fmt::format("ended before {}", quote(expected->first));
  }
  if (wrong.empty()) return absl::OkStatus();
  return broken(fmt::format("scan from {}, visit {}: {}", quote(from), visits, wrong));
}

absl::Status ModelledEngine::agrees() const {
  absl::Status scanned = agrees_on_scan({}, std::numeric_limits<std::size_t>::max());
  if (!scanned.ok()) return scanned;
  for (const auto& [key, record] : records_) {
    if (absl::Status read = agrees_on_read(key); !read.ok()) return read;
  }
  return absl::OkStatus();
}

}  // namespace dynamo::testing
