// A node's membership: its life, its messages, and the views that it hears of and passes on.

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/hash.h"
#include "base/mutant.h"
#include "membership/gossip_node.h"
#include "ring/placement.h"

namespace dynamo {

std::unique_ptr<Membership> gossip_membership(GossipOptions options) {
  return std::make_unique<membership::GossipMembership>(std::move(options));
}

}  // namespace dynamo

namespace dynamo::membership {

GossipMembership::GossipMembership(GossipOptions options)
    : options_(std::move(options)), label_(core::hash64(options_.cluster, 0)) {}

absl::Status GossipMembership::restore(const std::string& stored) {
  if (stored.empty()) return absl::OkStatus();
  absl::StatusOr<GossipState> state = decode_state(stored);
  if (!state.ok()) return state.status();
  state_ = *std::move(state);
  if (core::mutated(core::Mutant::votes_forgotten)) state_.vote = {};
  if (!state_.view) return absl::OkStatus();
  for (const Member& member : state_.view->members) {
    if (member.identity != self_.identity || core::is_present(member)) continue;
    return absl::FailedPreconditionError(fmt::format(
        "node \"{}\" has {} its cluster for good; to join one, it needs an empty data directory",
        self_.name, member.state == MemberState::left ? "left" : "been removed from"));
  }
  return absl::OkStatus();
}

absl::Status GossipMembership::start(Member self, std::string state, std::uint64_t seed,
                                     Callbacks callbacks) {
  self_ = std::move(self);
  callbacks_ = std::move(callbacks);
  prng_ = core::Prng(seed);
  if (absl::Status status = restore(state); !status.ok()) return status;
  seeds_ = SeedTable(options_.seeds, options_.lookup != nullptr, self_.address);
  running_ = true;
  ++state_.incarnation;
  life_ = static_cast<std::uint32_t>(prng_.next());
  if (!persist()) {
    running_ = false;
    return absl::UnavailableError("the state of the membership could not be stored");
  }
  if (has_view()) {
    callbacks_.publish(*state_.view);
  } else if (is_founder()) {
    found_alone();
  }
  return absl::OkStatus();
}

void GossipMembership::stop() {
  running_ = false;
  proposal_.reset();
  callbacks_ = {};
}

Head GossipMembership::head() const {
  return {.label = label_,
          .partitions = static_cast<std::uint64_t>(options_.partitions),
          .cluster = has_view() ? state_.view->cluster : Identity{},
          .sender = self_.identity,
          .incarnation = state_.incarnation,
          .life = life_,
          .view = has_view() ? state_.view->number : 0,
          .name = self_.name,
          .address = self_.address};
}

void GossipMembership::send(const std::string& address, const GossipBody& body) {
  if (!address.empty()) callbacks_.send(address, encode_message(head(), body));
}

bool GossipMembership::persist() { return callbacks_.persist(encode_state(state_)).ok(); }

// Why the two can have no cluster in common; empty: they can.
std::string GossipMembership::trouble_with(const Head& head, const std::string& label) const {
  if (head.label != label_) {
    return fmt::format("belongs to a cluster with the label \"{}\", this node to \"{}\"", label,
                       options_.cluster);
  }
  if (head.partitions != static_cast<std::uint64_t>(options_.partitions)) {
    return fmt::format("has partitions={}, this node has {}", head.partitions, options_.partitions);
  }
  if (has_view() && !head.cluster.is_zero() && head.cluster != state_.view->cluster) {
    return fmt::format("belongs to cluster {}, this node to {}", head.cluster.to_string(),
                       state_.view->cluster.to_string());
  }
  return {};
}

// Returns false for an earlier life: a packet that comes late, or an older copy of a directory,
// whose votes must not count.
bool GossipMembership::note_heard(const Head& head) {
  constexpr std::size_t heard_max = 65536;  // identities that strangers make up
  if (heard_.size() >= heard_max) heard_.clear();
  Heard& heard = heard_[head.sender];
  if (head.incarnation < heard.incarnation) return false;
  const bool copied = head.incarnation == heard.incarnation && head.life != heard.life;
  if (copied && heard.message != 0) return false;
  heard = {now_, ++messages_heard_, head.incarnation, head.life};
  if (has_view() && head.cluster == state_.view->cluster) heard_at_ = now_;
  return true;
}

// An older copy of a directory, that is: what it learns by that is the view, and from its peers
// that it is one. A copy from before its first view would wait for ever (seed 702474).
bool GossipMembership::may_ask(const GossipBody& body) {
  const auto* ask = std::get_if<Ask>(&body);
  return std::holds_alternative<Hello>(body) ||
         (ask != nullptr && ask->change.kind == Change::Kind::join);
}

bool GossipMembership::heard_within(const Identity& identity, core::TimePoint period) const {
  const auto at = heard_.find(identity);
  return at != heard_.end() && now_ - at->second.at <= period;
}

void GossipMembership::receive(std::string payload) {
  if (!running_) return;
  absl::StatusOr<GossipMessage> message = decode_message(payload);
  if (!message.ok()) return;
  const Head& head = message->head;
  if (head.sender.is_zero() || head.name.empty()) return;
  const bool greets = std::holds_alternative<Hello>(message->body) ||
                      std::holds_alternative<Greeting>(message->body);
  if (!greets && (head.sender == self_.identity || !trouble_with(head, "").empty())) return;
  if (head.sender != self_.identity && !note_heard(head) && !may_ask(message->body)) return;
  std::visit([&](auto&& body) { on(head, std::forward<decltype(body)>(body)); },
             std::move(message->body));
}

void GossipMembership::on(const Head& head, const Hello& hello) {
  send(head.address, Greeting{.tag = hello.tag, .label = options_.cluster, .self = self_});
  if (has_view() || head.sender == self_.identity) return;
  // It has just come, so it is asked at once and not in a while.
  if (const auto tag = seeds_.tag_of_silent(head.address, now_)) send(head.address, Hello{*tag});
}

void GossipMembership::on(const Head& head, Greeting greeting) {
  greeting.self.address = head.address;
  greeting.self.identity = head.sender;
  greeting.self.name = head.name;
  const std::string trouble = trouble_with(head, greeting.label);
  seeds_.greeted(now_, head, greeting, self_.identity, trouble);
  if (!has_view()) go_on_outside();
}

void GossipMembership::on(const Head& head, const Digest&) {
  if (!has_view()) return;
  if (head.view < state_.view->number) send(head.address, News{*state_.view});
  if (head.view <= state_.view->number) return;
  // Others who are ahead say so, too; one of them may send it.
  if (head.view <= pulled_ && now_ - pulled_at_ < pull_period) return;
  pulled_ = head.view;
  pulled_at_ = now_;
  send(head.address, Digest{});
}

void GossipMembership::on(const Head&, News news) {
  if (may_adopt(news.view)) adopt(news.view);
}

void GossipMembership::on(const Head& head, const Ask& ask) {
  if (!has_view()) return;
  if (core::is_done(*state_.view, ask.change)) return send(head.address, News{*state_.view});
  const Member* self = core::present_member(*state_.view, self_.name);
  if (self == nullptr || self->identity != self_.identity) {
    // This node has no say any more; others have, and the asker may know none of them.
    const std::vector<const Member*> members = others();
    if (!members.empty()) send(members[prng_.below(members.size())]->address, ask);
    return;
  }
  add_pending(ask.change, head.address);
  go_on();
}

void GossipMembership::on(const Head&, const Refused& refused) {
  if (!has_view() && refused.kind == Change::Kind::join) refused_ = refused.reason;
}

bool GossipMembership::may_adopt(const View& view) {
  if (view.number == 0 || view.cluster.is_zero()) return false;
  if (has_view()) {
    return view.cluster == state_.view->cluster && view.number > state_.view->number;
  }
  const Member* self = core::present_member(view, self_.name);
  return self != nullptr && self->identity == self_.identity;
}

bool GossipMembership::adopt(const View& view) {
  const std::optional<View> before = std::exchange(state_.view, view);
  const Vote vote = std::exchange(state_.vote, Vote{});
  if (!persist()) {
    state_.view = before;
    state_.vote = vote;
    return false;
  }
  proposal_.reset();
  stalled_.clear();
  refused_.clear();
  highest_round_ = 0;
  retry_at_ = now_;
  callbacks_.publish(*state_.view);
  spread(before ? &*before : nullptr);
  return true;
}

// To some, who do the same; and to those that cannot know yet that it concerns them. A large view
// is only announced: whoever lacks it asks for it, once.
void GossipMembership::spread(const View* before) {
  std::vector<const Member*> peers = others();
  std::size_t count = std::min(spread_to, peers.size());
  for (std::size_t i = 0; i < count; ++i) {
    std::swap(peers[i], peers[i + prng_.below(peers.size() - i)]);
  }
  const std::size_t all = peers.size();
  peers.resize(count);
  if (state_.view->members.size() + state_.view->moves.size() > large) {
    for (const Member* peer : std::exchange(peers, {})) send(peer->address, Digest{});
  }
  for (const Member& member : state_.view->members) {
    if (before == nullptr || member.identity == self_.identity) continue;
    const auto known = std::ranges::find(before->members, member.identity, &Member::identity);
    const bool is_news =
        known == before->members.end() || core::is_present(*known) != core::is_present(member);
    // Not by everybody: in a large cluster that would be as many views as there are members.
    if (is_news && (all <= spread_to || prng_.below(all) < spread_to)) peers.push_back(&member);
  }
  for (const Member* peer : peers) send(peer->address, News{*state_.view});
}

std::vector<const Member*> GossipMembership::others() const {
  std::vector<const Member*> others;
  for (const Member& member : state_.view->members) {
    if (core::is_present(member) && member.identity != self_.identity) others.push_back(&member);
  }
  return others;
}

// One random member a second; and seeds, if no member has been heard of for a while: all addresses
// may have changed.
void GossipMembership::gossip() {
  if (digest_at_ > now_) return;
  digest_at_ = now_ + digest_period;
  const std::vector<const Member*> peers = others();
  if (!peers.empty()) send(peers[prng_.below(peers.size())]->address, Digest{});
  if (peers.empty() || seeds_.empty() || now_ - heard_at_ <= silence) return;
  look_up();
  const SeedTable::Place& place = seeds_.places()[prng_.below(seeds_.places().size())];
  if (!seeds_.is_self(place)) send(place.address, Digest{});
}

void GossipMembership::tick(std::chrono::steady_clock::time_point now) {
  if (!running_) return;
  const bool first = now_ == core::TimePoint{};
  now_ = now.time_since_epoch();
  if (first) {
    for (Pending& pending : pending_) pending.since = now_;
  }
  tick_proposal();
  if (!has_view()) {
    look_up();
    say_hello();
    go_on_outside();
    return;
  }
  gossip();
  note_own_settings();
  go_on();
}

std::vector<std::string> GossipMembership::notes() const {
  std::vector<std::string> notes;
  if (!running_) return notes;
  if (!has_view()) {
    if (seeds_.empty()) {
      notes.emplace_back("a cluster could not be founded: its first view was not stored");
    } else {
      notes.push_back(fmt::format("waiting for a cluster; seeds: {}", seeds_.describe(now_)));
      if (!seeds_.has_self()) {
        notes.emplace_back("this node is not among its seeds, so it founds no cluster");
      }
    }
    if (!refused_.empty()) notes.push_back(fmt::format("not let in: {}", refused_));
  }
  if (!stalled_.empty()) notes.push_back(stalled_);
  return notes;
}

}  // namespace dynamo::membership
