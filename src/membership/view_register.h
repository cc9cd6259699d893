#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <dynamo/membership.h>

// How the members of a view choose the next one: a register that is written once, by a majority of
// them, without a leader (Paxos for a single decree; trap F14). Two sides of a split can never
// choose two, and what has been chosen is found by whoever asks a majority later.
//
//   prepare:  a proposer asks all voters to promise its ballot. They answer with what they have
//             accepted already.
//   accept:   with promises of a majority, it asks all to accept a view: the one that was accepted
//             under the highest ballot among the promises, its own only if there is none.
//   chosen:   once a majority has accepted under this ballot.
//
// A voter stores its vote before it says anything. Both sides are values that do no I/O; whoever
// holds them sends, stores and keeps the time.
namespace dynamo::membership {

// Ordered; no two proposals for a view have the same.
struct Ballot {
  std::uint64_t round = 0;  // 0: none
  Identity proposer{};
  friend auto operator<=>(const Ballot&, const Ballot&) = default;
};

// What one voter has said about view `number`.
//
// Thread safety: one thread at a time.
struct Vote {
  std::uint64_t number = 0;
  Ballot promised{};
  Ballot accepted{};          // round 0: nothing
  std::optional<View> view{};  // that was accepted

  // Returns whether the ballot is as high as any that was promised; it is promised then.
  bool promise(const Ballot& ballot);
  // The same, and the view is accepted.
  bool accept(const Ballot& ballot, const View& proposed);
};

// One attempt to have a view chosen.
//
// Thread safety: one thread at a time.
class Proposal {
 public:
  enum class Phase { prepare, accept, chosen };

  struct Voter {
    Identity identity{};  // zero: whoever answers for it (at the founding of a cluster)
    std::string address{};
  };

  // Of `voters`, `needed` make a majority. REQUIRES: more than half of them; a ballot that was
  // never used before.
  Proposal(std::uint64_t number, Ballot ballot, std::vector<Voter> voters, std::size_t needed);

  std::uint64_t number() const { return number_; }
  const Ballot& ballot() const { return ballot_; }
  const std::vector<Voter>& voters() const { return voters_; }
  Phase phase() const { return phase_; }

  // A voter's answer to prepare. Nothing happens if it is not one of the voters, or late.
  void promised(std::size_t voter, const Identity& identity, const Ballot& accepted,
                const std::optional<View>& view);
  bool has_promises() const { return phase_ == Phase::prepare && answered_.size() >= needed_; }
  bool has_all_promises() const { return phase_ == Phase::prepare && waits_for().empty(); }
  // With has_promises(): goes on to accept. The view that has to be proposed is `own` only if none
  // was accepted by any that promised.
  void propose(View own);
  // A voter's answer to accept.
  void accepted(std::size_t voter, const Identity& identity);

  // REQUIRES: propose() was called.
  const View& view() const { return *view_; }
  // Those that have not answered in this phase.
  std::vector<std::size_t> waits_for() const;
  std::size_t needed() const { return needed_; }
  std::size_t answers() const { return answered_.size(); }

 private:
  bool note(std::size_t voter, const Identity& identity);

  const std::uint64_t number_;
  const Ballot ballot_;
  const std::vector<Voter> voters_;
  const std::size_t needed_;
  Phase phase_ = Phase::prepare;
  std::map<std::size_t, Identity> answered_;  // in this phase
  Ballot highest_{};
  std::optional<View> view_;
};

}  // namespace dynamo::membership
