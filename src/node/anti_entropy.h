#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "node/converge_requests.h"
#include "node/exchange_rounds.h"
#include "node/exchange_service.h"
#include "node/former_copies.h"
#include "node/generations.h"
#include "node/moves.h"
#include "node/node_state.h"
#include "node/reaper.h"
#include "node/rebuild.h"

namespace dynamo::core {

// Anti-entropy, as the machine sees it: messages, words of the engine and time go to the parts that
// deal with them.
//
//   rounds    compares what this node owns with the other owners, again and again
//   service   answers other owners who do the same
//   converge  applications that wait for rounds, here and on peers
//   rebuild   this node, after it has lost its disk, waits for rounds
//   moves     partitions that come to this node, and when their moves are over
//   former_copies  gives up what this node owns no more
//   reaper    drops deletes that rounds have found on all owners
//
// Thread safety: one thread at a time.
class AntiEntropy {
 public:
  AntiEntropy(NodeState& state, Replica& replica, ReplicaService& service, Generations& generations)
      : state_(state),
        rounds_(state, replica),
        service_(state, replica, service),
        converge_(state, rounds_),
        rebuild_(state, rounds_, generations),
        moves_(state, rounds_),
        former_copies_(state, replica, rounds_),
        reaper_(state, replica, rounds_, generations) {}

  void start(const Turn& turn, const ClientWait& converge) { converge_.start(turn, converge); }
  bool cancel(const Turn& turn, std::uint64_t request) { return converge_.cancel(turn, request); }
  // Returns whether the message was one of ours.
  bool take(const Turn& turn, const std::string& from, const Message& message);
  void synced(const Turn& turn, const std::vector<std::uint64_t>& writes);
  // Whether it wants to hear of writes that it has not made itself.
  bool awaits_disk() const { return service_.awaits_disk(); }
  // To be called before anything else hears of it: the trees follow what the engine now holds.
  void failed(const Turn& turn, const std::vector<std::uint64_t>& writes,
              const absl::Status& status);
  void tick(const Turn& turn);
  TimePoint next_tick() const;

 private:
  NodeState& state_;
  ExchangeRounds rounds_;
  ExchangeService service_;
  ConvergeRequests converge_;
  Rebuild rebuild_;
  Moves moves_;
  FormerCopies former_copies_;
  Reaper reaper_;
};

}  // namespace dynamo::core
