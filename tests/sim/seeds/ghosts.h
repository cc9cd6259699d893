#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <deque>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <dynamo/outcome.h>
#include <dynamo/version.h>

#include "bits.h"
#include "causality/history.h"
#include "causality/version_set.h"

// Ghost histories (testing.md 3.3): what each writer had seen, kept by the harness and not by the
// system, so that it stays true if the system gives one dot twice or claims to have seen too much.
//
// Every write has a number that its object says. Its writer had seen what the get returned whose
// context it passes, and all that those writes had seen. Dots come in at one point only: a delete
// is never shown, so what a context says of deletes is taken from its dots; and whether a version
// that is back is the one that was replaced, or the false sibling that a retry leaves (P9), its dot
// says.
namespace seeds {

enum class Fate {
  pending,
  acknowledged,
  unknown,
  refused,  // by everybody, and for good
};

// One write, however often it is tried.
struct Write {
  int number = 0;
  int key = 0;
  std::size_t place = 0;                // in its key: what Bits of writes hold
  std::optional<std::string> object{};  // nullopt: a delete
  bool expires = false;
  Bits seen{};       // writes, itself included
  Bits seen_dots{};  // of what its writer was shown
  Fate fate = Fate::pending;
  int tries = 0;
  std::chrono::nanoseconds begun{};
  std::chrono::nanoseconds acknowledged_at{};
  dynamo::WriteId id{};             // zero until it is known
  std::uint64_t clock = 0;          // as records have it
  std::vector<dynamo::Dot> dots{};  // under which some record has had it as a version
  // A get may not show it, and that says nothing.
  bool may_be_hidden() const { return !object || expires; }
  // A record with this history has it, or has had it.
  bool is_in(const dynamo::core::History& history) const {
    return std::ranges::any_of(dots, [&](const dynamo::Dot& dot) { return history.contains(dot); });
  }
};

// Last write wins: `one` has the larger clock.
bool wins_over(const Write& one, const Write& other);
// Last write wins: one of the versions is the write, or has a larger clock than it.
bool has_winner(const Write& write, std::span<const dynamo::core::StoredVersion> versions);

// What a client has seen of a key.
struct Seen {
  Bits writes{};
  Bits dots{};
};

// A dot, and the write that has it.
struct KnownDot {
  dynamo::Dot dot{};
  int write = -1;  // a number; -1: of a write that nobody knows
  dynamo::WriteId id{};
  std::size_t write_place = 0;  // of the write in its key
  bool may_be_hidden = false;   // the write
};

// All writes and dots of one key.
struct KeyGhosts {
  std::vector<int> writes{};  // numbers, by place
  std::vector<KnownDot> dots{};
  std::map<dynamo::Dot, std::size_t> dot_places{};
  struct Counted {
    std::uint64_t counter = 0;
    std::size_t place = 0;
  };
  std::map<dynamo::ActorId, std::vector<Counted>> dots_by_actor{};  // by ascending counter
  Bits acknowledged{};                                              // writes
  Bits replaced_dots{};  // that acknowledged writes had seen
  Bits reaped{};         // writes that were covered by what was dropped
  int reaped_last = -1;  // last write wins: the one of them that wins over all others

  void add_dot(const KnownDot& known);
  // The places of the dots that are in a history. Lives of ten minutes ask this thousands of times
  // of thousands of dots, so it goes by actor and looks at no dot that is not in it.
  Bits dots_in(const dynamo::core::History& history) const;
};

// Thread safety: one thread.
class Ghosts {
 public:
  explicit Ghosts(int keys) : keys_(static_cast<std::size_t>(keys)) {}

  static std::string key_name(int key);
  // -1 if the run has no such key.
  int key_of(std::string_view name) const;

  // A new write by somebody who has seen that.
  Write& begin(int key, bool is_delete, bool expires, std::size_t size, const Seen& seen);
  // Valid for good; so is what the finders return.
  Write& write(int number) { return writes_[static_cast<std::size_t>(number)]; }
  const Write& write(int number) const { return writes_[static_cast<std::size_t>(number)]; }
  int writes() const { return static_cast<int>(writes_.size()); }
  KeyGhosts& of(int key) { return keys_[static_cast<std::size_t>(key)]; }
  const KeyGhosts& of(int key) const { return keys_[static_cast<std::size_t>(key)]; }
  int keys() const { return static_cast<int>(keys_.size()); }

  void name(int number, const dynamo::WriteId& id);
  void acknowledge(int number, std::chrono::nanoseconds at);

  // The write that this object names; nullptr if there is none, or the bytes differ from it.
  const Write* find_object(std::string_view object) const;
  // Of a stored version; nullptr if nobody knows it.
  Write* find_stored(const dynamo::core::StoredVersion& version);

  // What covers these writes of the key has been dropped.
  void reap(int key, const Bits& covered);
  // Last write wins: what it lost to has been dropped with the deletes.
  bool lost_to_reaped(const Write& write) const;

  // The place of a dot, which is made if there is none.
  std::size_t dot_place(int key, const dynamo::core::StoredVersion& version);

  // What somebody has seen who was shown these versions with a context of that history: H of the
  // versions, and of what is hidden and the context covers.
  Seen seen_by(int key, const std::vector<dynamo::Version>& versions,
               const dynamo::core::History& context);
  // Of a writer, after a put whose context covers some dots of the write.
  Seen seen_after(const Write& write, const dynamo::core::History& context) const;

 private:
  std::deque<Write> writes_;  // that stay where they are
  std::vector<KeyGhosts> keys_;
  std::map<dynamo::WriteId, int> by_id_;
};

}  // namespace seeds
