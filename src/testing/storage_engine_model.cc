#include "testing/storage_engine_model.h"

#include <array>
#include <limits>

#include <fmt/format.h>

namespace dynamo::testing {

std::string quoted(std::string_view bytes) {
  constexpr std::size_t shown_max = 40;
  std::string text = "\"";
  for (const char byte : bytes.substr(0, shown_max)) {
    if (byte >= ' ' && byte <= '~') {
      text += byte;
    } else {
      text += fmt::format("\\x{:02x}", static_cast<unsigned char>(byte));
    }
  }
  return text + fmt::format("{}\" ({} bytes)", bytes.size() > shown_max ? "..." : "", bytes.size());
}

absl::Status broken(std::string message) { return absl::InternalError(message); }

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
    return broken(fmt::format("read of {} failed: {}", quoted(key), found.status().ToString()));
  }
  const auto at = records_.find(key);
  const bool expected = at != records_.end() && at->second.has_value();
  if (*found != expected || visits != (expected ? 1 : 0)) {
    return broken(fmt::format("read of {} returned {} and visited {} records; the key should be {}",
                              quoted(key), *found, visits, expected ? "there" : "absent"));
  }
  if (expected && seen != *at->second) {
    return broken(
        fmt::format("read of {} gave {}, not {}", quoted(key), quoted(seen), quoted(*at->second)));
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
          wrong = fmt::format("was told to stop before {} and did not", quoted(key));
        if (!wrong.empty()) return false;
        skip_absent();
        if (expected == records_.end()) {
          wrong = fmt::format("visited {} where it should have ended", quoted(key));
        } else if (key != expected->first) {
          wrong = fmt::format("visited {}, not {}", quoted(key), quoted(expected->first));
        } else if (record != *expected->second) {
          wrong = fmt::format("visited {} with {}, not {}", quoted(key), quoted(record),
                              quoted(*expected->second));
        } else {
          ++expected;
        }
        return wrong.empty() && visits < limit;
      });
  if (!scanned.ok()) wrong = "failed: " + scanned.ToString();
  skip_absent();
  if (wrong.empty() && visits < limit && expected != records_.end()) {
    wrong = fmt::format("ended before {}", quoted(expected->first));
  }
  if (wrong.empty()) return absl::OkStatus();
  return broken(fmt::format("scan from {}, visit {}: {}", quoted(from), visits, wrong));
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
