#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <absl/container/btree_set.h>
#include <dynamo/storage_engine.h>

namespace dynamo::storage {

// What the entries of one log say, by key: the last of each key's records, or that it is erased.
// The entries themselves are elsewhere, and stay while they are in it.
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
    // `at`: where it is encoded, in so many bytes.
    Item(std::string_view key, bool erases, const char* at, std::size_t bytes)
        : beginning_(key), at_(at), bytes_(static_cast<std::uint32_t>(bytes)), erases_(erases) {}

    const Beginning& beginning() const { return beginning_; }
    std::string_view key() const;
    Record record() const;
    bool erases() const { return erases_; }
    // Of the same key: the order does not change.
    void replace(const Item& later) const {
      at_ = later.at_;
      bytes_ = later.bytes_;
      erases_ = later.erases_;
    }

   private:
    Beginning beginning_;
    mutable const char* at_;
    mutable std::uint32_t bytes_;
    mutable bool erases_;
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

  // There will be entries of so many bytes. REQUIRES: it is empty.
  void expect(std::size_t bytes);
  // False: the entry makes no sense. `items` are what is behind its head, and lie at `at` as well,
  // where they stay. REQUIRES: expect() was called.
  bool add(std::string_view items, const char* at);
  const Records& records() const { return records_; }
  // Of the records.
  std::size_t erases() const { return erases_; }
  bool empty() const { return records_.empty(); }
  // Empties it. What is returned takes a while to be freed.
  Records take();

 private:
  // Two bits in a word of each key's own, so that it is one line of the processor's cache. Of a log
  // with records of 200 bytes one key in a hundred is taken for one of them.
  static constexpr std::size_t bytes_a_word = 1024;
  using Filter = std::vector<std::atomic<std::uint64_t>>;  // a power of two

  Records records_;  // views of the entries
  std::size_t erases_ = 0;
  std::atomic<Filter*> filter_{nullptr};  // the last of them; null until there may be something
  // Those before are for who looks into one still. Each is larger than the one before.
  std::vector<std::unique_ptr<Filter>> filters_{};
};

}  // namespace dynamo::storage
