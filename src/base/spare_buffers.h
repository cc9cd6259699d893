#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace dynamo::core {

// The memory of packets and records that are done with, for those to come. A packet of a busy turn
// has some kilobytes: too much for what an allocator keeps at hand, so that each one made from
// nothing costs a tidying up of the heap, and all small allocations after it are slow, too. A busy
// turn encodes more records than an allocator keeps at hand of one size.
//
// Each thread has its own, a few and not large ones; what a thread has no use for is freed. Small
// ones and large ones are kept apart, or all would become large.
//
// Thread safety: any thread.
class SpareBuffers {
 public:
  // Of a buffer for more than that, or for one whose size nobody knows.
  static constexpr std::size_t small_bytes_max = 1024;

  // Empty; with room from an earlier life, or without.
  static std::string take(std::size_t bytes = small_bytes_max + 1) {
    Spare* const spare = of_this_thread();
    std::vector<std::string>* const buffers = spare == nullptr ? nullptr : &spare->of(bytes);
    if (buffers == nullptr || buffers->empty()) return {};
    std::string buffer = std::move(buffers->back());
    buffers->pop_back();
    return buffer;
  }
  static void give(std::string buffer) {
    if (buffer.capacity() < bytes_min || buffer.capacity() > bytes_max) return;
    Spare* const spare = of_this_thread();
    if (spare == nullptr) return;
    std::vector<std::string>& buffers = spare->of(buffer.capacity());
    if (buffers.size() == (&buffers == &spare->small ? small_count_max : large_count_max)) return;
    buffer.clear();
    buffers.push_back(std::move(buffer));
  }

 private:
  static constexpr std::size_t small_count_max = 128;
  static constexpr std::size_t large_count_max = 8;
  static constexpr std::size_t bytes_min = 64;
  static constexpr std::size_t bytes_max = std::size_t{128} << 10;

  struct Spare {
    Spare() = default;
    Spare(const Spare&) = delete;
    Spare& operator=(const Spare&) = delete;
    ~Spare() { ended = true; }

    std::vector<std::string>& of(std::size_t bytes) {
      return bytes > small_bytes_max ? large : small;
    }

    std::vector<std::string> small{};
    std::vector<std::string> large{};
  };
  // What an application destroys at its end may still send, after what belongs to the thread.
  static inline thread_local bool ended = false;

  // Null once the thread has ended.
  static Spare* of_this_thread() {
    thread_local Spare spare;
    return ended ? nullptr : &spare;
  }
};

}  // namespace dynamo::core
