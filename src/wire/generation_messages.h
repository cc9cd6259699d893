#pragma once

#include <cstdint>
#include <vector>

#include "base/hash.h"
#include "wire/exchange_messages.h"
#include "wire/store_facts.h"

// How the cluster moves through generations (repair/generation.h), drops deletes, and how a node
// that has lost its disk finds out what it should hold. Which generation a node is in, and which it
// has sealed, every packet says in its header.
namespace dynamo::core {

// To the member that seals: "I have settled in this generation, and want to be in that one." A
// member's word from before another lost its disk does not count, so it says whom it knows.
struct GenerationReport {
  std::uint64_t settled = 0;
  std::uint64_t wished = 0;
  Hash128 members{};  // of the names and identities of all members, as the sender knows them
  friend bool operator==(const GenerationReport&, const GenerationReport&) = default;
};

// "I confirmed these records in that generation, and drop them." For the other owners.
struct DropRequest {
  StoreFacts store{};
  std::uint64_t confirmed = 0;
  std::vector<KeyDigest> records{};
  friend bool operator==(const DropRequest&, const DropRequest&) = default;
};

// "Which stores are there?"
struct StoresRequest {
  std::uint64_t operation = 0;
  friend bool operator==(const StoresRequest&, const StoresRequest&) = default;
};
struct StoresReply {
  struct Entry {
    StoreFacts store{};
    bool established = false;
    friend bool operator==(const Entry&, const Entry&) = default;
  };
  std::uint64_t operation = 0;
  std::vector<Entry> stores{};
  friend bool operator==(const StoresReply&, const StoresReply&) = default;
};

}  // namespace dynamo::core
