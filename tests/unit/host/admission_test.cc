#include "host/admission.h"

#include <chrono>
#include <string>
#include <vector>

#include "catch.hpp"
#include "unit/host/lone_node.h"

namespace {

using namespace std::chrono_literals;
using dynamo::core::TimePoint;
using dynamo::host::Admission;
using test::LoneNode;

constexpr auto window = 50ms;

// A node that answers so many requests a second, each after as long as those before it take, and a
// load that asks for `asked` in each millisecond.
struct Overload {
  explicit Overload(int requests_max) : admission(requests_max) {}

  void run(std::chrono::milliseconds time, int asked, int answers) {
    for (auto i = 0ms; i < time; i += 1ms) {
      refused_lately = 0;
      for (int k = 0; k < asked; ++k) {
        const bool admitted = admission.admit(Admission::Kind::put, "k").ok();
        if (admitted) in_flight.push_back(now);
        if (!admitted) ++refused_lately;
      }
      now += 1ms;
      Admission::Load load;
      for (int k = 0; k < answers && !in_flight.empty(); ++k) {
        load.waited += now - in_flight.front();
        ++load.begun;
        ++load.answered;
        longest_lately = now - in_flight.front();
        in_flight.erase(in_flight.begin());
        admission.finished();
      }
      admission.adjust(now, load);
    }
  }

  Admission admission;
  TimePoint now = 1s;
  std::vector<TimePoint> in_flight{};  // when each was asked for
  int refused_lately = 0;
  TimePoint longest_lately{};
};

TEST_CASE("admission: up to requests_max are let in, however late the node is") {
  Overload overload(1000);
  overload.run(20ms, 50, 0);
  CHECK(overload.in_flight.size() == 1000);
  overload.run(2s, 10, 10);
  CHECK(overload.admission.limit() == 1000);
  CHECK(overload.refused_lately == 0);
}

TEST_CASE("admission: the request beyond requests_max is refused by name, and only that") {
  Admission admission(2);
  CHECK(admission.admit(Admission::Kind::get, "k").ok());
  CHECK(admission.admit(Admission::Kind::put, "k").ok());
  const absl::Status beyond = admission.admit(Admission::Kind::put, "k");
  CHECK(absl::IsResourceExhausted(beyond));
  CHECK(beyond.message() == "\"k\": requests_max is 2, and as many are in flight");
  admission.finished();
  CHECK(admission.admit(Admission::Kind::put, "k").ok());
  dynamo::host::Counts counts;
  admission.add_to(counts);
  CHECK(counts.summary().puts == 1);
  CHECK(counts.summary().failed == 1);
  CHECK(counts.summary().gets == 0);
}

// Ten times what it can do: everything that was let in waited behind 16,384 others.
TEST_CASE("admission: in overload what is let in waits for milliseconds, and then all are let in") {
  Overload overload(16384);
  overload.run(2s, 500, 50);
  CHECK(overload.refused_lately >= 400);
  CHECK(overload.longest_lately <= 10ms);
  CHECK(overload.admission.limit() < 1000);
  const absl::Status refused = [&] {
    for (;;) {
      if (absl::Status status = overload.admission.admit(Admission::Kind::get, "k"); !status.ok()) {
        return status;
      }
    }
  }();
  CHECK_THAT(std::string(refused.message()),
             test::ContainsSubstring("overloaded") && test::ContainsSubstring("16384"));
  // Half of what it can do.
  overload.run(1500ms, 25, 50);
  CHECK(overload.refused_lately == 0);
  CHECK(overload.admission.limit() == 16384);
}

// A replica that does not answer, say: the node itself has nothing to do.
TEST_CASE("admission: that requests take long is no reason to let in less") {
  Admission admission(1000);
  TimePoint now = 1s;
  for (int i = 0; i < 100; ++i) {
    Admission::Load load;
    for (int k = 0; k < 100; ++k) {
      if (!admission.admit(Admission::Kind::get, "k").ok()) continue;
      load.waited += 50us;
      ++load.begun;
    }
    now += window / 5;
    admission.adjust(now, load);
  }
  CHECK_FALSE(admission.admit(Admission::Kind::get, "k").ok());
  CHECK(admission.limit() == 1000);
}

TEST_CASE("a host refuses what is beyond requests_max at once, those before the first view too") {
  LoneNode node;
  node.options.requests_max = 2;
  node.members = {"a", "b"};
  node.facts.n = 2;
  REQUIRE(node.start().ok());
  REQUIRE(node.host->open_store(node.facts).ok());
  const LoneNode::Put put = node.put("k", "tea");
  const LoneNode::Get get = node.get("k");
  const LoneNode::Put beyond = node.put("k", "book");
  CHECK(beyond->times == 1);
  CHECK(absl::IsResourceExhausted(beyond->status));
  node.hands->run();
  CHECK(put->status.ok());
  CHECK(get->status.ok());
  CHECK(node.host->stats().failed == 1);
  const LoneNode::Put after = node.put("k", "book");
  node.hands->run();
  CHECK(after->status.ok());
}

}  // namespace
