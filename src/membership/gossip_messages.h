#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include <absl/status/statusor.h>
#include <dynamo/membership.h>

#include "membership/view_register.h"

// What the memberships of two nodes say to each other. A payload is complete in itself: a node
// without a cluster can send and read it, and an answer goes to the address that it names.
//
//   version (1 byte) | label (8) | partitions | cluster (16) | sender (16) | incarnation | life (4)
//   | view | name | address | type (1) | body | checksum (8)
namespace dynamo::membership {

struct Head {
  std::uint64_t label = 0;  // hash of NodeOptions::cluster
  std::uint64_t partitions = 0;
  Identity cluster{};  // zero: the sender knows of none
  Identity sender{};
  std::uint64_t incarnation = 0;  // how often the sender has started; a counter, never a clock
  std::uint32_t life = 0;         // drawn at that start: two of one incarnation are two copies
  std::uint64_t view = 0;         // the number of the one that the sender is in; 0: none
  std::string name{};
  std::string address{};
};

// "Who is there?" Anybody answers, whatever his cluster is.
struct Hello {
  std::uint64_t tag = 0;  // comes back
};
struct Greeting {
  std::uint64_t tag = 0;
  std::string label{};  // for people
  Member self{};
};
// "This is the view that I am in": Head::view says it. Whoever is ahead answers with News, whoever
// is behind with a Digest of its own.
struct Digest {};
struct News {
  View view{};
};
// "See to this change." Asked again until it is done.
struct Ask {
  Change change{};
};
// The change that was asked for is not going to happen.
struct Refused {
  Change::Kind kind = Change::Kind::join;
  std::string reason{};
};

// The register (view_register.h). `voter` comes back: which of the proposal's voters was asked.
struct Prepare {
  std::uint64_t number = 0;
  Ballot ballot{};
  std::uint64_t voter = 0;
};
struct Promise {
  std::uint64_t number = 0;
  Ballot ballot{};
  std::uint64_t voter = 0;
  Ballot accepted{};
  std::optional<View> view{};
};
struct Accept {
  std::uint64_t number = 0;
  Ballot ballot{};
  std::uint64_t voter = 0;
  View view{};
};
struct Accepted {
  std::uint64_t number = 0;
  Ballot ballot{};
  std::uint64_t voter = 0;
};
struct Outvoted {
  std::uint64_t number = 0;
  Ballot ballot{};    // that was refused
  Ballot promised{};  // because of this one
};

// What was accepted in that ballot is chosen: whoever did so has the view already.
struct Chosen {
  std::uint64_t number = 0;
  Ballot ballot{};
};

using GossipBody = std::variant<Hello, Greeting, Digest, News, Ask, Refused, Prepare, Promise,
                                Accept, Accepted, Outvoted, Chosen>;

struct GossipMessage {
  Head head{};
  GossipBody body{};
};

std::string encode_message(const Head& head, const GossipBody& body);
// DATA_LOSS for what is malformed, UNIMPLEMENTED for another version.
absl::StatusOr<GossipMessage> decode_message(std::string_view payload);

// What a node keeps of its membership.
struct GossipState {
  std::uint64_t incarnation = 0;
  std::optional<View> view{};
  Vote vote{};
};

std::string encode_state(const GossipState& state);
absl::StatusOr<GossipState> decode_state(std::string_view bytes);

}  // namespace dynamo::membership
