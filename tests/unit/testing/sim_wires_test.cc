#include "testing/sim_wires.h"

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "catch.hpp"

using dynamo::Lane;
namespace core = dynamo::core;
using dynamo::Transport;
using dynamo::testing::SimContext;
using dynamo::testing::SimFault;
using dynamo::testing::SimJournal;
using dynamo::testing::SimNetwork;
using dynamo::testing::SimPacket;
using dynamo::testing::SimWires;
using namespace std::chrono_literals;

namespace {

struct Net {
  const std::shared_ptr<SimContext> context = std::make_shared<SimContext>();
  const std::shared_ptr<SimWires> network = std::make_shared<SimWires>(context);
  const std::unique_ptr<Transport> a = SimWires::transport(network, "a");
  const std::unique_ptr<Transport> b = SimWires::transport(network, "b");
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
    while (context->scheduler().step(context->scheduler().after(SimNetwork().latency_min))) {
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
  CHECK(net.context->scheduler().now() == before + SimNetwork().latency_min);
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
  const auto second = SimWires::transport(net.network, "a");
  CHECK(absl::IsUnavailable(second->start([](std::string, std::string_view) {}).status()));
  net.b->send("a", Lane::request, "1");
  net.a->stop();
  net.a->stop();
  net.a->send("b", Lane::request, "2");
  net.run();
  CHECK(net.received.empty());
  CHECK(second->start([](std::string, std::string_view) {}).value() == "a");
}

namespace {

// Two ports, and what arrives at b, under these rates.
struct Noisy {
  const std::shared_ptr<SimContext> context = std::make_shared<SimContext>();
  const std::shared_ptr<SimJournal> journal = std::make_shared<SimJournal>();
  const std::shared_ptr<SimWires> wires;
  const std::unique_ptr<Transport> a;
  const std::unique_ptr<Transport> b;
  std::vector<std::string> received{};

  explicit Noisy(const SimNetwork& rates, std::uint64_t seed = 1)
      : wires(std::make_shared<SimWires>(context, rates, seed, journal)),
        a(SimWires::transport(wires, "a")),
        b(SimWires::transport(wires, "b")) {
    REQUIRE(a->start([](std::string, std::string_view) {}).ok());
    REQUIRE(b->start([this](std::string packet, std::string_view) {
               received.push_back(std::move(packet));
             }).ok());
  }
  ~Noisy() { context->close(); }
  void send(int packets) {
    for (int i = 0; i < packets; ++i) {
      a->send("b", Lane::request, std::to_string(i));
      context->scheduler().step(context->scheduler().now() + 10us);
    }
    run(10s);
  }
  void run(core::TimePoint duration) {
    const core::TimePoint until = context->scheduler().after(duration);
    while (context->scheduler().step(until)) {
    }
  }
};

}  // namespace

TEST_CASE("latency is drawn from its minimum up, around its mean, and keeps the order") {
  Noisy net({.latency_min = 1ms, .latency_mean = 5ms});
  core::TimePoint total{};
  for (int i = 0; i < 2000; ++i) {
    const core::TimePoint sent = net.context->scheduler().now();
    net.a->send("b", Lane::request, "x");
    while (net.received.size() <= static_cast<std::size_t>(i)) {
      REQUIRE(net.context->scheduler().step(sent + 10s));
    }
    const core::TimePoint took = net.context->scheduler().now() - sent;
    REQUIRE(took >= 1ms);
    total += took;
  }
  CHECK(total / 2000 > 4500us);
  CHECK(total / 2000 < 5500us);
  net.received.clear();
  net.send(1000);
  REQUIRE(net.received.size() == 1000);
  for (int i = 0; i < 1000; ++i) {
    CHECK(net.received[static_cast<std::size_t>(i)] == std::to_string(i));
  }
}

TEST_CASE("loss, duplication, reordering and replay come at their rates") {
  Noisy lossy({.loss = 0.3});
  lossy.send(1000);
  CHECK(lossy.received.size() > 600);
  CHECK(lossy.received.size() < 800);
  CHECK(lossy.journal->count(SimFault::loss) + lossy.received.size() == 1000);

  Noisy twice({.duplication = 0.3});
  twice.send(1000);
  CHECK(twice.received.size() > 1200);
  CHECK(twice.journal->count(SimFault::duplication) + 1000 == twice.received.size());

  Noisy overtaken({.reordering = 0.3});
  overtaken.send(1000);
  REQUIRE(overtaken.received.size() == 1000);
  CHECK(overtaken.received.at(0) == "0");
  const auto by_number = [](const std::string& x, const std::string& y) {
    return std::stoi(x) < std::stoi(y);
  };
  CHECK_FALSE(std::ranges::is_sorted(overtaken.received, by_number));
  CHECK(overtaken.journal->count(SimFault::reordering) > 200);

  Noisy replayed({.replay = 0.3});
  replayed.send(1000);
  CHECK(replayed.journal->count(SimFault::replay) + 1000 == replayed.received.size());
  CHECK(replayed.received.size() > 1200);
}

TEST_CASE("what becomes of a packet does not depend on other links") {
  const auto fate = [](bool other_traffic) {
    Noisy net({.loss = 0.5});
    for (int i = 0; i < 100; ++i) {
      net.a->send("b", Lane::request, std::to_string(i));
      if (other_traffic) net.b->send("a", Lane::request, "x");
    }
    net.run(1s);
    return net.received;
  };
  CHECK(fate(false) == fate(true));
}

TEST_CASE("partitions, cuts, clogs and holds") {
  Noisy net({});
  net.wires->partition({{"a"}, {"b"}});
  net.send(1);
  CHECK(net.received.empty());
  net.wires->heal();
  net.wires->cut("a", "b");
  net.send(1);
  CHECK(net.received.empty());
  net.wires->heal();
  // Under way when the cut comes.
  net.a->send("b", Lane::request, "x");
  net.wires->cut("a", "b");
  net.run(1s);
  CHECK(net.received.empty());
  net.wires->heal();

  net.wires->clog("a", "b", net.context->scheduler().now() + 5s);
  net.a->send("b", Lane::request, "clogged");
  net.run(4s);
  CHECK(net.received.empty());
  net.run(1s);
  CHECK(net.received == std::vector<std::string>{"clogged"});
  net.received.clear();

  net.wires->hold("b");
  net.send(2);
  net.a->send("b", Lane::request, std::string(2 << 20, 'x'));  // more than waits for it
  net.run(1s);
  CHECK(net.received.empty());
  net.wires->release("b");
  net.run(1s);
  CHECK(net.received == std::vector<std::string>{"0", "1"});
}
