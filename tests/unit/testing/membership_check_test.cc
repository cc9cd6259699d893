#include <dynamo/testing/membership_check.h>

#include <optional>
#include <sstream>
#include <stdexcept>
#include <thread>
#include <utility>

#include <dynamo/membership/fixed.h>

#include "catch.hpp"

namespace {

using dynamo::Change;
using dynamo::Member;
using dynamo::Membership;
using dynamo::View;
using dynamo::testing::membership_check;
using test::ContainsSubstring;
using Made = absl::StatusOr<std::unique_ptr<Membership>>;

const Member self{.identity = {.high = 1, .low = 2}, .name = "a", .address = "a:1"};

// What can be wrong with a membership.
enum class Fault {
  none,
  no_view,
  number_repeated,
  number_falls,
  self_missing,
  self_of_nobody,
  name_twice,
  no_cluster,
  own_thread,
  speaks_after_stop,
  throws_at_garbage,
  believes_garbage,
  never_implemented,
  no_reason,
  refuses_and_publishes,
  refuses_its_state,
  forgets,
  other_cluster_after_restart,
  trusts_state,
  throws_at_a_full_disk,
  refuses_oddly,
};

// One node that others may join: decides joins, and remembers the names in its state.
class LonelyMembership final : public Membership {
 public:
  explicit LonelyMembership(Fault fault) : fault_(fault) {}
  ~LonelyMembership() override {
    if (thread_.joinable()) thread_.join();
  }

  absl::Status start(Member own, std::string state, std::uint64_t seed,
                     Callbacks callbacks) override {
    if (own.name != "a" && has(Fault::refuses_oddly)) return absl::UnknownError("who?");
    if (has(Fault::refuses_its_state) && !state.empty()) return absl::DataLossError("old state");
    own_ = std::move(own);
    callbacks_ = std::move(callbacks);
    cluster_ = has(Fault::other_cluster_after_restart) ? seed : 7;
    if (!read(state) && !has(Fault::trusts_state)) {
      return absl::InvalidArgumentError("state is damaged");
    }
    return absl::OkStatus();
  }

  absl::Status change(const Change& change) override {
    if (has(Fault::never_implemented)) return absl::UnimplementedError("not yet");
    if (change.kind != Change::Kind::join) {
      if (has(Fault::refuses_and_publishes)) publish();
      return absl::FailedPreconditionError(has(Fault::no_reason) ? "" : "only joins");
    }
    if (change.member.name.empty()) return absl::InvalidArgumentError("member: no name");
    joined_.push_back(change.member.name);
    persist();
    publish();
    return absl::OkStatus();
  }

  void receive(std::string payload) override {
    if (has(Fault::throws_at_garbage) && payload.size() > 50) throw std::length_error("too long");
    if (!has(Fault::believes_garbage)) return;
    joined_.push_back(std::move(payload));
    publish();
  }

  void tick(std::chrono::steady_clock::time_point now) override {
    callbacks_.send("b:1", "hello");
    // The first is a look at the clock; a view comes later.
    if (!begun_ || published_ || has(Fault::no_view)) {
      begun_ = begun_.value_or(now);
      return;
    }
    persist();
    publish();
    if (has(Fault::number_repeated) || has(Fault::number_falls)) publish();
    if (has(Fault::own_thread)) thread_ = std::thread([this] { callbacks_.send("b:1", "hi"); });
  }

  void stop() override {
    if (thread_.joinable()) thread_.join();
    if (has(Fault::speaks_after_stop) && published_) {
      thread_ = std::thread([this] { callbacks_.send("b:1", "bye"); });
    }
  }

 private:
  bool has(Fault fault) const { return fault_ == fault; }

  bool read(const std::string& state) {
    if (state.empty() || has(Fault::forgets)) return true;
    std::istringstream in(state);
    std::string head;
    in >> head >> number_;
    for (std::string name; in >> name;) joined_.push_back(name);
    return head == "lonely" && number_ < 1000 && joined_.size() < 5 && state == text();
  }
  std::string text() const {
    std::string state = "lonely " + std::to_string(number_);
    for (const std::string& name : joined_) state += " " + name;
    return state;
  }
  void persist() {
    ++number_;
    const absl::Status status = callbacks_.persist(text());
    if (!status.ok() && has(Fault::throws_at_a_full_disk)) throw std::runtime_error("disk full");
  }
  void publish() {
    if (has(Fault::believes_garbage) && published_) ++number_;
    if (has(Fault::number_falls) && published_) --number_;
    published_ = true;
    View view{.number = number_, .cluster = {.high = 0, .low = cluster_}};
    if (has(Fault::no_cluster)) view.cluster = {};
    Member own = own_;
    if (has(Fault::self_of_nobody)) own.identity = {};
    if (!has(Fault::self_missing)) view.members.push_back(own);
    if (has(Fault::name_twice)) view.members.push_back(own);
    for (const std::string& name : joined_) {
      view.members.push_back({.name = name, .address = name + ":1"});
    }
    callbacks_.publish(std::move(view));
  }

