#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <absl/functional/function_ref.h>
#include <dynamo/testing/sim_cluster.h>
#include <fmt/format.h>

namespace seeds {

// What a checker found.
struct Failure {
  std::string checker{};  // "C2"
  std::string text{};
  int key = -1;  // that it is about, if it is about one
  std::chrono::nanoseconds at{};
};

// What a run has visited: proof that the checkers had something to look at (C16).
enum class Visit {
  get_ok,
  get_failed,
  put_ok,
  put_unknown,
  put_refused,
  erase_ok,
  retry,
  siblings,
  stand_in_took,
  stand_in_coordinated,
  hint_delivered,
  reaped,
  rebuilt,
  old_copy_refused,
  read_checked_regular,
  at_least_covered,
  cookie_refused,
  write_under_two_dots,
  fresh_actor,
  core_served,
  durable_checked,
  joined,
  left,
  removed,
  replaced,
  move_finished,
  death_in_move,
  gone_refused,
  moved_checked,
};
inline constexpr std::size_t visits = static_cast<std::size_t>(Visit::moved_checked) + 1;
using Visits = std::array<std::uint64_t, visits>;

inline std::string_view to_string(Visit visit) {
  constexpr std::array<std::string_view, visits> names = {"gets answered",
                                                          "gets failed",
                                                          "puts acknowledged",
                                                          "puts of unknown outcome",
                                                          "puts refused",
                                                          "erases acknowledged",
                                                          "writes retried",
                                                          "gets with siblings",
                                                          "stand-ins that took",
                                                          "stand-ins that coordinated",
                                                          "hints delivered",
                                                          "records reaped",
                                                          "disks rebuilt",
                                                          "old copies refused",
                                                          "gets checked as regular",
                                                          "gets at least",
                                                          "damaged contexts refused",
                                                          "writes under two dots",
                                                          "fresh actors",
                                                          "cores that served",
                                                          "acknowledgements found on disk",
                                                          "members joined",
                                                          "members left",
                                                          "members removed",
                                                          "members replaced",
                                                          "moves finished",
                                                          "deaths in the middle of a move",
                                                          "returns of the gone refused",
                                                          "acknowledgements found after a move"};
  return names[static_cast<std::size_t>(visit)];
}

// Where checkers report, and what happened is told. Only the first failure counts: what follows it
// is its doing.
//
// Checkers are called from inside the nodes, so they never throw; whoever drives the run asks.
//
// Thread safety: one thread.
class Findings {
 public:
  explicit Findings(const dynamo::testing::SimCluster& cluster) : cluster_(cluster) {}

  void fail(std::string_view checker, std::string text, int key = -1) {
    if (failure_) return;
    failure_ = Failure{std::string(checker), std::move(text), key, cluster_.now()};
    note(key, [&] { return fmt::format("{} FAILS: {}", failure_->checker, failure_->text); });
  }
  const std::optional<Failure>& failure() const { return failure_; }

  void visit(Visit what) { ++visits_[static_cast<std::size_t>(what)]; }
  const Visits& visited() const { return visits_; }

  // Shows what happened, if anybody looks. `key`: that it is about; -1: everybody's business.
  using Show = std::function<void(std::chrono::nanoseconds at, int key, const std::string& text)>;
  void show_with(Show show) { show_ = std::move(show); }
  void note(int key, absl::FunctionRef<std::string()> text) {
    if (show_) show_(cluster_.now(), key, text());
  }

 private:
  const dynamo::testing::SimCluster& cluster_;
  std::optional<Failure> failure_;
  Visits visits_{};
  Show show_;
};

}  // namespace seeds
