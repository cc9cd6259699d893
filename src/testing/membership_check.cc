#include <dynamo/testing/membership_check.h>

#include <array>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "testing/broken_rule.h"
#include "testing/membership_watch.h"

// Each rule is a function that makes what it needs and says what it found wrong. What holds for
// every view and every callback is watched all the time, by WatchedMembership.
namespace dynamo::testing {
namespace {

using std::chrono::milliseconds;

class Rules {
 public:
  Rules(Member self, MakeMembership make_membership)
      : self_(std::move(self)), make_membership_(make_membership) {}

  absl::Status check();

 private:
  using Watched = absl::StatusOr<std::unique_ptr<WatchedMembership>>;

  Watched make(const Member& self) {
    absl::StatusOr<std::unique_ptr<Membership>> membership = make_membership_();
    if (!membership.ok()) return membership.status();
    if (*membership == nullptr) return broken("make_membership made a null pointer");
    return std::make_unique<WatchedMembership>(*std::move(membership), self);
  }
  // Started, and with a first view.
  Watched make_running() {
    Watched watched = make(self_);
    if (!watched.ok()) return watched;
    if (absl::Status status = (*watched)->start("", 1); !status.ok()) {
      (*watched)->wrong(fmt::format("start() failed: {}", status.ToString()));
    }
    if (!(*watched)->reach_first_view()) return (*watched)->status();
    return watched;
  }

  absl::Status comes_to_a_view();
  absl::Status time_may_jump();
  absl::Status answers_changes();
  absl::Status survives_garbage();
  absl::Status takes_its_state_back();
  absl::Status survives_garbage_as_state();
  absl::Status survives_a_full_disk();
  absl::Status refuses_by_the_book();
  absl::Status is_silent_after_stop();

