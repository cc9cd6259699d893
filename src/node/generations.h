#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "node/node_state.h"
#include "wire/packet.h"

namespace dynamo::core {

// Moves this node through the cluster's generations (repair/generation.h), and if it is the member
// with the first name, the cluster.
//
// Generations go on only if somebody wishes it. Then every member reports when it has settled; the
// first one counts, and says by its own header that all have. Nothing is said of a generation
// before it is on this node's disk. Questions and answers may be lost: all of it is said again
// until it has had its effect.
//
// Thread safety: one thread at a time.
class Generations {
 public:
  static constexpr TimePoint again = std::chrono::milliseconds(500);

  explicit Generations(NodeState& state) : state_(state) {}

  // From the engine, at start. DATA_LOSS if it is damaged.
  absl::Status restore(std::string_view record);

  // An accepted packet's header. Returns whether it says that this node has lost its disk, which is
  // news.
  bool heard(const Turn& turn, const PacketHeader& header);
  // Whether it would say nothing new.
  bool has_heard(const PacketHeader& header) const { return after(header) == state_.generation; }
  void take(const Turn& turn, const std::string& from, const GenerationReport& report);

  // Asks that the cluster moves on until this one is sealed.
  void wish(std::uint64_t generation);
  void rebuilt(const Turn& turn);

  // The engine's word on a write; that of others is ignored.
  void synced(std::uint64_t write);
  void failed(std::uint64_t write);

  void tick(const Turn& turn);
  TimePoint next_tick() const;

 private:
  struct Report {
    std::uint64_t settled = 0;
    Hash128 members{};
  };

  // What the header makes of this node's.
  Generation after(const PacketHeader& header, bool* lost = nullptr) const;
  bool busy() const;
  const std::string& first() const;
  Hash128 members() const;
  void store(const Turn& turn);
  void settle();
  void lead(const Turn& turn);
  void report(const Turn& turn);
  void send(const std::string& to);

  NodeState& state_;
  std::uint64_t wished_ = 0;
  std::map<std::string, Report, std::less<>> reports_;  // to this node, if it leads
  struct Write {
    std::uint64_t number = 0;
    Generation generation{};
  };
  std::optional<Write> write_;  // on its way to the disk
  TimePoint due_{};
};

std::string encode_generation(const Generation& generation);
absl::StatusOr<Generation> decode_generation(std::string_view record);

}  // namespace dynamo::core
