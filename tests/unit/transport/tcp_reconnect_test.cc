#include "catch.hpp"
#include "transport/tcp_transport.h"
#include "unit/transport/mailbox.h"

using dynamo::Lane;
using dynamo::transport::TcpTiming;
using dynamo::transport::TcpTransport;
using namespace std::chrono_literals;

namespace {

const std::string any_port = "127.0.0.1:0";
const auto ignore = [](std::string, std::string_view) {};

}  // namespace

TEST_CASE("a peer that restarts is found again") {
  test::Mailbox at_b;
  TcpTransport a({.listen = any_port});
  REQUIRE(a.start(ignore).ok());
  std::string address = any_port;
  for (int restart = 0; restart < 3; ++restart) {
    at_b.take();
    TcpTransport b({.listen = address});
    const auto bound = b.start(at_b.receiver());
    REQUIRE(bound.ok());
    address = *bound;
    REQUIRE(test::send_until_received(a, address, at_b));
  }
  CHECK(a.counters().connects >= 3);
}

TEST_CASE("packets for a peer that is away are dropped, and dials are spaced") {
  TcpTransport a({.listen = any_port});
  REQUIRE(a.start(ignore).ok());
  std::string closed;
  {
    TcpTransport gone({.listen = any_port});
    closed = *gone.start(ignore);
  }
  std::uint64_t sent = 0;
  REQUIRE(test::eventually([&] {
    a.send(closed, Lane::request, "hello");
    ++sent;
    return a.counters().dials >= 4;
  }));
  CHECK(a.counters().connects == 0);
  // Every failed dial drops all that waited for it; many sends share a dial.
  REQUIRE(test::eventually([&] { return a.counters().dropped > 0; }));
  CHECK(a.counters().dials < sent);
}

TEST_CASE("an address that is none harms nobody") {
  test::Mailbox at_b;
  TcpTransport a({.listen = any_port});
  TcpTransport b({.listen = any_port});
  REQUIRE(a.start(ignore).ok());
  const auto to_b = b.start(at_b.receiver());
  REQUIRE(to_b.ok());
  a.send("no address at all", Lane::request, "x");
  a.send("", Lane::bulk, "x");
  a.send("[::1:9", Lane::bulk, "x");
  a.send(*to_b, Lane::request, "x");
  CHECK(at_b.wait_for(1));
  CHECK(test::eventually([&] { return a.counters().dropped == 3; }));
}

TEST_CASE("an unused connection is forgotten, and made again on demand") {
  test::Mailbox at_b;
  const TcpTiming timing{.forget = 1ms, .sweep = 1ms};
  TcpTransport a({.listen = any_port}, timing);
  TcpTransport b({.listen = any_port});
  REQUIRE(a.start(ignore).ok());
  const auto to_b = b.start(at_b.receiver());
  REQUIRE(to_b.ok());
  REQUIRE(test::eventually([&] {
    a.send(*to_b, Lane::request, "x");
    return at_b.wait_for(1) && a.counters().connects >= 3;
  }));
}

// A process that was paused for half a minute let each of its peers keep all that their queues
// hold.
TEST_CASE("what is for a peer that reads nothing is dropped when it is old") {
  asio::io_context context;
  asio::ip::tcp::acceptor deaf(context, {asio::ip::make_address("127.0.0.1"), 0});
  const std::string address = "127.0.0.1:" + std::to_string(deaf.local_endpoint().port());
  const TcpTiming timing{.write_stall = 60s, .stale = 20ms, .sweep = 5ms};
  TcpTransport a({.listen = any_port, .queue_bytes_max = 1 << 30}, timing);
  REQUIRE(a.start(ignore).ok());
  CHECK(test::eventually([&] {
    a.send(address, Lane::request, std::string(1 << 16, 'x'));
    return a.counters().dropped > 100;
  }));
  CHECK(a.counters().connects == 1);
}

TEST_CASE("a peer that reads nothing is given up") {
  asio::io_context context;
  asio::ip::tcp::acceptor deaf(context, {asio::ip::make_address("127.0.0.1"), 0});
  const std::string address = "127.0.0.1:" + std::to_string(deaf.local_endpoint().port());
  const TcpTiming timing{.write_stall = 50ms, .sweep = 5ms};
  TcpTransport a({.listen = any_port, .queue_bytes_max = 1 << 20}, timing);
  REQUIRE(a.start(ignore).ok());
  // The kernel takes some megabytes for it; then the write stops, and the link dials again.
  CHECK(test::eventually([&] {
    a.send(address, Lane::request, std::string(1 << 20, 'x'));
    return a.counters().connects >= 2;
  }));
  CHECK(a.counters().dropped > 0);
}