  const Member self_;
  const MakeMembership make_membership_;
};

absl::Status Rules::comes_to_a_view() {
  Watched watched = make_running();
  if (!watched.ok()) return watched.status();
  for (int i = 0; i < 50; ++i) (*watched)->tick();
  (*watched)->expect_silence();
  (*watched)->stop();
  return (*watched)->status();
}

absl::Status Rules::time_may_jump() {
  Watched watched = make_running();
  if (!watched.ok()) return watched.status();
  for (const int ms : {0, 0, 1, 100'000, 0, 86'400'000, 0, 1, 200}) {
    (*watched)->tick_after(milliseconds(ms));
  }
  (*watched)->stop();
  return (*watched)->status();
}

bool may_answer(absl::StatusCode code) {
  return code == absl::StatusCode::kOk || code == absl::StatusCode::kFailedPrecondition ||
         code == absl::StatusCode::kInvalidArgument || code == absl::StatusCode::kUnavailable;
}

absl::Status Rules::answers_changes() {
  struct Case {
    std::string_view name;
    Change change;
  };
  const Member newcomer{.identity = {.high = 77, .low = 1}, .name = "newcomer", .address = "new:1"};
  const Member stranger{.identity = {.high = 77, .low = 2}, .name = "stranger", .address = "new:2"};
  const Move move{.partition = 1'000'000, .from = {"stranger"}, .to = {"newcomer"}};
  const std::array<Case, 7> cases{{
      {"a join", {.kind = Change::Kind::join, .member = newcomer}},
      {"a join of nobody", {.kind = Change::Kind::join}},
      {"a stranger's leave", {.kind = Change::Kind::leave, .member = stranger}},
      {"a stranger's replacement", {.kind = Change::Kind::replace, .member = stranger}},
      {"a stranger's removal", {.kind = Change::Kind::remove, .member = stranger}},
      {"a removal by force", {.kind = Change::Kind::remove, .member = stranger, .force = true}},
      {"the end of no move", {.kind = Change::Kind::finish_move, .move = move}},
  }};
  for (const Case& one : cases) {
    Watched watched = make_running();
    if (!watched.ok()) return watched.status();
    const std::size_t views = (*watched)->log().views.size();
    const absl::Status answer = (*watched)->change(one.change);
    const bool published = (*watched)->log().views.size() > views;
    if (!may_answer(answer.code())) {
      (*watched)->wrong(
          fmt::format("{} is answered with {}; what a membership does not decide is "
                      "FAILED_PRECONDITION",
                      one.name, answer.ToString()));
    } else if (!answer.ok() && answer.message().empty()) {
      (*watched)->wrong(fmt::format("{} is refused without a reason", one.name));
    } else if (!answer.ok() && published) {
      (*watched)->wrong(fmt::format("{} is refused, and a view published", one.name));
    }
    for (int i = 0; i < 50; ++i) (*watched)->tick();
    (*watched)->stop();
    if (!(*watched)->ok()) return (*watched)->status();
  }
  return absl::OkStatus();
}

std::vector<std::string> garbage() {
  std::mt19937_64 random(1);
  std::vector<std::string> all{"", std::string(1, '\0'), std::string(1, '\xff'), "garbage"};
  for (int i = 0; i < 300; ++i) {
    std::string& payload = all.emplace_back(random() % (i % 10 == 0 ? 65'536 : 100), '\0');
    for (char& byte : payload) byte = static_cast<char>(random());
  }
  return all;
}

// Its own bytes, cut and changed: what looks most like what it expects.
std::vector<std::string> damaged(const std::vector<std::string>& good) {
  std::mt19937_64 random(2);
  std::vector<std::string> all;
  for (const std::string& bytes : good) {
    if (bytes.empty()) continue;
    for (int i = 0; i < 30; ++i) {
      std::string& changed = all.emplace_back(bytes);
      changed[random() % changed.size()] ^= static_cast<char>(1 + random() % 255);
    }
    all.push_back(bytes.substr(0, random() % bytes.size()));
    all.push_back(bytes + "more");
  }
  return all;
}

absl::Status Rules::survives_garbage() {
  Watched watched = make_running();
  if (!watched.ok()) return watched.status();
  for (int i = 0; i < 20; ++i) (*watched)->tick();
  std::vector<std::string> payloads = damaged((*watched)->log().sent);
  for (std::string& payload : garbage()) payloads.push_back(std::move(payload));
  for (std::size_t i = 0; i < payloads.size() && (*watched)->ok(); ++i) {
    (*watched)->receive(payloads[i]);
    if (i % 50 == 0) (*watched)->tick();
  }
  (*watched)->stop();
  return (*watched)->status();
}

absl::Status Rules::takes_its_state_back() {
  Watched first = make_running();
  if (!first.ok()) return first.status();
  for (int i = 0; i < 50; ++i) (*first)->tick();
  // If it decides joins, there is more to remember.
  static_cast<void>((*first)->change(
      {.kind = Change::Kind::join,
       .member = {.identity = {.high = 77, .low = 1}, .name = "newcomer", .address = "new:1"}}));
  for (int i = 0; i < 50; ++i) (*first)->tick();
  (*first)->stop();
  if (!(*first)->ok()) return (*first)->status();
  const std::vector<std::string> states = (*first)->log().states;
  const std::string state = states.empty() ? "" : states.back();

  for (std::uint64_t seed = 2; seed < 4; ++seed) {
    Watched again = make(self_);
    if (!again.ok()) return again.status();
    (*again)->restarted_after(**first);
    const absl::Status status = (*again)->start(state, seed);
    if (!status.ok()) {
      (*again)->wrong(fmt::format("it refuses the state that it persisted, {}: {}", quote(state),
                                  status.ToString()));
    }
    if (!(*again)->reach_first_view()) return (*again)->status();
    (*again)->stop();
    if (!(*again)->ok()) return (*again)->status();
  }
  return absl::OkStatus();
}

absl::Status Rules::survives_garbage_as_state() {
  Watched first = make_running();
  if (!first.ok()) return first.status();
  std::vector<std::string> states = damaged((*first)->log().states);
  for (std::string& state : garbage()) states.push_back(std::move(state));
  (*first)->stop();
  for (const std::string& state : states) {
    Watched watched = make(self_);
    if (!watched.ok()) return watched.status();
    // Refused or not, it throws nothing, and views are what views have to be.
    if ((*watched)->start(state, 1).ok()) {
      for (int i = 0; i < 5; ++i) (*watched)->tick();
    }
    (*watched)->stop();
    if (!(*watched)->ok()) return (*watched)->status();
  }
  return absl::OkStatus();
}

absl::Status Rules::survives_a_full_disk() {
  Watched watched = make(self_);
  if (!watched.ok()) return watched.status();
  (*watched)->fail_persist();
  if ((*watched)->start("", 1).ok()) {
    for (int i = 0; i < 50; ++i) (*watched)->tick();
  }
  (*watched)->stop();
  return (*watched)->status();
}

absl::Status Rules::refuses_by_the_book() {
  Member nobody = self_;
  nobody.name = "nobody knows this name";
  Watched watched = make(nobody);
  if (!watched.ok()) return watched.status();
  const absl::Status status = (*watched)->start("", 1);
  if (status.ok()) {
    (*watched)->stop();
    return (*watched)->status();
  }
  if (status.code() != absl::StatusCode::kInvalidArgument &&
      status.code() != absl::StatusCode::kFailedPrecondition) {
    (*watched)->wrong(fmt::format("start() refuses with {}", status.ToString()));
  }
  if (!(*watched)->log().views.empty()) (*watched)->wrong("start() refuses, and publishes a view");
  (*watched)->stop();  // a node stops what it began to start
  return (*watched)->status();
}

absl::Status Rules::is_silent_after_stop() {
  Watched watched = make_running();
  if (!watched.ok()) return watched.status();
  (*watched)->stop();
  (*watched)->expect_silence();
  return (*watched)->status();
}

absl::Status Rules::check() {
  struct Rule {
    std::string_view name;
    absl::Status (Rules::*check)();
  };
  constexpr std::array<Rule, 9> rules{{
      {.name = "it comes to a view with this node in it", .check = &Rules::comes_to_a_view},
      {.name = "time may stand and jump", .check = &Rules::time_may_jump},
      {.name = "it says which changes it does not decide", .check = &Rules::answers_changes},
      {.name = "garbage from peers does no harm", .check = &Rules::survives_garbage},
      {.name = "it takes its state back", .check = &Rules::takes_its_state_back},
      {.name = "garbage as state does no harm", .check = &Rules::survives_garbage_as_state},
      {.name = "a full disk does no harm", .check = &Rules::survives_a_full_disk},
      {.name = "it refuses to start by the book", .check = &Rules::refuses_by_the_book},
      {.name = "it is silent after stop", .check = &Rules::is_silent_after_stop},
  }};
  for (const Rule& rule : rules) {
    const absl::Status wrong = (this->*rule.check)();
    if (!wrong.ok()) return breaks_rule("membership", rule.name, wrong);
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status membership_check(Member self, MakeMembership make_membership) {
  if (self.name.empty() || self.address.empty()) {
    return absl::InvalidArgumentError("self: a member needs a name and an address");
  }
  if (self.identity.is_zero()) self.identity = {.high = 0x5e1f, .low = 1};
  return Rules(std::move(self), make_membership).check();
}

}  // namespace dynamo::testing
