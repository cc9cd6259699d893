#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <absl/container/inlined_vector.h>
#include <absl/functional/function_ref.h>

#include "host/content.h"

namespace dynamo::host {

// What the object buffer knows of a record that is newer than the engine's.
struct Unwritten {
  std::uint64_t hash = 0;
  Content content{};
  std::uint64_t sequence = 0;
  struct Write {
    std::uint64_t sequence = 0;
    std::uint64_t write = 0;
  };
  // To be settled by the commit of their sequence number or a later one.
  absl::InlinedVector<Write, 1> writes{};
  enum class State { out, waits, urgent, dropped };  // out: part of the batch that is out
  State state = State::out;
  bool acknowledged = false;  // a buffered write is part of it: it must not be lost
  bool refused = false;       // it is acknowledged, and its last commit has failed
  std::uint32_t place = 0;    // KeyOrder's

  std::string_view key() const { return content.key(); }
};

// The unwritten records in the order of their keys, without what a tree costs at every write: keys
// of objects and hints end in a hash, so that groups by the first bits of it are about equally
// large, and a group is put in order when somebody comes along.
//
// Thread safety: one thread at a time.
class KeyOrder {
 public:
  void add(Unwritten& record);
  void remove(Unwritten& record);
  // In the order of their keys, from that key on, until `visit` returns false. `visit` may change
  // the records, but not add or remove any.
  void visit_from(std::string_view key, absl::FunctionRef<bool(Unwritten&)> visit) const;
  // The same from the last key below `key` on, or from the very last, and backwards.
  void visit_back_from(const std::optional<std::string>& key,
                       absl::FunctionRef<bool(Unwritten&)> visit) const;

 private:
  static constexpr int group_bits = 10;
  using Group = std::vector<Unwritten*>;
  using Section = std::array<Group, std::size_t{1} << group_bits>;
  using SectionKey = std::array<unsigned char, 9>;  // kind and store
  struct Place {
    SectionKey section{};
    std::size_t group = 0;
  };
  static Place place_of(std::string_view key);

  std::map<SectionKey, Section> sections_;  // one for a kind of one store, or for another kind
};

}  // namespace dynamo::host
