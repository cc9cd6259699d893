#include <string>

#include "catch.hpp"
#include "unit/host/lone_node.h"

using test::LoneNode;

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
  LoneNode node{.receives_at_once = false};
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
