// Before a node has a view: it asks its seeds for a cluster, or founds one with them.

#include <algorithm>
#include <utility>

#include "membership/gossip_node.h"

namespace dynamo::membership {

void GossipMembership::look_up() {
  if (options_.lookup != nullptr && lookup_at_ <= now_) {
    lookup_at_ = now_ + lookup_period;
    for (const std::string& seed : options_.seeds) {
      options_.lookup(seed, [lookups = lookups_, seed](std::vector<std::string> addresses) {
        const std::lock_guard lock(lookups->mutex);
        lookups->found.emplace_back(seed, std::move(addresses));
      });
    }
  }
  const std::lock_guard lock(lookups_->mutex);
  for (const auto& [seed, addresses] : std::exchange(lookups_->found, {})) {
    seeds_.found(seed, addresses);
  }
}

// To this node, too, where it does not know yet which of the seeds it is.
void GossipMembership::say_hello() {
  if (hello_at_ > now_) return;
  hello_at_ = now_ + hello_period;
  for (std::size_t i = 0; i < seeds_.places().size(); ++i) {
    const SeedTable::Place& place = seeds_.places()[i];
    if (!seeds_.is_self(place)) send(place.address, Hello{seeds_.tag(i)});
  }
}

void GossipMembership::go_on_outside() {
  if (const SeedTable::Place* place = seeds_.in_cluster(now_, prng_.next())) {
    majority_since_.reset();
    ask_to_join(*place);
    return;
  }
  if (is_founder()) return found_alone();
  found_together();
}

void GossipMembership::ask_to_join(const SeedTable::Place& place) {
  if (ask_at_ > now_) return;
  ask_at_ = now_ + ask_period;
  send(place.address, Ask{{.kind = Change::Kind::join, .member = self_}});
}

void GossipMembership::found_alone() {
  View view{.number = 1, .cluster = {prng_.next() | 1, prng_.next()}, .members = {self_}};
  adopt(view);
}

// All who are there: they need not be let in one after the other.
View GossipMembership::founding_view() const {
  View view{.number = 1};
  view.members.push_back(self_);
  for (const std::size_t i : seeds_.unfounded(now_)) {
    const SeedTable::Place& place = seeds_.places()[i];
    if (!place.answered || seeds_.is_self(place)) continue;
    const bool known = std::ranges::any_of(view.members, [&](const Member& member) {
      return member.name == place.answered->name || member.identity == place.answered->identity;
    });
    if (!known) view.members.push_back(*place.answered);
  }
  for (Member& member : view.members) member.state = MemberState::up;
  std::ranges::sort(view.members, {}, &Member::name);
  return view;
}

// The voters are the places, which are the same for all: so no two founders both find a majority.
void GossipMembership::found_together() {
  if (!seeds_.has_self() || proposal_ || retry_at_ > now_) return;
  const std::vector<std::size_t> ready = seeds_.unfounded(now_);
  if (ready.size() < seeds_.majority()) {
    majority_since_.reset();
    return;
  }
  if (!majority_since_) majority_since_ = now_;
  // Others may be about to come; and the first of those who are there founds it, the next one only
  // if that one does not.
  std::size_t rank = 0;
  while (rank < ready.size() && !seeds_.is_self(seeds_.places()[ready[rank]])) ++rank;
  const bool all = ready.size() == seeds_.places().size();
  const auto wait = founding_patience * static_cast<int>(rank + (all ? 0 : 1));
  if (now_ - *majority_since_ < wait) return;
  std::vector<Proposal::Voter> voters;
  for (const SeedTable::Place& place : seeds_.places()) {
    voters.push_back({.identity = {}, .address = place.address});
  }
  own_ = founding_view();
  own_->cluster = {prng_.next() | 1, prng_.next()};
  start_proposal(1, std::move(voters), seeds_.majority());
}

}  // namespace dynamo::membership
