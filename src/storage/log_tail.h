#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include <absl/container/btree_set.h>
#include <dynamo/storage_engine.h>

namespace dynamo::storage {

// What the entries of one log say, by key: the last of each key's records, or that it is erased.
//
// Thread safety: may_have() any thread; the others as a container, so that who reads it holds off
// who changes it.
class LogTail {
 public:
  using Record = std::optional<std::string_view>;  // none: erased

  // The beginning of a key as numbers, in the same order: what is enough to tell two keys apart
  // nearly always, without a look at where they lie.
  struct Beginning {
    explicit Beginning(std::string_view key);
    std::uint64_t first = 0;
    std::uint64_t second = 0;
    friend auto operator<=>(const Beginning&, const Beginning&) = default;
  };
  // The last record of a key, where it lies in its entry.
  class Item {
   public:
    Item(std::string_view key, std::string_view encoded)
        : beginning_(key),
          at_(encoded.data()),
          bytes_(static_cast<std::uint32_t>(encoded.size())) {}

    const Beginning& beginning() const { return beginning_; }
    std::string_view key() const;
    Record record() const;
    // Of the same key: the order does not change.
    void replace(const Item& later) const {
      at_ = later.at_;
      bytes_ = later.bytes_;
    }

   private:
    Beginning beginning_;
    mutable const char* at_;
    mutable std::uint32_t bytes_;
  };
  struct Less {
    using is_transparent = void;
    bool operator()(const auto& a, const auto& b) const {
      const Beginning of_a = beginning_of(a);
      const Beginning of_b = beginning_of(b);
      return of_a != of_b ? of_a < of_b : key_of(a) < key_of(b);
    }

   private:
    static Beginning beginning_of(const Item& item) { return item.beginning(); }
    static Beginning beginning_of(std::string_view key) { return Beginning(key); }
    static std::string_view key_of(const Item& item) { return item.key(); }
    static std::string_view key_of(std::string_view key) { return key; }
  };
  using Records = absl::btree_set<Item, Less>;  // one of a key
  // What a tail was made of.
  struct Contents {
    Records records{};  // views into the entries
    std::deque<std::string> entries{};
  };

  // The entry of a batch, behind `head_bytes` that are for the log; `bytes` as encoded_bytes()
  // says.
  static std::string encode(std::span<const StorageEngine::Write> batch, std::size_t head_bytes,
                            std::size_t bytes);
  // Of that entry, at most.
  static std::size_t encoded_bytes(std::span<const StorageEngine::Write> batch,
                                   std::size_t head_bytes);

  // False: surely it does not. Most keys that a reader asks for are in no log, and to search it for
  // nothing would cost as much as half of the engine's search.
  bool may_have(std::uint64_t hash) const;
  static std::uint64_t hash_of(std::string_view key);

  // False: the entry makes no sense.
  bool add(std::string entry, std::size_t head_bytes);
  const Records& records() const { return contents_.records; }
  bool empty() const { return contents_.records.empty(); }
  // Empties it. What is returned takes a while to be freed.
  Contents take();

 private:
  // Two bits in a word of each key's own, so that it is one line of the processor's cache. For the
  // 70,000 records of 200 bytes in a log of 16 MiB one key in a hundred is taken for one of them.
  static constexpr std::size_t words = 16384;
  using Filter = std::array<std::atomic<std::uint64_t>, words>;

  Contents contents_;
  std::atomic<Filter*> filter_{nullptr};  // null until there is something
  std::unique_ptr<Filter> owned_{};
};

}  // namespace dynamo::storage
