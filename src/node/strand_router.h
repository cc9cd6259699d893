#pragma once

#include <bit>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "base/key_hash.h"
#include "node/event.h"
#include "node/strand.h"

namespace dynamo::core {

// Which strand deals with what, for whoever hands it out while strands work.
//
// Thread safety: immutable; any thread.
class StrandRouter {
 public:
  StrandRouter(std::uint64_t cluster_seed, int partitions, int strands)
      : seed_(cluster_seed),
        bits_(std::countr_zero(static_cast<unsigned>(partitions))),
        strands_(strands) {}

  // The strand of the common work, behind the others.
  int common() const { return strands_; }
  int of_key(std::string_view key) const {
    return static_cast<int>(key_hash(key, seed_).high >> (64 - bits_)) % strands_;
  }
  int of_number(std::uint64_t number) const {
    return std::min(Strand::of_number(number), strands_);
  }
  int of_message(const Message& message) const;

  // The parts of a packet, each with its strand: those of strands first.
  std::vector<std::pair<int, PacketOpened>> divide(PacketOpened opened) const;
  std::vector<std::pair<int, BatchWritten>> divide(const BatchWritten& written) const;

 private:
  const std::uint64_t seed_;
  const int bits_;
  const int strands_;
};

}  // namespace dynamo::core
