#pragma once

#include <algorithm>
#include <cstdint>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/coding.h"
#include "causality/version_set.h"

namespace test {

// The bytes of a state, in which actors are numbered as they appear: which random name one has
// drawn makes no difference to what can happen next.
//
// Thread safety: one thread at a time.
class Canonical {
 public:
  void number(std::uint64_t n) { dynamo::core::Encoder(bytes_).varint(n); }

  void actor(const dynamo::ActorId& id) {
    if (id == dynamo::ActorId{}) return number(0);
    auto at = std::ranges::find(names_, id);
    if (at == names_.end()) at = names_.insert(at, id);
    number(static_cast<std::uint64_t>(at - names_.begin()) + 1);
  }
  void dot(const dynamo::Dot& dot) {
    actor(dot.actor);
    number(dot.counter);
  }
  void history(const dynamo::core::History& history) {
    number(history.clock().size());
    for (const auto& entry : history.clock().entries()) dot({entry.actor, entry.counter});
    number(history.dots().size());
    for (const dynamo::Dot& one : history.dots()) dot(one);
  }
  // Writes are told apart by their ids, which are small numbers here.
  void set(const dynamo::core::VersionSet& set) {
    number(set.versions().size());
    for (const auto& version : set.versions()) {
      dot(version.dot);
      number(version.write_id.low);
      number(version.object ? 1 : 0);
    }
    history(set.history());
  }

  // `write` for each of them, without what is there twice and whatever the order.
  template <class Values, class Write>
  void as_set(const Values& values, Write write) {
    std::set<std::string> distinct;
    const std::size_t from = bytes_.size();
    for (const auto& value : values) {
      write(value);
      distinct.insert(bytes_.substr(from));
      bytes_.resize(from);
    }
    number(distinct.size());
    for (const std::string& one : distinct) bytes_ += one;
  }

  std::string take() { return std::move(bytes_); }

 private:
  std::string bytes_;
  std::vector<dynamo::ActorId> names_;
};

}  // namespace test
