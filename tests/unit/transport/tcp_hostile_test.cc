#include "catch.hpp"
#include "transport/tcp_frame.h"
#include "transport/tcp_transport.h"
#include "unit/transport/mailbox.h"

using dynamo::Lane;
using dynamo::transport::TcpTiming;
using dynamo::transport::TcpTransport;
using namespace std::chrono_literals;

// What arrives at an open port: strangers, liars and the slow. Each loses its own connection, and
// the peer that keeps to the protocol notices nothing.
namespace {

const std::string any_port = "127.0.0.1:0";

std::string preamble() {
  const auto bytes = dynamo::transport::encode_preamble(Lane::request);
  return {bytes.data(), bytes.size()};
}

std::string header(std::size_t size) {
  const auto bytes = dynamo::transport::encode_frame_header(size);
  return {bytes.data(), bytes.size()};
}

struct Victim {
  explicit Victim(dynamo::TcpOptions options = {}, TcpTiming timing = {})
      : transport(
            [&] {
              options.listen = any_port;
              return options;
            }(),
            timing) {
    address = *transport.start(mailbox.receiver());
  }
  // Whether an honest peer gets a packet through.
  bool serves() {
    mailbox.take();
    TcpTransport honest({.listen = any_port});
    return honest.start([](std::string, std::string_view) {}).ok() &&
           test::send_until_received(honest, address, mailbox);
  }

  test::Mailbox mailbox;
  TcpTransport transport;
  std::string address;
};

}  // namespace

TEST_CASE("what is not the protocol closes its connection and no other") {
  Victim victim({.packet_bytes_max = 1'000'000});
  test::RawPeer bystander(victim.address);
  REQUIRE(bystander.send(preamble() + header(3) + "o"));
  const std::string bad = GENERATE(as<std::string>(), "GET / HTTP/1.1\r\n\r\n", "\x16\x03\x01", "x",
                                   preamble() + header(1'000'001), preamble() + header(0xffffffff),
                                   preamble() + header(2) + "ok" + header(0x7fffffff) + "rest");
  test::RawPeer peer(victim.address);
  REQUIRE(peer.send(bad));
  CHECK(peer.wait_for_close());
  CHECK(victim.transport.counters().malformed == 1);
  CHECK(bystander.send("ne"));
  REQUIRE(test::eventually([&] {
    for (const auto& packet : victim.mailbox.take()) {
      if (packet == "one") return true;
    }
    return false;
  }));
  CHECK(victim.serves());
}

TEST_CASE("a frame that is cut off is not delivered") {
  Victim victim;
  test::RawPeer peer(victim.address);
  REQUIRE(peer.send(preamble() + header(5) + "whole" + header(100) + "part"));
  peer.close();
  REQUIRE(victim.mailbox.wait_for(1));
  CHECK(victim.mailbox.take() == std::vector<std::string>{"whole"});
  REQUIRE(victim.serves());
  for (const auto& packet : victim.mailbox.take()) CHECK(packet == "again");
}

TEST_CASE("who does not name himself in time is disconnected") {
  Victim victim({}, {.preamble = 1ms, .sweep = 1ms});
  test::RawPeer silent(victim.address);
  CHECK(silent.wait_for_close());
  CHECK(victim.transport.counters().malformed == 1);
}

TEST_CASE("who begins a frame and stops is disconnected") {
  Victim victim({}, {.frame_stall = 1ms, .sweep = 1ms});
  test::RawPeer stalled(victim.address);
  REQUIRE(stalled.send(preamble() + header(100)));
  CHECK(stalled.wait_for_close());
  CHECK(victim.transport.counters().malformed == 1);
}

TEST_CASE("only so many connections may be without a preamble") {
  Victim victim;
  constexpr int limit = dynamo::transport::TcpListener::strangers_max;
  std::vector<std::unique_ptr<test::RawPeer>> slow;
  for (int i = 0; i < limit; ++i) {
    slow.push_back(std::make_unique<test::RawPeer>(victim.address));
  }
  test::RawPeer one_more(victim.address);
  CHECK(one_more.wait_for_close());
  CHECK(victim.transport.counters().refused == 1);
  // Who leaves, by whichever way, makes room.
  slow[0]->close();
  slow[1]->send("stranger");
  slow[1]->wait_for_close();
  slow[2]->send(preamble() + header(0));
  REQUIRE(victim.mailbox.wait_for(1));
  CHECK(victim.serves());
}

TEST_CASE("a wrong last byte of a preamble gives its place back") {
  Victim victim;
  constexpr int limit = dynamo::transport::TcpListener::strangers_max;
  for (int i = 0; i < 2 * limit; ++i) {
    test::RawPeer peer(victim.address);
    peer.send(preamble().substr(0, 7) + "x");
    REQUIRE(peer.wait_for_close());
  }
  CHECK(victim.transport.counters().refused == 0);
  CHECK(victim.serves());
}

TEST_CASE("beyond the limit of connections the newest is closed") {
  Victim victim({.connections_max = 2});
  test::RawPeer first(victim.address);
  test::RawPeer second(victim.address);
  test::RawPeer third(victim.address);
  CHECK(third.wait_for_close());
  CHECK(first.send(preamble() + header(1) + "x"));
  CHECK(victim.mailbox.wait_for(1));
  second.close();
  CHECK(victim.serves());
}
