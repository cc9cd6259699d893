#include "conversation.h"

#include <algorithm>
#include <stdexcept>
#include <variant>

#include <fmt/format.h>

namespace scenario {

using namespace dynamo::core;
using dynamo::ActorId;
using dynamo::Dot;

namespace {

template <class... Visitors>
struct Overloaded : Visitors... {
  using Visitors::operator()...;
};

std::string facts(const StoreFacts& store) {
  return fmt::format("{} n={}{}", store.name, store.n,
                     store.conflict == Conflict::last_write_wins ? " last write wins" : "");
}

// What goes on all the time and changes nothing.
bool is_routine(const Message& message) {
  if (const auto* tree = std::get_if<TreeRequest>(&message)) {
    return tree->nodes.size() == 1 && tree->nodes.front().node == TreeNode{};
  }
  if (const auto* reply = std::get_if<TreeReply>(&message)) {
    return reply->answer == ExchangeAnswer::ok && reply->differing.empty();
  }
  return std::holds_alternative<Ping>(message) || std::holds_alternative<Pong>(message);
}

}  // namespace

void Conversation::hear(const dynamo::testing::SimPacket& packet) {
  const absl::StatusOr<Packet> read = read_packet(packet.bytes);
  if (!read.ok()) throw std::runtime_error("a node sent a damaged packet");
  nodes_[read->header.boot_random] = read->header.from;
  for (const Message& message : read->messages) {
    remember(read->header, message);
    if (is_routine(message)) continue;
    lines_.push_back(fmt::format("{} -> {}  {}{}", packet.from, packet.to,
                                 words(read->header, message), packet.lost ? "  (lost)" : ""));
  }
}

void Conversation::remember(const PacketHeader& header, const Message& message) {
  const auto keep = [&](const auto& request) {
    keys_[{header.from, request.operation}] = request.key;
  };
  std::visit(Overloaded{[&](const ReadRequest& read) { keep(read); },
                        [&](const WriteRequest& write) { keep(write); },
                        [&](const PutForward& put) { keep(put); }, [](const auto&) {}},
             message);
}

std::string Conversation::key_of(const PacketHeader& reply, std::uint64_t operation) const {
  const auto at = keys_.find({reply.to, operation});
  return at == keys_.end() ? std::string() : at->second;
}

std::string Conversation::words(const PacketHeader& header, const Message& message) {
  return std::visit(
      Overloaded{
          [](const Ping&) { return std::string("ping"); },
          [](const Pong&) { return std::string("pong"); },
          [](const BootRefused& refused) {
            return fmt::format("boot {} refused, seen {}", refused.boot, refused.boot_seen);
          },
          [](const ReadRequest& read) { return "read " + read.key; },
          [&](const ReadReply& reply) {
            if (reply.answer == ReadReply::Answer::refused) return "refused: " + reply.reason;
            return (reply.answer == ReadReply::Answer::found ? "found " : "not found ") +
                   text(key_of(header, reply.operation), reply.set.decode());
          },
          [&](const WriteRequest& write) {
            return fmt::format("write {} {}", write.key, text(write.key, write.set.decode()));
          },
          [](const WriteReply& reply) {
            if (reply.answer == WriteReply::Answer::refused) return "refused: " + reply.reason;
            return std::string(reply.answer == WriteReply::Answer::synced ? "synced" : "stored");
          },
          [&](const PutForward& put) { return words(put); },
          [&](const PutForwardReply& reply) {
            return words(key_of(header, reply.operation), reply);
          },
          [](const StoreAnnounce& announce) {
            return fmt::format("store {}{}", facts(announce.store),
                               announce.established ? " in use" : "");
          },
          [](const MembershipMessage&) { return std::string("membership"); },
          [](const TreeRequest&) { return std::string("tree"); },
          [](const TreeReply& reply) { return fmt::format("{} differ", reply.differing.size()); },
          [](const LeafRequest&) { return std::string("leaves"); },
          [](const LeafReply& reply) { return fmt::format("{} keys", reply.keys.size()); },
          [&](const SetsRequest& sets) { return "repair" + words(sets.sets, sets.wanted.size()); },
          [&](const SetsReply& sets) { return "repaired" + words(sets.sets, 0); },
          [](const ConvergeRequest&) { return std::string("converge"); },
          [](const ConvergeReply& reply) { return fmt::format("{} partitions left", reply.left); },
          [](const GenerationReport& report) {
            return fmt::format("settled in generation {}", report.settled);
          },
          [](const DropRequest& drop) { return fmt::format("drop {}", drop.records.size()); },
          [](const StoresRequest&) { return std::string("stores"); },
          [](const StoresReply& reply) { return fmt::format("{} stores", reply.stores.size()); },
          [](const ViewNews& news) { return fmt::format("view {}", news.view.number); },
          [](const MoveReady& ready) { return fmt::format("ready for {}", ready.partition); },
      },
      message);
}

std::string Conversation::words(const PutForward& put) {
  std::string line = put.object ? fmt::format("put {} {}", put.key, *put.object)
                                : fmt::format("erase {}", put.key);
  if (!put.context.empty()) line += " context=" + text(put.key, put.context);
  if (const auto name = writes_.find(put.write_id); name != writes_.end()) {
    line += " id=" + name->second;
  }
  return line;
}

std::string Conversation::words(const std::string& key, const PutForwardReply& reply) {
  switch (reply.answer) {
    case PutForwardReply::Answer::done:
      return "done " + text(key, reply.dot);
    case PutForwardReply::Answer::failed:
      return "failed: " + reply.message;
    case PutForwardReply::Answer::not_taken:
      return "not taken: " + reply.message;
    case PutForwardReply::Answer::clock_behind:
      return "clock is behind";
  }
  return {};
}

std::string Conversation::words(const std::vector<KeyedSet>& sets, std::size_t wanted) {
  std::string line;
  for (const KeyedSet& set : sets) line += fmt::format(" {} {}", set.key, text(set.key, set.set));
  if (wanted > 0) line += fmt::format(", {} wanted", wanted);
  return line;
}

std::string Conversation::actor(const std::string& key, const ActorId& actor) {
  const auto node = nodes_.find(actor.boot);
  if (node == nodes_.end()) return actor.to_string();
  std::vector<ActorId>& known = actors_[{key, actor.boot}];
  const auto at = std::ranges::find(known, actor);
  const auto index = static_cast<std::size_t>(at - known.begin());
  if (at == known.end()) known.push_back(actor);
  return node->second + std::string(index, '\'');
}

std::string Conversation::text(const std::string& key, const Dot& dot) {
  return fmt::format("{}:{}", actor(key, dot.actor), dot.counter);
}

std::string Conversation::text(const std::string& key, const History& history) {
  // Sorted by name: the order of the actors themselves is chance.
  std::vector<std::string> parts;
  for (const auto& [who, counter] : history.clock().entries()) {
    parts.push_back(fmt::format("{}:{}", actor(key, who), counter));
  }
  for (const Dot& dot : history.dots()) {
    parts.push_back(fmt::format("{}[{}]", actor(key, dot.actor), dot.counter));
  }
  std::ranges::sort(parts);
  return fmt::format("{{{}}}", fmt::join(parts, " "));
}

std::string Conversation::text(const std::string& key, const VersionSet& set) {
  std::vector<std::string> parts;
  for (const StoredVersion& version : set.versions()) {
    parts.push_back(
        fmt::format("{}={}", text(key, version.dot), version.object.value_or("(deleted)")));
  }
  std::ranges::sort(parts);
  parts.insert(parts.begin(), text(key, set.history()));
  return fmt::format("{}", fmt::join(parts, " "));
}

}  // namespace scenario
