#include <dynamo/membership/fixed.h>

#include <cmath>
#include <limits>
#include <optional>
#include <utility>

#include "catch.hpp"

using dynamo::Identity;
using dynamo::Member;
using dynamo::View;

namespace {

Member member(std::string name, double weight = 1) {
  return {.name = name, .address = name + ":7000", .zone = "zone-" + name, .weight = weight};
}

struct Started {
  absl::Status status;
  std::optional<View> view;
};

Started start(std::vector<Member> members, std::string self = "a") {
  const auto membership = dynamo::fixed_membership(std::move(members));
  Started result;
  dynamo::Membership::Callbacks callbacks;
  callbacks.publish = [&](View view) { result.view = std::move(view); };
  const Member given{.identity = {.high = 1, .low = 2}, .name = self, .address = "elsewhere:1"};
  result.status = membership->start(given, "", 1, std::move(callbacks));
  return result;
}

}  // namespace

TEST_CASE("fixed membership publishes its list once, sorted by name") {
  const auto started = start({member("c"), member("a", 2), member("b", 0)});
  REQUIRE(started.status.ok());
  REQUIRE(started.view);
  CHECK(started.view->number == 1);
  CHECK_FALSE(started.view->cluster.is_zero());
  CHECK(started.view->moves.empty());
  const auto& members = started.view->members;
  REQUIRE(members.size() == 3);
  CHECK(members[0].name == "a");
  CHECK(members[1].name == "b");
  CHECK(members[2].name == "c");
  CHECK(members[0].identity == Identity{.high = 1, .low = 2});
  CHECK(members[1].identity.is_zero());
  // Taken from the list, also for this node.
  CHECK(members[0].address == "a:7000");
  CHECK(members[0].zone == "zone-a");
  CHECK(members[0].weight == 2);
}

TEST_CASE("the identity of a fixed cluster depends on the names alone") {
  const Identity abc = start({member("a"), member("b"), member("c")}).view->cluster;
  CHECK(start({member("c"), member("b", 5), member("a")}).view->cluster == abc);
  auto moved = member("b");
  moved.address = "other:1";
  CHECK(start({member("a"), moved, member("c")}, "c").view->cluster == abc);
  CHECK(start({member("a"), member("b")}).view->cluster != abc);
  CHECK(start({member("a"), member("bc")}).view->cluster !=
        start({member("a"), member("b"), member("c")}).view->cluster);
  CHECK(start({member("a"), member("bc"), member("d")}).view->cluster !=
        start({member("a"), member("b"), member("cd")}).view->cluster);
}

TEST_CASE("a fixed list that cannot work is refused by name") {
  auto homeless = member("b");
  homeless.address.clear();
  const double infinity = std::numeric_limits<double>::infinity();
  const std::vector<std::pair<std::vector<Member>, std::string>> cases{
      {{}, "empty"},
      {{member("a"), member("")}, "empty name"},
      {{member("a"), member(std::string(256, 'x'))}, "255"},
      {{member("a"), member("b"), member("b")}, "\"b\" is repeated"},
      {{member("a"), homeless}, "\"b\" has no address"},
      {{member("b"), member("c")}, "lacks this node, \"a\""},
      {{member("a"), member("b", -1)}, "\"b\" has weight"},
      {{member("a"), member("b", infinity)}, "\"b\" has weight"},
      {{member("a"), member("b", std::nan(""))}, "\"b\" has weight"},
      {{member("a", 0), member("b", 0)}, "all zero"},
  };
  for (const auto& [members, why] : cases) {
    const auto started = start(members);
    CAPTURE(why, started.status.ToString());
    CHECK(started.status.code() == absl::StatusCode::kInvalidArgument);
    CHECK(started.status.ToString().find(why) != std::string::npos);
    CHECK_FALSE(started.view);
  }
}

TEST_CASE("a fixed membership does not change") {
  const auto membership = dynamo::fixed_membership({member("a")});
  const dynamo::Change change{.kind = dynamo::Change::Kind::join, .member = member("b")};
  CHECK(membership->change(change).code() == absl::StatusCode::kFailedPrecondition);
}
