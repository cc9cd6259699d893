#pragma once

#include <cstdint>
#include <type_traits>

#include "base/prng.h"
#include "causality/replica_key.h"
#include "node/identity.h"
#include "node/outbox.h"
#include "wire/message.h"

namespace dynamo::core {

// Messages that one strand deals with: requests about a key, and answers to what it has asked.
template <class M>
inline constexpr bool is_request_of_key =
    std::is_same_v<M, ReadRequest> || std::is_same_v<M, WriteRequest> ||
    std::is_same_v<M, PutForward>;
template <class M>
inline constexpr bool is_answer_in_strand =
    std::is_same_v<M, ReadReply> || std::is_same_v<M, WriteReply> ||
    std::is_same_v<M, PutForwardReply>;

// What a loop of a node has for itself: messages on their way out, numbers, actors and chance.
//
// A node with several loops divides its partitions among them: loop i serves partitions p mod
// loops. What concerns one key is done in the strand of its partition, and strands work at the same
// time. What concerns the node as a whole is done while no strand works, in the common one. If
// there is one loop, there is one strand, and it is the common one (node/machine.h).
//
// Thread safety: one thread at a time.
struct Strand {
  // A number tells which strand has drawn it, so that its answer finds the way; and the numbers of
  // one strand ascend (SeenOnce).
  static constexpr std::uint64_t numbers_apart = 64;
  static constexpr int strands_max = 63;  // and the common one
  static int of_number(std::uint64_t number) { return static_cast<int>(number % numbers_apart); }

  // How many there are in a node of so many loops. The common one is the last.
  static constexpr int count(int loops) { return loops == 1 ? 1 : loops + 1; }

  // One of so many.
  Strand(int strand, int strands, const NodeIdentity& self, std::uint64_t seed)
      : index(strand),
        prng(seed + static_cast<std::uint64_t>(strand)),
        actors(self.boot_random, static_cast<std::uint64_t>(strand),
               static_cast<std::uint64_t>(strands)),
        // Replies to an earlier life of this node must not meet an operation of this one.
        last_number((self.boot_random & ~std::uint64_t{0xffffffff}) |
                    static_cast<std::uint64_t>(strand)) {}

  std::uint64_t next_number() { return last_number += numbers_apart; }

  const int index;
  Outbox outbox{};
  Prng prng;
  ActorSource actors;
  std::uint64_t last_number;
  // What was done here may be work for the node as a whole, earlier than that knows.
  bool common_is_due = false;
};

}  // namespace dynamo::core
