#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <dynamo/transport.h>

#include "base/name_map.h"
#include "wire/codec.h"
#include "wire/message.h"
#include "wire/packet.h"

namespace dynamo::core {

// Messages on their way out, by peer and lane. They leave as packets at the end of the turn, and
// are encoded already when they are sent: what has been said does not change any more, and nothing
// of it has to be kept or copied.
//
// Thread safety: one thread at a time.
class Outbox {
 public:
  // All messages to one peer on one lane, as append_message() wrote them.
  struct Queue {
    std::string peer{};
    Lane lane = Lane::request;
    std::string messages{};
    std::vector<std::size_t> cuts{};  // where one packet of them ends and the next begins
  };

  void send(std::string_view peer, const Message& message, Lane lane = Lane::request) {
    send(
        peer, message_type(message), [&](Encoder& out) { encode_body(message, out); }, lane);
  }
  // `encode_body(Encoder&)` writes the body of a message of that type.
  template <class EncodeBody>
  void send(std::string_view peer, std::uint8_t type, EncodeBody encode_body,
            Lane lane = Lane::request) {
    Queue& queue = this->queue(peer, lane);
    append_message(queue.messages, type, encode_body);
    const std::size_t begun = queue.cuts.empty() ? 0 : queue.cuts.back();
    if (queue.messages.size() - begun >= packet_bytes_target) {
      queue.cuts.push_back(queue.messages.size());
    }
  }

  // Gives away each queue that holds something, ordered by peer and lane: the same run gives the
  // same packets. `see(const Queue&)` must not send.
  template <class See>
  void take(See see) {
    const auto place = [](const Queue* queue) {
      return std::pair<std::string_view, Lane>(queue->peer, queue->lane);
    };
    if (waiting_.size() > 1) std::ranges::sort(waiting_, {}, place);
    for (Queue* queue : waiting_) {
      see(*queue);
      queue->cuts.clear();
      queue->messages.clear();
      if (queue->messages.capacity() > bytes_kept_max) queue->messages = {};
    }
    waiting_.clear();
  }

 private:
  static constexpr std::size_t bytes_kept_max = std::size_t{128} << 10;

  Queue& queue(std::string_view peer, Lane lane) {
    auto& [name, lanes] = queues_.try_emplace(peer).first;
    Queue& queue = lane == Lane::request ? lanes.request : lanes.bulk;
    if (!queue.messages.empty()) return queue;
    if (queue.peer.empty()) {
      queue.peer = name;
      queue.lane = lane;
    }
    waiting_.push_back(&queue);
    return queue;
  }

  struct Queues {
    Queue request{};
    Queue bulk{};
  };
  NameMap<Queues> queues_;       // of whoever was ever sent to
  std::vector<Queue*> waiting_;  // those that hold something
};

}  // namespace dynamo::core
