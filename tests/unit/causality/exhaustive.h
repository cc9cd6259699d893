#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <unordered_map>
#include <vector>

#include <fmt/format.h>

#include "base/hash.h"

namespace test {

// Every sequence of moves from a state. What follows equal states is looked at once, and counted
// as often as they are reached.
//
// A Run can be copied, and has apply(step), failure() and fingerprint(): equal ones have equal
// futures. A move is some steps that are taken one after the other; those that cannot be are left
// out, and if none can be, so is the move. `moves_of(run)` says what is to be tried.
//
// Thread safety: one thread at a time.
template <class Run, class MovesOf>
class Exhaustive {
 public:
  using Move = std::vector<typename Run::Step>;

  explicit Exhaustive(MovesOf moves_of) : moves_of_(moves_of) {}

  // How many sequences of at most `depth` moves there are. Stops at the first failure.
  std::uint64_t from(const Run& run, int depth) {
    std::uint64_t sequences = 0;
    for (const Move& move : moves_of_(run)) {
      Run next = run;
      if (!take(next, move)) continue;
      ++applied_;
      path_.push_back(move);
      if (!next.failure().empty()) note(next.failure());
      ++sequences;
      if (depth > 1 && failure_.empty()) sequences += below(next, depth - 1);
      if (!failure_.empty()) return sequences;
      path_.pop_back();
    }
    return sequences;
  }

  // Empty, or what broke and the moves before it.
  const std::string& failure() const { return failure_; }
  std::size_t states() const { return seen_.size(); }  // from which all moves were tried
  std::uint64_t applied() const { return applied_; }   // moves, with a check after each
  std::size_t failing_moves() const { return path_.size(); }

 private:
  struct First {
    std::size_t operator()(const dynamo::core::Hash128& hash) const { return hash.low; }
  };

  std::uint64_t below(const Run& run, int depth) {
    const auto hash = dynamo::core::hash128(run.fingerprint(), static_cast<std::uint64_t>(depth));
    if (const auto at = seen_.find(hash); at != seen_.end()) return at->second;
    const std::uint64_t sequences = from(run, depth);
    seen_.emplace(hash, sequences);
    return sequences;
  }
  static bool take(Run& run, const Move& move) {
    bool any = false;
    for (const auto& step : move) {
      any = run.apply(step) || any;
      if (!run.failure().empty()) break;
    }
    return any;
  }
  void note(const std::string& what) {
    failure_ = what + "\nafter\n";
    for (const Move& move : path_) {
      std::string text;
      for (const auto& step : move) text += (text.empty() ? "" : ", ") + Run::text(step);
      failure_ += text + "\n";
    }
  }

  MovesOf moves_of_;
  std::vector<Move> path_;
  std::unordered_map<dynamo::core::Hash128, std::uint64_t, First> seen_;
  std::uint64_t applied_ = 0;
  std::string failure_;
};

// `usual`, or what DYNAMO_DEPTH asks for.
inline int wanted_depth(int usual) {
  const char* given = std::getenv("DYNAMO_DEPTH");
  return given == nullptr ? usual : std::atoi(given);
}

}  // namespace test
