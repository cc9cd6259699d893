#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <absl/status/status.h>

#include "base/name_map.h"
#include "base/optional_mutex.h"
#include "node/node_state.h"

namespace dynamo::core {

// Which view of the cluster this node is in, and which the others are in (paper, 4.8.1). Views come
// from the membership, and from peers that are ahead: whoever sends to a node that may be behind
// puts the view in front, so that data traffic never waits for gossip.
//
// A node goes on only: the view is stored, and a node that is started again is in it, though its
// membership may have been told of less.
//
// Thread safety: one thread at a time; strands may call has_heard() and news_for() at the same
// time.
class Views {
 public:
  // A peer that is behind is told again after so long.
  static constexpr TimePoint again = std::chrono::milliseconds(50);
  // A write of the view that failed is made again after so long.
  static constexpr TimePoint store_again = std::chrono::milliseconds(500);

  explicit Views(NodeState& state) : state_(state), mutex_(state.settings.strands > 1) {}

  // From the engine, at start. DATA_LOSS if it is damaged.
  absl::Status restore(std::string_view record);
  // The later one of the first view that the membership has, and of what was restored.
  View first(const View& published);
  // Whether this node may go from its view to that one.
  bool is_news(const View& view) const;

  // state.view is another one: stores it.
  void changed(const Turn& turn);
  // The engine's word on a write; that of others is ignored.
  void synced(std::uint64_t write);
  void failed(std::uint64_t write, TimePoint now);
  void tick(const Turn& turn);
  TimePoint next_tick() const;

  // A packet of that peer, in that view.
  void heard(const std::string& peer, std::uint64_t view);
  // Whether heard() would say nothing new.
  bool has_heard(const std::string& peer, std::uint64_t view) const;
  // What to put in front of what is sent to it now; null: nothing.
  const View* news_for(const std::string& peer, TimePoint now);

 private:
  struct Peer {
    std::uint64_t view = 0;
    TimePoint told_at{};  // since it was last heard of; zero: not
  };
  struct Write {
    std::uint64_t number = 0;
    std::uint64_t view = 0;
  };

  NodeState& state_;
  std::optional<View> restored_;
  std::optional<Write> write_;             // on its way to the disk
  TimePoint store_at_ = TimePoint::max();  // when it is made again
  OptionalMutex mutex_;
  NameMap<Peer> peers_;  // guarded
};

}  // namespace dynamo::core
