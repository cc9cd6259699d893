// Strands at work while other strands are, and what they leave to the machine as a whole.

#include <utility>

#include "node/machine.h"

namespace dynamo::core {

// Whoever this packet is from, and whatever its header says, is known: it can be dealt with without
// a change of what strands share.
bool Machine::is_plain(const PacketOpened& opened) const {
  const PacketHeader& header = opened.packet.header;
  if (state_.ring == nullptr || header.cluster != state_.cluster || opened.packet.unknown > 0) {
    return false;
  }
  const bool is_to_me = (header.to.empty() || state_.is_self(header.to)) &&
                        (header.receiver == 0 || header.receiver == state_.self.identity.high);
  const auto index = state_.ring->find(header.from);
  if (!is_to_me || !index || state_.is_self(header.from)) return false;
  if (!opened.peer.empty() && opened.peer != header.from) return false;
  return header.view == state_.view.number && views_.has_heard(header.from, header.view) &&
         state_.peers.is_known(header, state_.ring->members()[*index].identity) &&
         generations_.has_heard(header) && state_.detector.reachable(header.from);
}

namespace {

// What the message is about is in the table as it stands: nothing of it changes.
bool is_settled(const NodeState& state, const Message& message) {
  return std::visit(
      [&]<class M>(const M& m) {
        if constexpr (is_request_of_key<M>) return state.is_settled(m.store);
        return true;
      },
      message);
}

}  // namespace

template <class Request>
bool Machine::start_in_strand(const Turn& turn, Request& request) {
  if (state_.ring == nullptr || !state_.is_settled(request.store)) return false;
  StrandWork& mine = work(turn.strand);
  if (mine.may_start(request, turn.out)) mine.start(turn, std::move(request));
  return true;
}

bool Machine::step_in_strand(int strand, const Now& now, Event& event, const RecordReader& own,
                             Actions& out) {
  StrandWork& mine = work(strand);
  mine.written().clear();
  const Turn turn{now, own, out, mine.written(), mine.strand()};
  bool done = true;
  if (auto* get = std::get_if<ClientGet>(&event)) {
    done = start_in_strand(turn, *get);
  } else if (auto* put = std::get_if<ClientPut>(&event)) {
    done = start_in_strand(turn, *put);
  } else if (const auto* cancel = std::get_if<Cancel>(&event)) {
    done = mine.cancel(turn, cancel->request);
  } else if (auto* opened = std::get_if<PacketOpened>(&event)) {
    done = take_in_strand(turn, *opened);
  } else if (const auto* written = std::get_if<BatchWritten>(&event)) {
    state_.trees.settled_in(strand, written->writes);
    for (const std::uint64_t write : written->writes) mine.synced(turn, write);
    done = !anti_entropy_.awaits_disk();
  } else if (std::holds_alternative<Tick>(event)) {
    mine.tick(turn);
  } else {
    return false;
  }
  mine.end_step(turn);
  return done;
}

bool Machine::take_in_strand(const Turn& turn, PacketOpened& opened) {
  if (!is_plain(opened)) return false;
  for (const Message& message : opened.packet.messages) {
    if (!is_settled(state_, message)) return false;
  }
  const std::string& from = opened.packet.header.from;
  state_.detector.heard(from, turn.now.steady);
  const Turn received_in{turn.now,     turn.own,    turn.out,
                         turn.written, turn.strand, opened.packet.header.view};
  StrandWork& mine = work(turn.strand);
  mine.each(opened.packet.messages, turn.own,
            [&](Message&& message) { mine.take(received_in, from, std::move(message)); });
  return true;
}

bool Machine::take_common_is_due(int strand) {
  return std::exchange(work(strand).strand().common_is_due, false);
}

void Machine::end_turn_in_strand(int strand, const Now& now, Actions& out) {
  seal(*state_.strands[static_cast<std::size_t>(strand)], now, out);
}

}  // namespace dynamo::core
