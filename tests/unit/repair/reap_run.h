#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/prng.h"
#include "causality/replica_key.h"
#include "repair/generation.h"

// One key on three owners and a stand-in, through puts, deletes, frames that are repeated at any
// time, hints, crashes, failed writes, lost disks, and the protocol of repair/generation.h that
// drops the record in the end. After each step, ghost histories say whether anything was lost or
// has come back (see unit/causality/replica_run.h).
namespace test {

class Canonical;

// A rule of the protocol that is left out.
enum class ReapMutant {
  none,
  never_refuses,            // frames of any stamp are merged by owners
  stand_in_never_refuses,   // and kept by stand-ins
  seals_over_old_hints,     // a stand-in settles with hints stamped lower
  hint_takes_newest_stamp,  // a hint is stamped as what came last, not as its oldest part
  answers_from_memory,      // an owner says that it holds what is not on its disk yet
  drops_unsynced,           // deletes that are not on the disk of who drops them
  drops_without_barrier,    // as soon as it is confirmed
  drops_after_one_barrier,
  drops_unconfirmed,          // on deletes that only this owner has
  confirmed_when_scanned,     // in the generation in which the round began
  drops_what_has_changed,     // a record that is not what was confirmed
  rebuilt_at_once,            // a wiped node settles before it has been rebuilt
  rebuilding_stamps_current,  // and stamps as if it were not
  counts_former_answers,      // the seal counts what a node said before it was wiped
  frames_for_any_identity,    // a frame for a node before it was wiped is taken by it afterwards
  count
};

class ReapRun {
 public:
  static constexpr std::size_t owners = 3;
  static constexpr std::size_t nodes = 4;  // the last is the stand-in
  static constexpr std::size_t writes_max = 60;

  enum class Op : std::uint8_t {
    put,
    erase,
    put_at_stand_in,
    get,
    replicate,
    deliver,
    keep_hint,
    hand_off,
    sync,
    crash,
    failed_put,
    wipe,
    contact,
    scan,
    exchange,
    begin,
    raise,
    settle,
    seal,
    hear_seal,
    drop,
    hear_drop,
    count
  };
  // What `a` and `b` mean depends on the op: nodes, a context, a frame.
  struct Step {
    Op op = Op::put;
    std::uint8_t a = 0, b = 0;
  };

  struct Tally {
    std::array<std::uint64_t, static_cast<std::size_t>(Op::count)> done{};
    std::uint64_t dropped = 0;  // records
    std::uint64_t refused = 0;  // frames
    std::uint64_t rebuilt = 0;  // nodes
  };

  explicit ReapRun(ReapMutant mutant = ReapMutant::none, std::size_t leader = 0);

  // Whether the step could be taken.
  bool apply(const Step& step);
  const std::string& failure() const { return failure_; }
  Tally& tally() { return tally_; }
  std::size_t frames() const { return frames_.size(); }
  std::size_t contexts() const { return contexts_.size(); }
  // Of those that are equal, the first.
  std::vector<std::uint8_t> distinct_contexts() const;
  std::vector<std::uint8_t> distinct_frames() const;
  // Something has happened to the owner, or may have: those to which nothing has are alike.
  bool touched(std::size_t owner) const { return owner == leader_ || (touched_ >> owner & 1) != 0; }
  // Equal states have equal futures.
  std::string fingerprint() const;

  static std::string text(const Step& step);

 private:
  using Set = dynamo::core::VersionSet;
  struct Hint {
    Set set{};
    std::uint64_t stamp = 0;
    std::set<std::size_t> has{};  // the owners that have it
  };
  struct Disk {
    dynamo::core::ReplicaKey record{};
    std::optional<Hint> hint{};
    dynamo::core::Generation generation{};
  };
  struct Candidate {
    Set set{};
    std::uint64_t generation = 0;
    std::set<std::size_t> equal{};  // the other owners known to hold it
  };
  struct Node {
    Disk now{};
    Disk durable{};
    dynamo::core::ActorSource actors{0};
    int life = 0;                    // of the disk
    bool lost = false;               // and it has not met anybody yet
    std::array<int, nodes> known{};  // whose life it knows
    std::optional<Candidate> candidate{};
    std::set<std::size_t> rebuilt_from{};
  };
  struct Frame {
    Set set{};
    std::uint64_t stamp = 0;
    std::array<int, nodes> lives{};  // of those whom it can have been sent to
    friend bool operator==(const Frame&, const Frame&) = default;
  };
  struct Drop {
    Set set{};
    std::uint64_t generation = 0;
  };
  struct Answer {
    std::uint64_t generation = 0;
    std::array<int, nodes> known{};
  };
  struct Seen {
    dynamo::core::History history{};
    std::uint64_t ghost = 0;
    friend bool operator==(const Seen&, const Seen&) = default;
  };
  struct Write {
    std::uint64_t history = 0;
    std::set<std::size_t> durable_on{};
  };

  bool take(const Step& step);
  bool take_protocol(const Step& step);
  void note_touched(const Step& step);
  bool begin(bool unasked);
  bool raise(std::size_t at);
  bool hear_seal(std::size_t at, std::size_t from);
  bool is(ReapMutant mutant) const { return mutant_ == mutant; }
  bool put(std::size_t at, const Seen& context, bool object, bool fails);
  bool put_at_stand_in(const Seen& context);
  dynamo::core::PutRequest request(const Seen& context, bool object);
  void acknowledge(const Seen& context, const dynamo::Dot& dot);
  bool get(std::size_t mask);
  void send(const Set& set, std::uint64_t stamp);
  bool deliver(std::size_t frame, std::size_t to);
  bool keep_hint(std::size_t frame);
  bool hand_off(std::size_t to);
  bool accepts(std::size_t owner, std::uint64_t stamp);
  void sync(std::size_t at);
  static bool is_ghost(const Disk& disk);
  void crash(std::size_t at);
  bool wipe(std::size_t at);
  bool contact(std::size_t a, std::size_t b);
  bool scan(std::size_t at);
  bool exchange(std::size_t at, std::size_t with);
  bool settle(std::size_t at);
  bool seal();
  // Somebody has confirmed what only another generation allows to drop.
  bool wished() const;
  bool may_drop(std::size_t at, std::uint64_t confirmed) const;
  bool drop(std::size_t at);
  bool hear_drop(std::size_t frame, std::size_t at);
  void erase_record(std::size_t at);
  void note_disk_lost(std::size_t at);
  std::uint64_t stamp(std::size_t at) const;

  static void add(Canonical& out, const Node& node);
  std::uint64_t ghost_of(const Set& set) const;
  Set everything(bool durable) const;
  void check();
  void check(const Set& all, const std::string& where);

  ReapMutant mutant_;
  std::size_t leader_;       // the one that seals
  std::uint64_t draws_ = 0;  // actors
  std::array<Node, nodes> nodes_{};
  std::map<std::size_t, Answer> answers_;  // to the node that seals
  std::uint64_t announced_ = 0;            // sealed, and told to all
  std::vector<Frame> frames_;
  std::vector<Drop> drops_;
  std::vector<Seen> contexts_;
  std::vector<Write> writes_;
  std::uint64_t reaped_ = 0;   // writes
  std::uint64_t touched_ = 0;  // owners
  Tally tally_;
  std::string failure_;
};

}  // namespace test
