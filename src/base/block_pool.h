#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <new>
#include <utility>

namespace dynamo::core {

// Memory of small objects that live as long as an operation, or as what it has answered: the block
// that was given back last is taken first, and still near the processor. An allocator keeps but a
// few of one size at hand. Of what is beyond that it takes what was freed longest ago, which in a
// heap that has seen many sizes is far away, and joins and parts neighbours at that.
//
// Each thread has its own, and of each size some kilobytes at most. What one thread gives back and
// another takes is freed, and allocated, as ever.
//
// Thread safety: any thread.
class BlockPool {
 public:
  static void* take(std::size_t bytes) {
    Spare* const spare = bytes <= bytes_max ? of_this_thread() : nullptr;
    if (spare == nullptr) return ::operator new(bytes);
    List& list = spare->lists[class_of(bytes)];
    if (list.first == nullptr) return ::operator new(rounded(bytes));
    Block* const block = list.first;
    list.first = block->next;
    list.bytes -= rounded(bytes);
    return block;
  }
  // `bytes`: as it was taken.
  static void give(void* block, std::size_t bytes) noexcept {
    Spare* const spare = bytes <= bytes_max ? of_this_thread() : nullptr;
    if (spare == nullptr) return ::operator delete(block);
    List& list = spare->lists[class_of(bytes)];
    if (list.bytes >= list_bytes_max) return ::operator delete(block);
    list.first = ::new (block) Block{list.first};
    list.bytes += rounded(bytes);
  }

 private:
  static constexpr std::size_t unit = 32;
  // A sanitizer looks for what is used after it was freed.
#ifdef __SANITIZE_ADDRESS__
  static constexpr std::size_t bytes_max = 0;
#else
  static constexpr std::size_t bytes_max = 512;
#endif
  static constexpr std::size_t list_bytes_max = std::size_t{32} << 10;

  struct Block {
    Block* next = nullptr;
  };
  struct List {
    Block* first = nullptr;
    std::size_t bytes = 0;
  };
  struct Spare {
    Spare() = default;
    Spare(const Spare&) = delete;
    Spare& operator=(const Spare&) = delete;
    ~Spare() {
      ended = true;
      for (List& list : lists) {
        while (list.first != nullptr)
          ::operator delete(std::exchange(list.first, list.first->next));
      }
    }
    std::array<List, bytes_max / unit + 1> lists{};
  };
  // As SpareBuffers has it.
  static inline thread_local bool ended = false;

  static constexpr std::size_t class_of(std::size_t bytes) { return (bytes + unit - 1) / unit; }
  static constexpr std::size_t rounded(std::size_t bytes) { return class_of(bytes) * unit; }
  // Null once the thread has ended.
  static Spare* of_this_thread() {
    thread_local Spare spare;
    return ended ? nullptr : &spare;
  }
};

// Of objects from there.
template <class T>
class PoolAllocator {
 public:
  using value_type = T;

  PoolAllocator() = default;
  template <class U>
  PoolAllocator(const PoolAllocator<U>& /*other*/) {}  // NOLINT: as every allocator

  T* allocate(std::size_t count) {
    static_assert(alignof(T) <= __STDCPP_DEFAULT_NEW_ALIGNMENT__);
    return static_cast<T*>(BlockPool::take(count * sizeof(T)));
  }
  void deallocate(T* block, std::size_t count) noexcept {
    BlockPool::give(block, count * sizeof(T));
  }
  template <class U>
  friend bool operator==(const PoolAllocator& /*a*/, const PoolAllocator<U>& /*b*/) {
    return true;
  }
};

}  // namespace dynamo::core
