#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "node/exchange_rounds.h"
#include "node/generations.h"
#include "node/node_state.h"
#include "node/replica.h"

namespace dynamo::core {

// Drops records that hold nothing but deletes and what has expired, once nothing of what they
// deleted can come back (repair/generation.h; semantics.md 5). The first owner of a partition does
// it for all of them:
//
//   gather    records that hold nothing else and are on this node's disk
//   confirm   a complete round of anti-entropy that began afterwards
//   wait      until the second generation from then is sealed
//   drop      those that have not changed, here, and tell the other owners to do the same
//
// Thread safety: one thread at a time.
class Reaper {
 public:
  static constexpr TimePoint period = std::chrono::seconds(30);
  static constexpr TimePoint look_again = std::chrono::milliseconds(500);
  // What is not confirmed by then is gathered again later.
  static constexpr TimePoint confirm_timeout = std::chrono::minutes(5);
  // Of an expiry: clocks of other owners may be behind.
  static constexpr std::int64_t expiry_margin_us = 5'000'000;
  // Records may be gathered again, so what peers ask for need not be kept for long.
  static constexpr TimePoint request_patience = std::chrono::minutes(1);
  static constexpr std::size_t requests_max = 1024;
  static constexpr std::size_t gathered_max = 1024;  // read in one cycle
  // Read at a time, and so the most records of a batch; then a pause, as the controller of
  // background work has it.
  static constexpr std::size_t slice = 64;
  static constexpr std::size_t seen_max = 4096;  // for them, those that others lead among them
  static constexpr TimePoint pause = std::chrono::milliseconds(5);

  Reaper(NodeState& state, Replica& replica, ExchangeRounds& rounds, Generations& generations)
      : state_(state), replica_(replica), rounds_(rounds), generations_(generations) {}

  void take(const Turn& turn, const DropRequest& request);
  void tick(const Turn& turn);
  TimePoint next_tick() const;

 private:
  struct Batch {  // of one store and partition
    StoreFacts store{};
    int partition = 0;
    std::uint64_t round = 0;  // one with a higher number confirms it
    bool is_confirmed = false;
    std::uint64_t confirmed = 0;  // in that generation
    std::vector<KeyDigest> records{};
  };

  // One piece of work; returns of how many records it was.
  std::size_t work(const Turn& turn);
  std::size_t gather(const Turn& turn);
  std::size_t drop(const Turn& turn);
  std::size_t serve(const Turn& turn);

  bool leads(int partition) const;
  const StoreFacts* store_at(std::uint64_t place) const;
  std::optional<KeyDigest> reapable(const Turn& turn, const ObjectKey& at) const;
  void confirm(const Turn& turn);
  // Returns whether the record was as confirmed, and is gone.
  bool drop(const Turn& turn, const StoreFacts& store, const KeyDigest& record);
  bool may_serve(const DropRequest& request) const;

  NodeState& state_;
  Replica& replica_;
  ExchangeRounds& rounds_;
  Generations& generations_;
  std::vector<Batch> batches_;
  struct Request {
    DropRequest drop{};
    TimePoint until{};
  };
  std::vector<Request> requests_;              // of peers who have sealed before this node
  std::optional<ObjectKey> gathering_from_{};  // there are more
  std::size_t gathered_ = 0;                   // in this cycle
  TimePoint gathered_at_{};
  TimePoint due_{};
  std::uint64_t rounds_seen_ = 0;
};

}  // namespace dynamo::core
