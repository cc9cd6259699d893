#pragma once

#include <cstdint>
#include <optional>
#include <queue>
#include <string>
#include <utility>
#include <vector>

#include "base/recycling_allocator.h"
#include "coordinator/get_operation.h"
#include "coordinator/retransmission.h"
#include "coordinator/stand_ins.h"
#include "node/node_state.h"
#include "node/replica.h"
#include "node/waiting_room.h"

namespace dynamo::core {

// The gets that this node's application has under way. Any node coordinates a get (paper, 4.5).
//
// It asks r owners: this node if it is one, and those that lately answered fastest. The next one is
// asked for each that fails, and when an answer is late (hedging); a late one is still listened to.
// The owners that are not asked are brought up to date by hints and anti-entropy.
//
// Once r replicas have answered, the application has its answer; the get itself goes on until all
// that were asked have, or its deadline. Then the owners that hold less than all of them together
// are sent the rest (read repair, paper, 5). That is a merge like any other, so it can never undo a
// write (trap D8).
//
// Thread safety: one thread at a time.
class GetRequests {
 public:
  GetRequests(NodeState& state, Replica& replica) : state_(state), replica_(replica) {}

  // REQUIRES: the ring is known, the request is checked.
  void start(const Turn& turn, ClientGet&& get);
  // Begins those that have waited for room and have it now. Returns whether there were any.
  bool room(const Turn& turn);
  void reply(const Turn& turn, const std::string& from, ReadReply reply);
  // `from` has answered that operation in an earlier view than this node's, which says nothing.
  // What is sent to it next tells it of this one.
  void ask_again(const Turn& turn, const std::string& from, std::uint64_t operation);
  void peer_lost(const Turn& turn, const std::string& peer);
  // Answers from before do not count any more: asks the owners that there are now.
  void view_changed(const Turn& turn);
  // Ends what is past its deadline.
  void tick(const Turn& turn);
  // Ends the request with CANCELLED, if it is one of these.
  bool cancel(const Turn& turn, std::uint64_t request);
  TimePoint next_tick() const;
  // Those that the application waits for.
  std::size_t size() const { return unanswered_ + waiting_.size(); }

 private:
  static constexpr std::size_t answer_bytes_first = std::size_t{64} << 10;

  struct Running {
    ClientGet get{};
    std::optional<GetOperation> operation{};  // always, once owners are asked
    StandIns stand_ins{{}};
    TimePoint started{};
    TimePoint patient_until{};  // then silent owners are replaced by stand-ins
    Retransmission retransmission{};
    TimePoint late_at = TimePoint{0};                              // then the next owner is asked
    std::vector<std::pair<std::string, TimePoint>> asked_later{};  // owners, and when
    bool repaired = false;
    bool answered = false;
    std::uint64_t stamp = UINT64_MAX;  // the lowest of what was merged

    TimePoint asked_at(std::string_view node) const;
  };
  using Operations = RecyclingMap<std::uint64_t, Running>;

  // Who is asked first, and who after them, the first choice first.
  struct Owners {
    OwnerSides first{};
    NodeNames reserve{};
  };
  Owners choose_owners(const ClientGet& get, TimePoint now) const;
  // Whether as many are under way as the ways hold, as far as answers have told.
  bool crowded() const;
  void begin(const Turn& turn, ClientGet&& get);
  void expire_waiting(const Turn& turn);
  // Asks them, from the beginning.
  void ask_owners(const Turn& turn, Operations::iterator at);
  void ask(const Turn& turn, std::uint64_t number, Running& running, const std::string& node,
           bool stand_in);
  // Asks the next owner in place of one that has failed or is late; false if there is none.
  bool ask_next(const Turn& turn, Operations::iterator at);
  // Goes on with it as far as it can now; false if that was its end.
  bool settle(const Turn& turn, Operations::iterator at);
  void answer(const Turn& turn, Running& running, absl::StatusOr<GetAnswer> answer);
  // Whoever is behind gets the rest.
  void repair(const Turn& turn, const Running& running);
  // The end.
  void finish(const Turn& turn, Operations::iterator at);
  // Looks at it again when the next of its times has come.
  void set_timer(const Turn& turn, Operations::iterator at);
  // Whoever a message was lost to, or from.
  void ask_the_late(const Turn& turn, Operations::iterator at);
  GetAnswer answer_of(const Turn& turn, Running& running) const;

  NodeState& state_;
  Replica& replica_;
  Operations operations_;
  std::size_t unanswered_ = 0;
  std::size_t answer_bytes_ = answer_bytes_first;  // of one from elsewhere, in the mean
  WaitingRoom<ClientGet> waiting_;                 // for room
  using Timer = std::pair<TimePoint, std::uint64_t>;
  std::priority_queue<Timer, std::vector<Timer>, std::greater<>> timers_;
};

}  // namespace dynamo::core
