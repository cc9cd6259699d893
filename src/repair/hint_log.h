#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <dynamo/membership.h>

#include "base/optional_mutex.h"
#include "base/time.h"

namespace dynamo::core {

// The hints that this node keeps as a stand-in (paper, 4.6): which there are, to whom they are
// owed, what they weigh. The version sets themselves lie in the engine, one record per key with the
// list of owners that it is owed to; this is the index to them, made again at every start.
//
// An accepted hint is never dropped (trap E5): where there is no room, new ones are refused. A hint
// is owed to an identity, never to an address or a name (trap E2). The zero identity stands for an
// owner that the coordinator had never heard of; it has its due once all owners have the set.
//
// Thread safety: one thread at a time; but if `shared`, any thread may call has_room(), put() and
// bytes() while none calls anything else.
class HintLog {
 public:
  explicit HintLog(bool shared = false) : mutex_(shared) {}

  struct Hint {
    std::vector<Identity> owed{};  // sorted
    std::string store{};
    std::size_t bytes = 0;
    std::int64_t since_us = 0;    // wall clock
    std::uint64_t stamp = 0;      // the generation of its oldest part
    std::uint64_t revision = 0;   // another one whenever the set may have changed
    std::uint64_t accepted = 0;   // its first revision
    std::set<Identity> synced{};  // who has synced this revision
    std::uint64_t synced_in = 0;  // the view in which they said so

    // Whether it has said so in this view. What it said in another does not count: it may have
    // owned the key no more in between, handed its copy on, and own it again without one.
    bool has_synced(const Identity& owner, std::uint64_t view) const {
      return synced_in == view && synced.contains(owner);
    }
  };
  using Hints = std::map<std::string, Hint, std::less<>>;  // by engine key

  // What a hint costs besides its record, roughly.
  static constexpr std::size_t overhead = 256;

  // Whether a record of `bytes` may take this key's place. One that is smaller always may.
  bool has_room(std::string_view key, std::size_t bytes, std::size_t bytes_max) const;
  // A hint has been written. Owed as well to those whom it was owed to already; `since_us` counts
  // for a new one.
  void put(std::string_view key, std::vector<Identity> owed, std::string_view store,
           std::size_t bytes, std::int64_t since_us, std::uint64_t stamp);
  // That owner has synced the set of that revision, and says so in that view. Nothing happens if
  // there is a newer revision; what was said in another view is forgotten.
  void note_synced(std::string_view key, std::uint64_t revision, std::uint64_t view,
                   const Identity& owner);
  // Owed to these alone from now on; the set is the same.
  void strike(std::string_view key, std::vector<Identity> owed, std::size_t bytes);
  void erase(std::string_view key);

  const Hint* find(std::string_view key) const;
  const Hints& hints() const { return hints_; }
  std::size_t bytes() const {
    const auto lock = mutex_.lock();
    return bytes_;
  }
  std::size_t owed_to(const Identity& identity) const;
  // The lowest; the highest number if there are none.
  std::uint64_t oldest_stamp() const { return stamps_.empty() ? UINT64_MAX : *stamps_.begin(); }
  // What the next hint's revision will be above.
  std::uint64_t last_revision() const { return last_revision_; }
  // How many there are, if some were accepted before that revision; else 0.
  std::size_t left_of(std::uint64_t revision) const;
  // How many have been erased so far.
  std::uint64_t erased() const { return erased_; }
  // Wall clock of the oldest; 0 if there are none.
  std::int64_t oldest_us() const { return since_.empty() ? 0 : *since_.begin(); }

 private:
  void count(const Hint& hint, bool add);

  OptionalMutex mutex_;  // guards the rest
  Hints hints_;
  std::size_t bytes_ = 0;
  std::uint64_t last_revision_ = 0;
  std::uint64_t erased_ = 0;
  std::map<Identity, std::size_t> owed_to_;
  std::multiset<std::int64_t> since_;
  std::multiset<std::uint64_t> stamps_;
  std::set<std::uint64_t> accepted_;
};

}  // namespace dynamo::core
