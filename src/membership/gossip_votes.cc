// How the next view is chosen: this node as a voter, and as the one who proposes.

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "membership/gossip_node.h"

#include "base/mutant.h"

namespace dynamo::membership {

// Whether this node has a vote on that view.
bool GossipMembership::vote_on(std::uint64_t number) const {
  if (!has_view()) return number == 1;
  const Member* self = core::present_member(*state_.view, self_.name);
  return number == state_.view->number + 1 && self != nullptr &&
         self->identity == self_.identity;
}

// That view has been chosen already, or this node does not know the one before.
void GossipMembership::answer_about(const Head& head, std::uint64_t number) {
  if (!has_view()) return;
  if (number <= state_.view->number) {
    send(head.address, News{*state_.view});
  } else {
    send(head.address, Digest{});
  }
}

Vote GossipMembership::vote_for(std::uint64_t number) const {
  return state_.vote.number == number ? state_.vote : Vote{.number = number};
}

bool GossipMembership::store(Vote vote) {
  Vote before = std::exchange(state_.vote, std::move(vote));
  if (core::mutated(core::Mutant::vote_not_stored) || persist()) return true;
  state_.vote = std::move(before);
  return false;
}

void GossipMembership::on(const Head& head, const Prepare& prepare) {
  if (!vote_on(prepare.number)) return answer_about(head, prepare.number);
  Vote vote = vote_for(prepare.number);
  if (!vote.promise(prepare.ballot)) {
    return send(head.address, Outvoted{prepare.number, prepare.ballot, vote.promised});
  }
  const Promise promise{.number = prepare.number,
                        .ballot = prepare.ballot,
                        .voter = prepare.voter,
                        .accepted = vote.accepted,
                        .view = vote.view};
  if (store(std::move(vote))) send(head.address, promise);
}

void GossipMembership::on(const Head& head, Accept accept) {
  if (!vote_on(accept.number)) return answer_about(head, accept.number);
  if (accept.view.number != accept.number) return;
  Vote vote = vote_for(accept.number);
  if (!vote.accept(accept.ballot, accept.view)) {
    return send(head.address, Outvoted{accept.number, accept.ballot, vote.promised});
  }
  if (!store(std::move(vote))) return;
  send(head.address, Accepted{accept.number, accept.ballot, accept.voter});
}

void GossipMembership::on(const Head& head, const Promise& promise) {
  if (!proposal_ || proposal_->number() != promise.number) return;
  if (proposal_->ballot() != promise.ballot) return;
  proposal_->promised(promise.voter, head.sender, promise.accepted, promise.view);
  advance();
}

void GossipMembership::on(const Head& head, const Accepted& accepted) {
  if (!proposal_ || proposal_->number() != accepted.number) return;
  if (proposal_->ballot() != accepted.ballot) return;
  proposal_->accepted(accepted.voter, head.sender);
  advance();
}

void GossipMembership::on(const Head&, const Outvoted& outvoted) {
  if (!proposal_ || proposal_->number() != outvoted.number) return;
  if (proposal_->ballot() != outvoted.ballot) return;
  highest_round_ = std::max(highest_round_, outvoted.promised.round);
  give_up(std::chrono::milliseconds(100 + prng_.below(500)));
}

void GossipMembership::start_proposal(std::uint64_t number, std::vector<Proposal::Voter> voters,
                                      std::size_t needed) {
  const std::uint64_t round = std::max(vote_for(number).promised.round, highest_round_) + 1;
  proposal_.emplace(number, Ballot{round, self_.identity}, std::move(voters), needed);
  proposed_at_ = now_;
  send_phase();
}

bool GossipMembership::is_own(const Proposal::Voter& voter) const {
  if (!voter.identity.is_zero()) return voter.identity == self_.identity;
  const auto place = std::ranges::find(seeds_.places(), voter.address, &SeedTable::Place::address);
  return place != seeds_.places().end() && seeds_.is_self(*place);
}

// This node's own vote first: with it on the disk no later life uses the ballot again.
void GossipMembership::send_phase() {
  sent_at_ = now_;
  const std::vector<std::size_t> waiting = proposal_->waits_for();
  for (const std::size_t voter : waiting) {
    if (is_own(proposal_->voters()[voter])) vote_here(voter);
  }
  const bool stored = state_.vote.number == proposal_->number() &&
                      state_.vote.promised == proposal_->ballot();
  if (!stored) return give_up(std::chrono::milliseconds(100 + prng_.below(500)));
  for (const std::size_t voter : waiting) {
    const Proposal::Voter& to = proposal_->voters()[voter];
    if (is_own(to)) continue;
    if (proposal_->phase() == Proposal::Phase::prepare) {
      send(to.address, Prepare{proposal_->number(), proposal_->ballot(), voter});
    } else {
      send(to.address,
           Accept{proposal_->number(), proposal_->ballot(), voter, proposal_->view()});
    }
  }
  advance();
}

void GossipMembership::vote_here(std::size_t voter) {
  Vote vote = vote_for(proposal_->number());
  if (proposal_->phase() == Proposal::Phase::prepare) {
    const Ballot accepted = vote.accepted;
    const std::optional<View> view = vote.view;
    if (vote.promise(proposal_->ballot()) && store(std::move(vote))) {
      proposal_->promised(voter, self_.identity, accepted, view);
    }
  } else if (vote.accept(proposal_->ballot(), proposal_->view()) && store(std::move(vote))) {
    proposal_->accepted(voter, self_.identity);
  }
}

// The next phase, if the votes for it are there.
void GossipMembership::advance() {
  if (!proposal_) return;
  if (proposal_->has_promises()) {
    proposal_->propose(*own_);
    return send_phase();
  }
  if (proposal_->phase() != Proposal::Phase::chosen) return;
  const View chosen = proposal_->view();
  proposal_.reset();
  if (may_adopt(chosen) && adopt(chosen)) return go_on();
  // Stored it could not be; or it is another founder's, and this node is not in it.
  retry_at_ = now_ + proposal_patience;
  for (const Member& member : chosen.members) send(member.address, News{chosen});
}

void GossipMembership::tick_proposal() {
  if (!proposal_) return;
  if (now_ - proposed_at_ > proposal_patience) {
    stalled_ = fmt::format("view {} is not decided: {} of {} members have answered, {} are needed",
                           proposal_->number(), proposal_->answers(), proposal_->voters().size(),
                           proposal_->needed());
    return give_up(std::chrono::milliseconds(prng_.below(1000)));
  }
  if (now_ - sent_at_ >= resend_period) send_phase();
}

void GossipMembership::give_up(core::TimePoint wait) {
  proposal_.reset();
  retry_at_ = now_ + wait;
}

}  // namespace dynamo::membership
