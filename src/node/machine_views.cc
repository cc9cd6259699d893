// The way from one view of the cluster to the next.

#include <utility>

#include <fmt/format.h>

#include "coordinator/outcome.h"
#include "node/engine_keys.h"
#include "node/machine.h"
#include "wire/packet.h"

namespace dynamo::core {

void Machine::on(const Turn& turn, ViewChanged changed) {
  if (state_.ring == nullptr) return adopt(turn, views_.first(changed.view));
  if (changed.view.number > state_.ring->view_number()) adopt(turn, std::move(changed.view));
}

// The view comes in front of what was said in it, so that the rest of the packet finds this node in
// the same one. Whom the packet is from need not be a member of the view before.
void Machine::hear_view(const Turn& turn, Packet& packet) {
  if (packet.header.cluster != state_.cluster) return;
  for (Message& message : packet.messages) {
    auto* news = std::get_if<ViewNews>(&message);
    if (news != nullptr && views_.is_news(news->view)) adopt(turn, std::move(news->view));
  }
}

void Machine::adopt(const Turn& turn, View view) {
  const bool first = state_.ring == nullptr;
  seal_messages(turn.now, turn.out);  // what has been said was said in the view before
  state_.view = std::move(view);
  state_.make_ring();
  if (first) {
    state_.cluster = cluster_identity(state_.settings.cluster_label, state_.view.cluster);
    if (state_.settings.with_trees) {
      state_.trees.begin(state_.cluster.low ^ (state_.cluster.high << 1), turn.now.steady);
    }
    join_cluster(turn);
  }
  views_.changed(turn);
  std::vector<std::string> peers;
  for (const Member& member : state_.ring->members()) {
    if (!state_.is_self(member.name)) peers.push_back(member.name);
  }
  state_.detector.set_peers(peers, turn.now.steady);
  note_own_end(turn);
  for (const auto& [name, entry] : state_.stores.entries()) announce(entry);
  for (const auto& strand : strands_) strand->view_changed(turn.in(strand->strand()));
  if (!first) return;
  fill_waiting(turn);
  for (PacketReceived& packet : std::exchange(early_packets_, {})) on(turn, std::move(packet));
}

// The data directory belongs to the first cluster that it was part of.
void Machine::join_cluster(const Turn& turn) {
  if (state_.self.cluster == state_.cluster) return;
  if (!state_.self.cluster.is_zero()) {
    state_.out_of_service = absl::FailedPreconditionError(
        fmt::format("node \"{}\" is out of service: its data directory belongs to cluster {}, and "
                    "the membership says {}",
                    state_.self.name, state_.self.cluster.to_string(), state_.cluster.to_string()));
    return turn.log(LogLevel::error, std::string(state_.out_of_service.message()));
  }
  state_.self.cluster = state_.cluster;
  turn.write({.write = state_.next_number(),
              .key = identity_key(),
              .record = encode_identity(state_.self)});
}

// Whoever has left or was removed serves nothing any more, and is told by the view that says so.
void Machine::note_own_end(const Turn& turn) {
  if (!state_.out_of_service.ok()) return;
  const Member* holder = state_.member(state_.self.name);  // of the name
  for (const Member& member : state_.view.members) {
    if (member.identity != state_.self.identity || is_present(member)) continue;
    std::string what = holder != nullptr
                           ? "there is another data directory that has taken the place of this one,"
                       : member.state == MemberState::left ? "it has left the cluster"
                                                           : "it has been removed from the cluster";
    state_.out_of_service =
        absl::FailedPreconditionError(fmt::format("node \"{}\" is out of service: {} in view {}",
                                                  state_.self.name, what, state_.view.number));
    turn.log(LogLevel::warning, std::string(state_.out_of_service.message()));
  }
}

void Machine::fill_waiting(const Turn& turn) {
  auto waiting = std::exchange(waiting_for_view_, {});
  for (auto& request : waiting) {
    std::visit([&](auto& r) { on(turn, std::move(r)); }, request);
  }
}

void Machine::expire_waiting(const Turn& turn) {
  std::erase_if(waiting_for_view_, [&](const auto& waiting) {
    return std::visit(
        [&](const auto& request) {
          if (request.deadline > turn.now.steady) return false;
          absl::Status late = absl::DeadlineExceededError(
              fmt::format("{}: this node has no view of the cluster yet", quote(request.key)));
          if constexpr (requires { request.object; }) {
            turn.out.puts.push_back({request.request, std::move(late)});
          } else {
            turn.out.gets.push_back({request.request, std::move(late)});
          }
          return true;
        },
        waiting);
  });
}

void Machine::seal_messages(const Now& now, Actions& out) {
  for (const auto& strand : state_.strands) seal(*strand, now, out);
}

void Machine::seal(Strand& strand, const Now& now, Actions& out) {
  strand.outbox.take([&](const Outbox::Queue& queue) {
    const Member* member = state_.member(queue.peer);
    if (member == nullptr) return;
    const PacketHeader header = header_to(queue.peer);
    const View* news = views_.news_for(queue.peer, now.steady);
    const std::string_view messages = queue.messages;
    for (std::size_t begin = 0, cut = 0; begin < messages.size(); ++cut) {
      const std::size_t end = cut < queue.cuts.size() ? queue.cuts[cut] : messages.size();
      PacketWriter writer(header, end - begin);
      if (news != nullptr) writer.add(ViewNews{*std::exchange(news, nullptr)});
      writer.add_encoded(messages.substr(begin, end - begin));
      out.packets.push_back({member->address, queue.lane, std::move(writer).finish()});
      begin = end;
    }
  });
}

}  // namespace dynamo::core
