#include <string>

#include "catch.hpp"
#include "unit/host/lone_node.h"

using test::LoneNode;
using By = dynamo::host::Host::By;

namespace {

// What cannot be read is an event, too.
void packet_arrives(const LoneNode& node) { (*node.receive)("not a packet", ""); }

}  // namespace

TEST_CASE("host: a packet that comes alone gets its turn at once") {
  LoneNode node;
  REQUIRE(node.start().ok());
  node.get("k");
  node.hands->turn();  // with one event, as it has been lately
  packet_arrives(node);
  CHECK(node.hands->at_once == 1);
  CHECK_FALSE(node.hands->woken);
}

// Two nodes on one pool, whose transport held a lock while it handed packets over, waited for each
// other: what each sent from within its turn found the other's lock.
TEST_CASE("host: a packet that an application's transport hands over waits for its turn") {
  LoneNode node{.transport_is_own = false};
  REQUIRE(node.start().ok());
  node.get("k");
  node.hands->turn();
  packet_arrives(node);
  CHECK(node.hands->at_once == 0);
  CHECK(node.hands->woken);
}

TEST_CASE("host: where turns gather, packets wait for one") {
  LoneNode node;
  REQUIRE(node.start().ok());
  node.get("k");
  node.get("l");
  node.hands->turn();
  packet_arrives(node);
  CHECK(node.hands->at_once == 0);
  CHECK(node.hands->woken);
}

TEST_CASE("host: of packets that come alone some wait, to see whether more would come") {
  LoneNode node;
  REQUIRE(node.start().ok());
  node.get("k");
  node.hands->turn();
  int waited = 0;
  for (int i = 0; i < 100; ++i) {
    packet_arrives(node);
    if (!node.hands->woken) continue;
    ++waited;
    node.hands->turn();
  }
  CHECK(waited > 0);
  CHECK(waited < 10);
  // Now one finds company.
  while (!node.hands->woken) packet_arrives(node);
  packet_arrives(node);
  node.hands->turn();
  const int at_once = node.hands->at_once;
  packet_arrives(node);
  CHECK(node.hands->at_once == at_once);
}

TEST_CASE("host: a packet that finds a turn on its way goes with it") {
  LoneNode node;
  REQUIRE(node.start().ok());
  node.get("k");
  node.hands->turn();
  const LoneNode::Get answer = node.get("k");
  packet_arrives(node);
  CHECK(node.hands->at_once == 0);
  node.hands->turn();
  CHECK(answer->times == 1);
}

TEST_CASE("host: what handlers ask for one at a time gets its turn at once") {
  LoneNode node;
  REQUIRE(node.start().ok());
  for (int i = 0; i < 20; ++i) {
    const LoneNode::Get answer = node.get("k", By::handler);
    if (node.hands->woken) node.hands->turn();
    CHECK(answer->times == 1);
  }
  // Some were needed to see that they come one at a time.
  CHECK(node.hands->in_passing > 10);
  CHECK(node.hands->in_passing < 20);
}

// The first of a burst went alone, and then its answer came apart from the others', and what the
// handler of that asked for next: sixty-four gets at a time took a tenth more processor time.
TEST_CASE("host: what handlers ask for many at a time waits for one turn") {
  LoneNode node;
  REQUIRE(node.start().ok());
  for (int i = 0; i < 20; ++i) {
    const LoneNode::Get first = node.get("k", By::handler);
    const LoneNode::Get second = node.get("l", By::handler);
    node.hands->turn();
    CHECK(first->times == 1);
    CHECK(second->times == 1);
  }
  CHECK(node.hands->in_passing == 0);
}

TEST_CASE("host: with an application's transport a handler's request waits for its turn") {
  LoneNode node{.transport_is_own = false};
  REQUIRE(node.start().ok());
  for (int i = 0; i < 20; ++i) {
    node.get("k", By::handler);
    node.hands->turn();
  }
  CHECK(node.hands->in_passing == 0);
}

// The application may hold a lock that its log wants, too.
TEST_CASE("host: a turn within an application's call leaves the log to a thread of the node") {
  LoneNode node{.members = {"a", "b"}};
  node.facts.n = 2;
  REQUIRE(node.start().ok());
  for (int i = 0; i < 20; ++i) {
    node.get("k", By::handler);
    node.hands->turn();
  }
  REQUIRE(node.log.empty());
  for (int i = 0; i < 20 && node.log.empty(); ++i) {
    node.hands->steady += std::chrono::milliseconds(250);
    const int in_passing = node.hands->in_passing;
    node.get("k", By::handler);
    CHECK(node.hands->in_passing == in_passing + 1);
    CHECK(node.log.empty());
    node.hands->turn();
  }
  REQUIRE(node.log.size() == 1);  // that nothing is heard of b
}
