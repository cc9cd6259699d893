#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <dynamo/outcome.h>
#include <dynamo/version.h>

#include "testing/sim_journal.h"
#include "wire/packet.h"

namespace scenario {

// What nodes say to each other, in words: one line a message, `from -> to  what`.
//
// Actors are random numbers; here they have the name of their node, which every packet gives away.
// A history is {a:3 b:1}: all of a's first three events and b's first; {a[3]} is the third alone.
// A version is a:3=book, a delete a:3=(deleted). Pings are not shown,
// nor comparisons that find nothing.
class Conversation {
 public:
  // For SimWires::observe().
  void hear(const dynamo::testing::SimPacket& packet);
  // The lines since the last call.
  std::vector<std::string> take() { return std::exchange(lines_, {}); }

  // Writes with this id are shown under that name.
  void name_write(const dynamo::WriteId& id, std::string name) { writes_[id] = std::move(name); }

  std::string text(const std::string& key, const dynamo::Dot& dot);
  std::string text(const std::string& key, const dynamo::core::History& history);
  std::string text(const std::string& key, const dynamo::core::VersionSet& set);

 private:
  // Who asked, and the number of the operation there.
  using Operation = std::pair<std::string, std::uint64_t>;

  std::string actor(const std::string& key, const dynamo::ActorId& actor);
  std::string words(const dynamo::core::PacketHeader& header, const dynamo::core::Message& message);
  std::string words(const dynamo::core::PutForward& put);
  std::string words(const std::string& key, const dynamo::core::PutForwardReply& reply);
  std::string words(const std::vector<dynamo::core::KeyedSet>& sets, std::size_t wanted);
  void remember(const dynamo::core::PacketHeader& header, const dynamo::core::Message& message);
  // Of the request that this packet's receiver once made.
  std::string key_of(const dynamo::core::PacketHeader& reply, std::uint64_t operation) const;

  std::vector<std::string> lines_;
  std::map<std::uint64_t, std::string> nodes_;     // by boot
  std::map<Operation, std::string> keys_;          // replies do not repeat the key
  std::map<dynamo::WriteId, std::string> writes_;  // names given by name_write()
  // The actors of one node on one key, as they were first met: a, a', a''.
  std::map<std::pair<std::string, std::uint64_t>, std::vector<dynamo::ActorId>> actors_;
};

}  // namespace scenario
