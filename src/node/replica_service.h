#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "node/node_state.h"
#include "node/replica.h"

namespace dynamo::core {

// The replica's side of gets and puts: answers ReadRequest and WriteRequest of the nodes that
// coordinate.
//
// Thread safety: one thread at a time.
class ReplicaService {
 public:
  ReplicaService(NodeState& state, Replica& replica) : state_(state), replica_(replica) {}

  enum class Access { read, write };

  // Whether this node may serve a peer's request about the store. FAILED_PRECONDITION if its facts
  // differ (the peer is told ours), UNAVAILABLE if the node is out of service, or takes no more
  // writes and this is one.
  absl::Status admit_store(const Turn& turn, const std::string& from, const StoreFacts& store,
                           Access access);
  // The same about a key, and as what. `stand_in`: as one of those, unless it is an owner.
  // UNAVAILABLE also if the node has no business with the key.
  absl::StatusOr<Replica::Role> admit(const Turn& turn, const std::string& from,
                                      const StoreFacts& store, std::string_view key, bool stand_in,
                                      Access access);

  void read(const Turn& turn, const std::string& from, const ReadRequest& request);
  void write(const Turn& turn, const std::string& from, const WriteRequest& request);

  // The engine's word on a write. Returns whether the write was one of ours.
  bool synced(const Turn& turn, std::uint64_t write);
  bool failed(const Turn& turn, std::uint64_t write, const absl::Status& status);

 private:
  struct Waiting {
    std::string from{};
    std::uint64_t operation = 0;
    Replica::Role role = Replica::Role::primary;
  };
  // Whether its answer is on its way. One after the other: asked only of what comes again.
  bool under_way(const std::string& from, std::uint64_t operation) const;
  bool again(const std::string& from, const WriteRequest& request) const;
  // Answers, now or when it is synced.
  void written(const Turn& turn, const std::string& from, const WriteRequest& request,
               Replica::Role role, std::uint64_t write);

  NodeState& state_;
  Replica& replica_;
  std::map<std::uint64_t, Waiting> waiting_;  // by write: acknowledged once synced
};

}  // namespace dynamo::core
