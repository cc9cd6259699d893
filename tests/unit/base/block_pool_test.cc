#include "base/block_pool.h"

#include <cstdint>
#include <cstring>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "catch.hpp"

using dynamo::core::BlockPool;
using dynamo::core::PoolAllocator;

namespace {

constexpr std::size_t bytes = 100;

}  // namespace

// A sanitizer looks for what is used after it was freed, and there is no pool then.
#ifndef __SANITIZE_ADDRESS__
TEST_CASE("pool: the block that was given back last is taken first") {
  void* const first = BlockPool::take(bytes);
  void* const second = BlockPool::take(bytes);
  CHECK(first != second);
  BlockPool::give(first, bytes);
  BlockPool::give(second, bytes);
  CHECK(BlockPool::take(bytes + 1) == second);  // of about the same size
  CHECK(BlockPool::take(bytes) == first);
  BlockPool::give(first, bytes);
  BlockPool::give(second, bytes + 1);
}
#endif

TEST_CASE("pool: blocks of all sizes are whole, and nobody else's") {
  std::vector<std::pair<char*, std::size_t>> blocks;
  for (int round = 0; round < 3; ++round) {
    for (std::size_t size = 1; size < 700; ++size) {
      auto* const block = static_cast<char*>(BlockPool::take(size));
      CHECK(reinterpret_cast<std::uintptr_t>(block) % __STDCPP_DEFAULT_NEW_ALIGNMENT__ == 0);
      std::memset(block, static_cast<int>(size % 128), size);
      blocks.emplace_back(block, size);
    }
    std::size_t wrong = 0;
    for (const auto& [block, size] : blocks) {
      for (std::size_t i = 0; i < size; ++i) wrong += block[i] != static_cast<char>(size % 128);
      BlockPool::give(block, size);
    }
    CHECK(wrong == 0);
    blocks.clear();
  }
}

// What is more than a thread has use for is freed; the sanitizer's run sees what is lost.
TEST_CASE("pool: blocks may go back on another thread, and after what belongs to it") {
  struct Last {
    ~Last() { BlockPool::give(block, bytes); }
    void* block = nullptr;
  };
  std::vector<void*> blocks(5000);
  for (void*& block : blocks) block = BlockPool::take(bytes);
  std::thread([&blocks] {
    thread_local Last last;  // made before the pool of this thread, and so destroyed after it
    last.block = blocks.back();
    for (std::size_t i = 0; i + 1 < blocks.size(); ++i) BlockPool::give(blocks[i], bytes);
  }).join();
}

TEST_CASE("pool: what is shared may lie there") {
  std::weak_ptr<int> seen;
  {
    const auto shared = std::allocate_shared<int>(PoolAllocator<int>(), 7);
    seen = shared;
    CHECK(*shared == 7);
  }
  CHECK(seen.expired());
}
