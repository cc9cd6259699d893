#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace dynamo::core {

// The memory of packets that are done with, for those to come. A packet of a busy turn has some
// kilobytes: too much for what an allocator keeps at hand, so that each one made from nothing costs
// a tidying up of the heap, and all small allocations after it are slow, too.
//
// Each thread has its own, a few and not large ones; what a thread has no use for is freed.
//
// Thread safety: any thread.
class SpareBuffers {
 public:
  // Empty; with room from an earlier life, or without.
  static std::string take() {
    std::vector<std::string>* const spare = of_this_thread();
    if (spare == nullptr || spare->empty()) return {};
    std::string buffer = std::move(spare->back());
    spare->pop_back();
    return buffer;
  }
  static void give(std::string buffer) {
    std::vector<std::string>* const spare = of_this_thread();
    if (spare == nullptr || spare->size() == count_max) return;
    if (buffer.capacity() < bytes_min || buffer.capacity() > bytes_max) return;
    buffer.clear();
    spare->push_back(std::move(buffer));
  }

 private:
  static constexpr std::size_t count_max = 8;
  static constexpr std::size_t bytes_min = 64;
  static constexpr std::size_t bytes_max = std::size_t{128} << 10;

  struct Spare {
    Spare() = default;
    Spare(const Spare&) = delete;
    Spare& operator=(const Spare&) = delete;
    ~Spare() { ended = true; }

    std::vector<std::string> buffers{};
  };
  // What an application destroys at its end may still send, after what belongs to the thread.
  static inline thread_local bool ended = false;

  // Null once the thread has ended.
  static std::vector<std::string>* of_this_thread() {
    thread_local Spare spare;
    return ended ? nullptr : &spare.buffers;
  }
};

}  // namespace dynamo::core
