#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <new>
#include <utility>
#include <vector>

namespace dynamo::core {

struct SpareBlocks {
  SpareBlocks() = default;
  SpareBlocks(const SpareBlocks&) = delete;
  SpareBlocks& operator=(const SpareBlocks&) = delete;
  ~SpareBlocks() {
    for (void* block : blocks) ::operator delete(block);
  }

  std::size_t bytes = 0;  // of each block
  std::vector<void*> blocks{};
};

// For the maps of what is under way: keeps the memory of nodes that are gone for those to come.
// Operations come and go by the thousand, with more of them alive than an allocator keeps at hand,
// and their nodes are large.
//
// Node handles must not be taken from such a container: extract() of libstdc++ 12 leaks the
// allocator.
//
// Each container has its own, with memory for as many nodes as it had at most, up to a bound.
//
// Thread safety: that of the container.
template <class T>
class RecyclingAllocator {
 public:
  using value_type = T;

  RecyclingAllocator() : spare_(std::make_shared<SpareBlocks>()) {}
  // Copied when it is moved, too: a container that was moved from may be used again.
  RecyclingAllocator(const RecyclingAllocator& other) = default;
  RecyclingAllocator& operator=(const RecyclingAllocator& other) = default;
  ~RecyclingAllocator() = default;
  template <class U>
  RecyclingAllocator(const RecyclingAllocator<U>& other) : spare_(other.spare_) {}  // NOLINT

  T* allocate(std::size_t count) {
    if (count == 1 && spare_->bytes == sizeof(T) && !spare_->blocks.empty()) {
      void* const block = spare_->blocks.back();
      spare_->blocks.pop_back();
      return static_cast<T*>(block);
    }
    return static_cast<T*>(::operator new(count * sizeof(T)));
  }
  void deallocate(T* block, std::size_t count) {
    static_assert(alignof(T) <= __STDCPP_DEFAULT_NEW_ALIGNMENT__);
    if (count == 1 && spare_->blocks.empty()) spare_->bytes = sizeof(T);
    if (count == 1 && spare_->bytes == sizeof(T) && spare_->blocks.size() < blocks_max) {
      spare_->blocks.push_back(block);
    } else {
      ::operator delete(block);
    }
  }

  template <class U>
  friend bool operator==(const RecyclingAllocator& a, const RecyclingAllocator<U>& b) {
    return a.spare_ == b.spare_;
  }

 private:
  template <class>
  friend class RecyclingAllocator;

  static constexpr std::size_t blocks_max = (std::size_t{512} << 10) / sizeof(T);

  // Shared by the copies that a container makes of its allocator, for whatever type.
  std::shared_ptr<SpareBlocks> spare_;
};

template <class Key, class Value>
using RecyclingMap =
    std::map<Key, Value, std::less<>, RecyclingAllocator<std::pair<const Key, Value>>>;

}  // namespace dynamo::core
