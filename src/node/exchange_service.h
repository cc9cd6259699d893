#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <variant>

#include "node/node_state.h"
#include "node/replica.h"
#include "node/replica_service.h"

namespace dynamo::core {

// The side of exchanges that is asked: checks that both nodes mean the same and answers from this
// node's trees and records. An answer says what is on stable storage: it is held back until all is
// that it was made from, and all that it promises to have written. All of it travels on the bulk
// lane.
//
// Thread safety: one thread at a time.
class ExchangeService {
 public:
  ExchangeService(NodeState& state, Replica& replica, ReplicaService& service)
      : state_(state), replica_(replica), service_(service) {}

  void take(const Turn& turn, const std::string& from, const TreeRequest& request);
  void take(const Turn& turn, const std::string& from, const LeafRequest& request);
  void take(const Turn& turn, const std::string& from, const SetsRequest& request);

  // The engine's word on a write; that of others is ignored.
  void synced(std::uint64_t write);
  void failed(std::uint64_t write, const absl::Status& status);
  // Whether answers wait for it.
  bool awaits_disk() const { return !by_write_.empty(); }

 private:
  using AnyReply = std::variant<TreeReply, LeafReply, SetsReply>;
  struct Waiting {
    std::string to{};
    AnyReply reply{};
    std::size_t writes = 0;
  };

  template <class Reply>
  struct Served {
    Reply reply{};
    std::vector<std::uint64_t> writes{};  // that the reply has to wait for
  };

  template <class Reply>
  bool admit(const Turn& turn, const std::string& from, const ExchangeScope& scope, Reply& reply);
  template <class Reply, class Request>
  Served<Reply> serve(const Turn& turn, const std::string& from, const Request& request);
  template <class Reply, class Request>
  void answer_later(const Turn& turn, const std::string& from, const Request& request);
  void settle(std::uint64_t write, const absl::Status& status);

  NodeState& state_;
  Replica& replica_;
  ReplicaService& service_;
  std::map<std::uint64_t, Waiting> waiting_;              // answers, by a number of ours
  std::multimap<std::uint64_t, std::uint64_t> by_write_;  // which answers wait for the write
};

}  // namespace dynamo::core
