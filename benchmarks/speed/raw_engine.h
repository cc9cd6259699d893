#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "speed/load.h"

namespace bench {

// LMDB without anything around it: what the library's own engine stands on.
class RawEngine {
 public:
  // Filled with the keys.
  RawEngine(const std::filesystem::path& directory, const std::vector<std::string>& keys,
            std::string value);
  ~RawEngine();

  // One get after the other, each in a renewed read transaction, its value copied.
  Sample gets(const Load& load, Keys& keys);
  // As gets() from two threads at once; gets per second of both.
  double gets_of_two(const Load& load);
  // One commit after the other, each of `batch` values under sorted keys, and on the disk when it
  // returns. Times are of the commit; the processor time is of one value.
  Sample synced_writes(const Load& load, Keys& keys, std::size_t batch);

 private:
  struct Handles;

  void commit(const std::vector<std::uint64_t>& sorted);

  const std::vector<std::string>& keys_;
  const std::string value_;
  std::unique_ptr<Handles> handles_;
};

}  // namespace bench
