#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace dynamo::host {

// A look at a content that somebody holds: a key, and its record or that it is erased.
//
// Thread safety: a value.
class ContentRef {
 public:
  // At nothing.
  ContentRef() = default;

  explicit operator bool() const { return block_ != nullptr; }
  // Of these, REQUIRES: it is of something. Valid while somebody holds it.
  std::string_view key() const { return {bytes(), block_->key_bytes}; }
  std::optional<std::string_view> record() const {  // nullopt: erased
    if (block_->form == Block::Form::erased) return std::nullopt;
    if (block_->form == Block::Form::apart) return apart();
    return std::string_view(bytes() + block_->key_bytes, block_->record_bytes);
  }
  std::size_t record_bytes() const { return block_->record_bytes; }  // 0 if erased
  void prefetch() const {
    constexpr std::size_t line = 64;
    const auto* at = reinterpret_cast<const char*>(block_);
    for (std::size_t i = 0; i < lines_usual; ++i) __builtin_prefetch(at + i * line);
  }
  // All that it takes.
  std::size_t bytes_taken() const {
    return sizeof(Block) + block_->key_bytes + block_->record_bytes;
  }

 private:
  friend class Content;
  static constexpr std::size_t lines_usual = 4;  // of the processor's cache, for a short record

  struct Block {  // the key follows, and then the record, a short one
    std::atomic<std::uint32_t> shared{1};
    enum class Form : std::uint16_t { erased, here, apart } form = Form::erased;
    std::uint16_t key_bytes = 0;
    std::size_t record_bytes = 0;
    std::string* apart = nullptr;
  };

  explicit ContentRef(Block* block) : block_(block) {}
  void share() const {
    if (block_ != nullptr) block_->shared.fetch_add(1, std::memory_order_relaxed);
  }
  const char* bytes() const { return reinterpret_cast<const char*>(block_ + 1); }
  std::string_view apart() const { return *block_->apart; }

  Block* block_ = nullptr;
};

// One that is held. Shared and never changed: a commit must not copy 64 MiB. Short records, which
// most are, lie in one block of memory with the key and the count of those who share them.
//
// Thread safety: a value; those that share a record may be on any threads.
class Content : public ContentRef {
 public:
  // Of nothing.
  Content() = default;
  // nullopt: erased.
  Content(std::string_view key, std::optional<std::string> record);
  Content(std::string_view key, std::string_view record);
  Content(const Content& other) : Content(share(other)) {}
  Content(Content&& other) noexcept : ContentRef(std::exchange(other.block_, nullptr)) {}
  Content& operator=(Content other) noexcept {
    std::swap(block_, other.block_);
    return *this;
  }
  ~Content() { let_go(); }

  // Lets go of it without an end: whoever gets this holds it, and ends that by hold().
  ContentRef give() && { return ContentRef(std::exchange(block_, nullptr)); }
  static Content hold(ContentRef given) { return Content(given.block_); }
  // One more that holds what somebody holds.
  static Content share(ContentRef held) {
    held.share();
    return Content(held.block_);
  }

 private:
  explicit Content(Block* held) : ContentRef(held) {}

  void make(std::string_view key, std::string_view record);
  void let_go() {
    if (block_ != nullptr && block_->shared.fetch_sub(1, std::memory_order_acq_rel) == 1) free();
  }
  void free();
};

}  // namespace dynamo::host
