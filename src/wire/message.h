#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include <dynamo/membership.h>
#include <dynamo/outcome.h>

#include "base/hybrid_time.h"
#include "causality/encoded_set.h"
#include "causality/history.h"
#include "causality/version_set.h"
#include "wire/exchange_messages.h"
#include "wire/generation_messages.h"
#include "wire/store_facts.h"
#include "wire/view_messages.h"

// What nodes say to each other. Plain structs; codec.h turns them into bytes.
namespace dynamo::core {

// "Are you there?" Any packet in return will do.
struct Ping {
  std::uint64_t nonce = 0;
  friend bool operator==(const Ping&, const Ping&) = default;
};
struct Pong {
  std::uint64_t nonce = 0;
  friend bool operator==(const Pong&, const Pong&) = default;
};

// "Your data directory is an older copy of itself": we have seen this identity at a higher boot, or
// another process at the same one (traps A4, A5). Names the boot that is refused, so that it cannot
// hit a later one.
inline constexpr std::uint64_t boot_replaced = UINT64_MAX;  // or: its place has been taken
struct BootRefused {
  std::uint64_t boot = 0;
  std::uint64_t boot_random = 0;
  std::uint64_t boot_seen = 0;
  friend bool operator==(const BootRefused&, const BootRefused&) = default;
};

// For a replica: what do you hold of this key?
struct ReadRequest {
  std::uint64_t operation = 0;
  StoreFacts store{};
  std::string key{};
  bool stand_in = false;  // or: what hints do you keep?
  friend bool operator==(const ReadRequest&, const ReadRequest&) = default;
};
struct ReadReply {
  std::uint64_t operation = 0;
  enum class Answer : std::uint8_t { found, not_found, refused } answer = Answer::refused;
  std::string reason{};          // of a refusal
  std::uint64_t generation = 0;  // the lowest at which any part of the set was read
  EncodedSet set{};              // of a reply that was received: valid as long as its packet
  friend bool operator==(const ReadReply&, const ReadReply&) = default;
};

// For a replica: merge this set into yours.
struct WriteRequest {
  std::uint64_t operation = 0;
  StoreFacts store{};
  std::string key{};
  bool synced = true;            // answer once it is on stable storage
  std::uint64_t generation = 0;  // the stamp of the set
  std::vector<Identity> owed{};  // owners for whom a stand-in keeps it
  EncodedSet set{};              // of a request that was received: valid as long as its packet
  friend bool operator==(const WriteRequest&, const WriteRequest&) = default;
};
struct WriteReply {
  std::uint64_t operation = 0;
  enum class Answer : std::uint8_t { stored, synced, refused } answer = Answer::refused;
  std::string reason{};
  friend bool operator==(const WriteReply&, const WriteReply&) = default;
};

// A client's put, handed over once to an owner of the key, or to a stand-in if no owner answers,
// who coordinates it (paper, 4.5).
struct PutForward {
  std::uint64_t operation = 0;
  StoreFacts store{};
  std::string key{};
  History context{};
  HybridTime context_latest{};
  WriteId write_id{};
  HybridTime clock{};
  bool may_redraw = false;  // no other attempt was ever sent: a clock that is behind may be refused
  std::int64_t written_at_us = 0;
  std::int64_t expires_at_us = 0;
  std::optional<std::string> object{};
  int w = 0;
  int siblings_max = 0;
  bool synced = true;
  bool sloppy = false;           // stand-ins may be used, and may coordinate
  std::uint64_t timeout_us = 0;  // what is left of it
  friend bool operator==(const PutForward&, const PutForward&) = default;
};
struct PutForwardReply {
  std::uint64_t operation = 0;
  // done: w replicas took it. failed: final, see code and message. not_taken: nothing was done, ask
  // another owner. clock_behind: nothing was done, draw a clock above `clock`.
  enum class Answer : std::uint8_t {
    done,
    failed,
    not_taken,
    clock_behind
  } answer = Answer::failed;
  int code = 0;  // absl::StatusCode. Of not_taken: OUT_OF_RANGE if the clock is ahead, else 0
  std::string message{};
  HybridTime clock{};  // of the version, or the one to exceed
  Dot dot{};
  Outcome::Verdict verdict = Outcome::Verdict::not_applied;
  std::vector<ReplicaReport> replicas{};
  friend bool operator==(const PutForwardReply&, const PutForwardReply&);
};

// "I have opened this store with these facts"; also the answer to a message whose facts differ.
struct StoreAnnounce {
  StoreFacts store{};
  bool established = false;  // some write was made under these facts
  friend bool operator==(const StoreAnnounce&, const StoreAnnounce&) = default;
};

// For the other node's membership component.
struct MembershipMessage {
  std::string payload{};
  friend bool operator==(const MembershipMessage&, const MembershipMessage&) = default;
};

// The order is the numbering on the wire, from 1; new messages go to the end.
using Message =
    std::variant<Ping, Pong, BootRefused, ReadRequest, ReadReply, WriteRequest, WriteReply,
                 PutForward, PutForwardReply, StoreAnnounce, MembershipMessage, TreeRequest,
                 TreeReply, LeafRequest, LeafReply, SetsRequest, SetsReply, ConvergeRequest,
                 ConvergeReply, GenerationReport, DropRequest, StoresRequest, StoresReply, ViewNews,
                 MoveReady>;

}  // namespace dynamo::core
