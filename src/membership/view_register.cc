#include "membership/view_register.h"

#include <utility>

#include "base/check.h"

namespace dynamo::membership {

bool Vote::promise(const Ballot& ballot) {
  if (ballot < promised) return false;
  promised = ballot;
  return true;
}

bool Vote::accept(const Ballot& ballot, const View& proposed) {
  if (!promise(ballot)) return false;
  accepted = ballot;
  view = proposed;
  return true;
}

Proposal::Proposal(std::uint64_t number, Ballot ballot, std::vector<Voter> voters,
                   std::size_t needed)
    : number_(number), ballot_(ballot), voters_(std::move(voters)), needed_(needed) {
  DYNAMO_CHECK(2 * needed_ > voters_.size());
}

// At the founding of a cluster a voter is an address, and the one who answers there may change;
// only one of them counts.
bool Proposal::note(std::size_t voter, const Identity& identity) {
  if (voter >= voters_.size()) return false;
  const Identity& expected = voters_[voter].identity;
  if (!expected.is_zero() && expected != identity) return false;
  return answered_.emplace(voter, identity).second;
}

void Proposal::promised(std::size_t voter, const Identity& identity, const Ballot& accepted,
                        const std::optional<View>& view) {
  if (phase_ != Phase::prepare || !note(voter, identity)) return;
  if (accepted.round == 0 || !view || accepted <= highest_) return;
  highest_ = accepted;
  view_ = view;
}

void Proposal::propose(View own) {
  DYNAMO_CHECK(has_promises());
  if (!view_) view_ = std::move(own);
  answered_.clear();
  phase_ = Phase::accept;
}

void Proposal::accepted(std::size_t voter, const Identity& identity) {
  if (phase_ != Phase::accept || !note(voter, identity)) return;
  if (answered_.size() >= needed_) phase_ = Phase::chosen;
}

std::vector<std::size_t> Proposal::waits_for() const {
  std::vector<std::size_t> voters;
  for (std::size_t voter = 0; voter < voters_.size(); ++voter) {
    if (!answered_.contains(voter)) voters.push_back(voter);
  }
  return voters;
}

}  // namespace dynamo::membership
