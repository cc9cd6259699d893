#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "node/node_state.h"
#include "node/replica.h"
#include "repair/exchange.h"

namespace dynamo::core {

// Anti-entropy in the background (paper, 4.7): every partition that this node owns is compared with
// each of its other owners, one after the other, again and again. While it moves, these are those
// of both sides. What this node owns no more is given to each of its owners (FormerCopies).
//
// A round of a partition is one exchange with each other owner for each store, and a second such
// pass if the first brought this node anything: what it got from the last owner is then offered to
// the first. After a round in which every exchange was completed, every owner holds all that any of
// them held when it began. Then the partition's repair horizon moves to that moment. The exchanges
// of a round follow one another; a few rounds run at the same time.
//
// The pace is modest: some minutes for all partitions together. A peer that comes back is compared
// with at once, but for a delay that leaves it to hints to bring what they can bring cheaper; so is
// everything after a start. hurry() is for those who wait.
//
// Thread safety: one thread at a time.
class ExchangeRounds {
 public:
  static constexpr TimePoint period = std::chrono::minutes(5);
  static constexpr TimePoint return_delay = std::chrono::seconds(5);
  static constexpr TimePoint retry = std::chrono::seconds(30);
  static constexpr TimePoint hurried_retry = std::chrono::milliseconds(250);
  static constexpr TimePoint gap_max = std::chrono::milliseconds(20);  // between starts of rounds
  static constexpr TimePoint page_pause = std::chrono::milliseconds(5);
  static constexpr TimePoint answer_timeout = std::chrono::seconds(30);
  // Before whoever has not answered is pinged; twice as long after each time that this showed him
  // to have lost the question, or us the answer.
  static constexpr TimePoint answer_patience = std::chrono::seconds(2);
  static constexpr std::size_t rounds_max = 2;
  static constexpr std::size_t hurried_rounds_max = 16;

  ExchangeRounds(NodeState& state, Replica& replica) : state_(state), replica_(replica) {}

  void take(const Turn& turn, const std::string& from, const TreeReply& reply);
  void take(const Turn& turn, const std::string& from, const LeafReply& reply);
  void take(const Turn& turn, const std::string& from, const SetsReply& reply);
  // The engine's word on a write; that of others is ignored.
  void synced(const Turn& turn, std::uint64_t write);
  void failed(const Turn& turn, std::uint64_t write);

  // Wants a round of the partition soon, and again until one is complete or `until` has come.
  // Returns a number: a round with a higher one began after this call. No effect on partitions that
  // this node does not own. REQUIRES: ring.
  std::uint64_t hurry(int partition, TimePoint now, TimePoint until);
  // The number of the last complete round; 0: none.
  std::uint64_t completed(int partition) const;
  // The generation that this node was in when it ended.
  std::uint64_t completed_in(int partition) const;
  // Since this node owns it, or is going to.
  struct Progress {
    std::uint64_t begun = 0;  // rounds
    std::uint64_t bytes = 0;  // of records that came
  };
  Progress progress(int partition) const;
  // No round of it is running, nor due at once.
  bool idle(int partition) const;
  // Why the last round was not complete; empty if it was.
  std::string_view trouble(int partition) const;
  // Grows when a round ends.
  std::uint64_t rounds_ended() const { return ended_; }

  void tick(const Turn& turn);
  TimePoint next_tick() const;

 private:
  struct Partition {
    TimePoint due{};
    std::uint64_t completed = 0;
    std::uint64_t generation = 0;  // when that ended
    std::uint64_t running = 0;     // the number of its round; 0: none
    bool owned = true;             // or a former copy
    std::uint64_t owners = 0;      // as of the ring
    bool again = false;            // another one at once, when that ends
    TimePoint hurried_until{};
    std::string trouble{};
    Progress progress{};
  };
  struct Leg {  // of a pass
    StoreFacts store{};
    std::string peer{};
    Exchange::Kind kind = Exchange::Kind::both_ways;
  };
  struct Round {
    int partition = 0;
    TimePoint started{};
    std::vector<Leg> legs{};
    std::size_t leg = 0;  // the next one
    int pass = 1;
    bool received = false;  // in this pass
    std::string trouble{};  // the first
    std::optional<Exchange> exchange{};
    std::uint64_t operation = 0;  // of the question that is out; 0: none
    Identity identity{};          // of whom it was put to
    std::uint64_t life = 0;       // the same
    std::size_t page_bytes = 0;   // of sets in it
    TimePoint asked{};            // when it was put
    TimePoint look_at{};          // when to look whether it is lost
    TimePoint patience = answer_patience;
    TimePoint due{};  // of its answer; without one, when to go on
    std::set<std::uint64_t> unsynced{};
  };
  using Rounds = std::map<std::uint64_t, Round>;

  void plan(TimePoint now);
  void plan(int partition, TimePoint now);
  void add_legs(Round& round) const;
  void watch_peers(TimePoint now);
  void set_due(int partition, TimePoint due);
  std::size_t capacity(TimePoint now) const;
  TimePoint gap() const;
  void start(const Turn& turn, int partition);
  template <class Reply>
  void take_reply(const Turn& turn, const std::string& from, const Reply& reply);
  // As far as it goes without an answer.
  void go_on(const Turn& turn, Rounds::iterator at);
  // The exchange that runs asks its next question; false if it has none.
  bool ask(const Turn& turn, Round& round, std::uint64_t number);
  bool begin_leg(const Turn& turn, Round& round);
  // Ends the exchange that runs.
  static void end_leg(Round& round);
  static void fail_leg(Round& round, std::string trouble);
  // Ends it if there is nothing to be expected of the peer any more.
  void look_at_exchange(Round& round, TimePoint now);
  // Whether the peer answers what was asked later. If nothing was, asks that.
  bool is_lost(Round& round, const std::string& peer, TimePoint now);
  // The leg that runs, from its start.
  static void begin_again(Round& round);
  void keep_writes(const std::vector<std::uint64_t>& writes, Round& round, std::uint64_t number);
  // Whether a round that has come to its end says that all owners are equal.
  static bool counts(const Round& round) { return round.trouble.empty(); }
  void finish(const Turn& turn, Rounds::iterator at);

  NodeState& state_;
  Replica& replica_;
  // The ring that partitions_ comes from; kept, so that no other one can have its address.
  std::shared_ptr<const PartitionMap> planned_;
  std::set<int> planned_former_;
  std::map<int, Partition> partitions_;              // that this node owns
  std::set<std::pair<TimePoint, int>> due_;          // of those without a round
  Rounds rounds_;                                    // that run, by number
  std::map<std::uint64_t, std::uint64_t> by_write_;  // whose round waits for the write
  std::set<std::string, std::less<>> lost_;          // peers
  std::pair<std::uint64_t, std::uint64_t> watched_;  // the view and the changes that it is of
  TimePoint next_start_{};
  TimePoint hurried_until_{};
  TimePoint last_tick_{};
  std::uint64_t last_round_ = 0;
  std::uint64_t ended_ = 0;
};

}  // namespace dynamo::core