  const Fault fault_;
  Member own_;
  Callbacks callbacks_;
  std::uint64_t cluster_ = 0;
  std::uint64_t number_ = 0;
  std::vector<std::string> joined_;
  std::optional<std::chrono::steady_clock::time_point> begun_;
  bool published_ = false;
  std::thread thread_;
};

absl::Status check(Fault fault) {
  return membership_check(self,
                          [fault]() -> Made { return std::make_unique<LonelyMembership>(fault); });
}

TEST_CASE("the fixed membership keeps the contract") {
  const absl::Status status = membership_check(self, [] {
    return dynamo::fixed_membership({{.name = "b", .address = "b:1"},
                                     {.name = "a", .address = "a:1"},
                                     {.name = "c", .address = "c:1"}});
  });
  INFO(status.ToString());
  CHECK(status.ok());
}

TEST_CASE("a membership that decides joins and keeps state keeps the contract") {
  const absl::Status status = check(Fault::none);
  INFO(status.ToString());
  CHECK(status.ok());
}

TEST_CASE("every fault of a membership is found, by the rule that it breaks") {
  struct Case {
    Fault fault;
    std::string rule;
    std::string found;
  };
  const auto bad = GENERATE(values<Case>({
      {Fault::no_view, "comes to a view", "no view was published"},
      {Fault::number_repeated, "comes to a view", "view 1 was published after view 1"},
      {Fault::number_falls, "comes to a view", "number 0"},
      {Fault::self_missing, "comes to a view", "this node, \"a\" (1 bytes), is missing"},
      {Fault::self_of_nobody, "comes to a view", "has identity 0000"},
      {Fault::name_twice, "comes to a view", "is there twice"},
      {Fault::no_cluster, "comes to a view", "view 1 has no cluster"},
      {Fault::own_thread, "comes to a view", "calls send() from outside its methods"},
      {Fault::speaks_after_stop, "", "calls send() from outside its methods"},
      {Fault::throws_at_garbage, "garbage from peers", "receive() threw: too long"},
      {Fault::believes_garbage, "garbage from peers", "the name of a member is"},
      {Fault::never_implemented, "does not decide", "a join is answered with UNIMPLEMENTED"},
      {Fault::no_reason, "does not decide", "a stranger's leave is refused without a reason"},
      {Fault::refuses_and_publishes, "does not decide", "published"},
      {Fault::refuses_its_state, "takes its state back", "refuses the state that it persisted"},
      {Fault::forgets, "takes its state back", "view 1 was published after view 2"},
      {Fault::other_cluster_after_restart, "takes its state back", "of another cluster"},
      {Fault::trusts_state, "garbage as state", "view"},
      {Fault::throws_at_a_full_disk, "a full disk", "tick() threw: disk full"},
      {Fault::refuses_oddly, "by the book", "start() refuses with UNKNOWN"},
  }));
  const absl::Status status = check(bad.fault);
  CAPTURE(static_cast<int>(bad.fault));
  CHECK(status.code() == absl::StatusCode::kInternal);
  const std::string message(status.message());
  CHECK_THAT(message, ContainsSubstring("the membership breaks the rule \"") &&
                          ContainsSubstring(bad.rule) && ContainsSubstring(bad.found));
}

TEST_CASE("what cannot be checked is said") {
  CHECK(membership_check({}, []() -> Made { return nullptr; }).code() ==
        absl::StatusCode::kInvalidArgument);
  CHECK(membership_check(self, []() -> Made { return absl::UnavailableError("not today"); })
            .message()
            .find("not today") != std::string::npos);
  CHECK_THAT(std::string(membership_check(self, []() -> Made { return nullptr; }).message()),
             ContainsSubstring("null"));
}

}  // namespace
