#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace dynamo::host {

// A record, or that it is erased. Shared and never changed: a commit must not copy 64 MiB. Short
// records, which most are, lie in one block of memory with the count of those who share them.
//
// Thread safety: a value; those that share a record may be on any threads.
class Content {
 public:
  // Says nothing.
  Content() = default;
  // nullopt: erased.
  explicit Content(std::optional<std::string> record);
  explicit Content(std::string_view record);
  Content(const Content& other) : block_(other.block_) { share(); }
  Content(Content&& other) noexcept : block_(std::exchange(other.block_, nullptr)) {}
  Content& operator=(Content other) noexcept {
    std::swap(block_, other.block_);
    return *this;
  }
  ~Content() { let_go(); }

  explicit operator bool() const { return block_ != nullptr; }
  // REQUIRES: it says something. Nullopt: erased. Valid while somebody shares it.
  std::optional<std::string_view> record() const;
  std::size_t size() const;  // of the record; 0 if erased

 private:
  struct Block {  // a short record follows
    std::atomic<std::uint32_t> shared{1};
    enum class Form : std::uint32_t { erased, here, apart } form = Form::erased;
    std::size_t size = 0;
  };
  struct Apart : Block {
    std::string record;
  };

  void make_here(std::string_view record);
  void share() const {
    if (block_ != nullptr) block_->shared.fetch_add(1, std::memory_order_relaxed);
  }
  void let_go();

  Block* block_ = nullptr;
};

}  // namespace dynamo::host
