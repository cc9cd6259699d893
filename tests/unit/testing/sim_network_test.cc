#include "testing/sim_network.h"

#include <memory>
#include <string>
#include <vector>

#include "catch.hpp"

using dynamo::Lane;
using dynamo::Transport;
using dynamo::testing::SimContext;
using dynamo::testing::SimNetwork;
using dynamo::testing::SimPacket;

namespace {

struct Net {
  const std::shared_ptr<SimContext> context = std::make_shared<SimContext>();
  const std::shared_ptr<SimNetwork> network = std::make_shared<SimNetwork>(context);
  const std::unique_ptr<Transport> a = SimNetwork::transport(network, "a");
  const std::unique_ptr<Transport> b = SimNetwork::transport(network, "b");
  std::vector<std::string> received{};

  Net() {
    for (Transport* port : {a.get(), b.get()}) {
      REQUIRE(port->start([this](std::string packet, std::string_view) {
                    received.push_back(std::move(packet));
                  })
                  .ok());
    }
  }
  void run() {
    while (context->scheduler().step(context->scheduler().after(SimNetwork::latency))) {
    }
  }
};

}  // namespace

TEST_CASE("packets arrive once, in order, one latency later") {
  Net net;
  net.a->send("b", Lane::request, "1");
  net.a->send("b", Lane::bulk, "2");
  CHECK(net.received.empty());
  const auto before = net.context->scheduler().now();
  REQUIRE(net.context->scheduler().step(dynamo::core::TimePoint::max()));
  CHECK(net.context->scheduler().now() == before + SimNetwork::latency);
  net.run();
  CHECK(net.received == std::vector<std::string>{"1", "2"});
}

TEST_CASE("what nobody can receive vanishes, and the observer sees that") {
  Net net;
  std::vector<std::string> seen;
  net.network->observe([&](const SimPacket& packet) {
    seen.push_back(std::string(packet.from) + std::string(packet.to) + std::string(packet.bytes) +
                   (packet.lost ? " lost" : ""));
  });
  net.a->send("nowhere", Lane::request, "1");
  net.a->send("b", Lane::request, "2");  // under way when b goes
  net.network->disconnect("b");
  net.a->send("b", Lane::request, "3");
  net.b->send("a", Lane::request, "4");
  net.run();
  CHECK(net.received.empty());
  net.network->connect("b");
  net.a->send("b", Lane::request, "5");
  net.run();
  CHECK(net.received == std::vector<std::string>{"5"});
  CHECK(seen == std::vector<std::string>{"anowhere1 lost", "ab2", "ab3 lost", "ba4 lost", "ab5"});
}

TEST_CASE("a stopped transport neither sends nor receives, and frees its address") {
  Net net;
  const auto second = SimNetwork::transport(net.network, "a");
  CHECK(absl::IsUnavailable(second->start([](std::string, std::string_view) {}).status()));
  net.b->send("a", Lane::request, "1");
  net.a->stop();
  net.a->stop();
  net.a->send("b", Lane::request, "2");
  net.run();
  CHECK(net.received.empty());
  CHECK(second->start([](std::string, std::string_view) {}).value() == "a");
}
