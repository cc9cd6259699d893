#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "speed/load.h"

namespace bench {

// LMDB without anything around it: what the library's own engine stands on.
class RawEngine {
 public:
  // Empty, in place of what is there.
  explicit RawEngine(const std::filesystem::path& directory);
  // Filled with the keys, which outlive it.
  RawEngine(const std::filesystem::path& directory, const std::vector<std::string>& keys,
            std::string value);
  ~RawEngine();
  RawEngine(const RawEngine&) = delete;
  RawEngine& operator=(const RawEngine&) = delete;

  // One synced commit.
  void commit(const std::vector<std::pair<std::string_view, std::string_view>>& sorted);

  // One get after the other, each in a renewed read transaction, its value copied.
  Sample gets(const Load& load, Keys& keys);
  // As gets(), from that many threads at once; gets per second of all.
  double gets_of(int threads, const Load& load);
  // One commit after the other, each of `batch` values under sorted keys, and on the disk when it
  // returns. Times are of the commit; the processor time is of one value.
  Sample synced_writes(const Load& load, Keys& keys, std::size_t batch);

 private:
  struct Handles;

  void commit_keys(const std::vector<std::uint64_t>& sorted);

  const std::vector<std::string>* keys_ = nullptr;
  std::string value_{};
  std::unique_ptr<Handles> handles_;
};

}  // namespace bench
