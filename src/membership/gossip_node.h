#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <dynamo/membership/gossip.h>

#include "base/prng.h"
#include "base/time.h"
#include "membership/gossip_messages.h"
#include "membership/seed_table.h"
#include "membership/view_register.h"
#include "ring/next_view.h"

namespace dynamo::membership {

// One node's membership. What it does, by file:
//
//   gossip.cc          its life; messages; views that are heard of and passed on
//   gossip_seeds.cc    before there is a view: seeds, founding, asking to be let in
//   gossip_changes.cc  changes that are asked for, until a view has them
//   gossip_votes.cc    the register that the next view is chosen by
class GossipMembership final : public Membership {
 public:
  static constexpr core::TimePoint digest_period = std::chrono::seconds(1);
  static constexpr core::TimePoint hello_period = std::chrono::milliseconds(300);
  static constexpr core::TimePoint lookup_period = std::chrono::seconds(5);
  static constexpr core::TimePoint lately = std::chrono::seconds(3);
  static constexpr core::TimePoint silence = std::chrono::seconds(10);
  static constexpr core::TimePoint probe_patience = std::chrono::seconds(2);
  static constexpr core::TimePoint ask_period = std::chrono::milliseconds(600);
  static constexpr core::TimePoint forward_patience = std::chrono::seconds(3);
  static constexpr core::TimePoint forget_after = std::chrono::seconds(15);
  static constexpr core::TimePoint resend_period = std::chrono::milliseconds(400);
  static constexpr core::TimePoint proposal_patience = std::chrono::seconds(3);
  static constexpr core::TimePoint founding_patience = std::chrono::seconds(1);
  static constexpr std::size_t spread_to = 4;
  static constexpr std::size_t large = 64;  // members and moves: a view that not everybody sends
  static constexpr core::TimePoint pull_period = std::chrono::milliseconds(400);

  explicit GossipMembership(GossipOptions options);

  absl::Status start(Member self, std::string state, std::uint64_t seed,
                     Callbacks callbacks) override;
  absl::Status change(const Change& change) override;
  void receive(std::string payload) override;
  void tick(std::chrono::steady_clock::time_point now) override;
  void stop() override;
  std::vector<std::string> notes() const override;

 private:
  struct Heard {
    core::TimePoint at{};
    std::uint64_t message = 0;  // the number of the last one
    std::uint64_t incarnation = 0;
    std::uint32_t life = 0;
  };
  struct Pending {
    Change change{};
    std::string asker{};  // address; empty: this node
    core::TimePoint since{};
    core::TimePoint forwarded_at{};
    // When which member, that is to go, was asked whether it still answers, and what had been
    // heard of anybody by then.
    std::optional<core::TimePoint> probed_at{};
    Identity probed{};
    std::uint64_t probed_after = 0;
  };
  // Addresses of seeds, found on any thread.
  struct Lookups {
    std::mutex mutex;
    std::vector<std::pair<std::string, std::vector<std::string>>> found;
  };

  // gossip.cc
  absl::Status restore(const std::string& stored);
  bool is_founder() const { return options_.seeds.empty(); }
  bool has_view() const { return state_.view.has_value(); }
  Head head() const;
  void send(const std::string& address, const GossipBody& body);
  bool persist();
  std::string trouble_with(const Head& head, const std::string& label) const;
  bool note_heard(const Head& head);
  static bool may_ask(const GossipBody& body);
  bool heard_within(const Identity& identity, core::TimePoint period) const;
  void on(const Head& head, const Hello& hello);
  void on(const Head& head, Greeting greeting);
  void on(const Head& head, const Digest& digest);
  void on(const Head& head, News news);
  void on(const Head& head, const Ask& ask);
  void on(const Head& head, const Refused& refused);
  void on(const Head& head, const Prepare& prepare);
  void on(const Head& head, const Promise& promise);
  void on(const Head& head, Accept accept);
  void on(const Head& head, const Accepted& accepted);
  void on(const Head& head, const Outvoted& outvoted);
  void on(const Head& head, const Chosen& chosen);
  bool may_adopt(const View& view);
  bool adopt(const View& view);
  void spread(const View* before);
  void gossip();
  std::vector<const Member*> others() const;

  // gossip_seeds.cc
  void look_up();
  void say_hello();
  void go_on_outside();
  void ask_to_join(const SeedTable::Place& place);
  void found_alone();
  void found_together();
  View founding_view() const;

  // gossip_changes.cc
  void note_own_settings();
  void add_pending(Change change, std::string asker);
  void go_on();
  bool is_reachable(Pending& pending, const Member& member, bool& decided);
  bool prepare(Pending& pending, Change& change);
  void refuse(const Pending& pending, std::string reason);
  bool forward();
  const Member* preferred() const;

  // gossip_votes.cc
  bool vote_on(std::uint64_t number) const;
  void answer_about(const Head& head, std::uint64_t number);
  Vote vote_for(std::uint64_t number) const;
  bool store(Vote vote);
  void start_proposal(std::uint64_t number, std::vector<Proposal::Voter> voters,
                      std::size_t needed);
  bool is_own(const Proposal::Voter& voter) const;
  void send_phase();
  void send_phase(const std::vector<std::size_t>& waiting);
  void vote_here(std::size_t voter);
  void advance();
  void tick_proposal();
  void give_up(core::TimePoint wait);

  const GossipOptions options_;
  const std::uint64_t label_;
  const std::shared_ptr<Lookups> lookups_ = std::make_shared<Lookups>();
  Member self_{};
  Callbacks callbacks_{};
  bool running_ = false;
  core::Prng prng_{0};
  std::uint32_t life_ = 0;
  core::TimePoint now_{};
  GossipState state_{};
  SeedTable seeds_{{}, false, {}};
  std::map<Identity, Heard> heard_;
  std::uint64_t messages_heard_ = 0;
  core::TimePoint heard_at_{};  // anybody of this cluster
  core::TimePoint digest_at_{};
  core::TimePoint pulled_at_{};
  std::uint64_t pulled_ = 0;  // the number of the last view that was asked for
  core::TimePoint hello_at_{};
  core::TimePoint lookup_at_{};
  core::TimePoint ask_at_{};
  core::TimePoint settings_at_{};
  std::optional<core::TimePoint> majority_since_{};  // of seeds that know of no cluster
  std::string refused_{};                            // why this node was not let in
  std::vector<Pending> pending_;

  std::optional<Proposal> proposal_;
  std::optional<View> own_;  // what it proposes; at the founding, made when it is needed
  core::TimePoint proposed_at_{};
  core::TimePoint sent_at_{};
  core::TimePoint retry_at_{};
  std::uint64_t highest_round_ = 0;  // that was heard of
  std::string stalled_{};            // why the last one came to nothing
};

}  // namespace dynamo::membership
