#include <dynamo/testing/transport_check.h>

#include <dynamo/transport/tcp.h>

#include "catch.hpp"
#include "testing/transport_check_patience.h"
#include "unit/testing/local_transport.h"

namespace {

using dynamo::Transport;
using dynamo::testing::transport_address_check;
using dynamo::testing::transport_check;
using test::ContainsSubstring;
using test::LocalNetwork;
using test::LocalTransport;
using test::TransportFault;
using Made = absl::StatusOr<std::unique_ptr<Transport>>;

absl::Status check_tcp_address() {
  return transport_address_check(
      [] { return dynamo::tcp_transport({.listen = "127.0.0.1:0"}); },
      [](const std::string& address) { return dynamo::tcp_transport({.listen = address}); });
}

absl::Status check_address(TransportFault fault) {
  const auto network = std::make_shared<LocalNetwork>(fault);
  return transport_address_check(
      [&]() -> Made { return std::make_unique<LocalTransport>(network, ""); },
      [&](const std::string& address) -> Made {
        return std::make_unique<LocalTransport>(network, address);
      });
}

// Short patience, because what is broken uses it up.
absl::Status check(TransportFault fault) {
  return transport_check(
      [network = std::make_shared<LocalNetwork>(fault)]() -> Made {
        return std::make_unique<LocalTransport>(network, "");
      },
      std::chrono::milliseconds(700));
}

TEST_CASE("the TCP transport keeps the contract") {
  const absl::Status status =
      transport_check([] { return dynamo::tcp_transport({.listen = "127.0.0.1:0"}); });
  INFO(status.ToString());
  CHECK(status.ok());
  const absl::Status address = check_tcp_address();
  INFO(address.ToString());
  CHECK(address.ok());
}

TEST_CASE("a transport of a queue and a thread keeps the contract") {
  const auto network = std::make_shared<LocalNetwork>(TransportFault::none);
  const absl::Status status =
      transport_check([&]() -> Made { return std::make_unique<LocalTransport>(network, ""); });
  INFO(status.ToString());
  CHECK(status.ok());
  const absl::Status address = check_address(TransportFault::none);
  INFO(address.ToString());
  CHECK(address.ok());
}

TEST_CASE("every fault of a transport is found, by the rule that it breaks") {
  struct Case {
    TransportFault fault;
    std::string rule;
    std::string found;
  };
  const auto bad = GENERATE(values<Case>({
      {TransportFault::cuts_packets, "packets arrive whole", "(65536 bytes), which nobody sent"},
      {TransportFault::flips_a_bit, "packets arrive whole", "which nobody sent"},
      {TransportFault::stops_at_zero_bytes, "packets arrive whole", "which nobody sent"},
      {TransportFault::joins_packets, "any thread may send", "which nobody sent"},
      {TransportFault::forgets_bulk, "peers reach the address", "on the bulk lane"},
      {TransportFault::wrong_peer, "packets arrive whole", "which nobody sent to it"},
      {TransportFault::no_address, "peers reach the address", "returned no address"},
      {TransportFault::one_address, "peers reach the address", "one address, local-1"},
      {TransportFault::throws_at_strangers, "lead nowhere", "no such address"},
      {TransportFault::dies_of_strangers, "lead nowhere", "never arrived"},
      {TransportFault::waits_for_room, "a send never waits", "has not returned"},
      {TransportFault::delivers_at_once, "a send never waits", "has not returned"},
      {TransportFault::delivers_locked, "a send never waits", "has not returned"},
      {TransportFault::goes_on_after_stop, "nothing arrives after stop", "b"},
      {TransportFault::stop_in_a_hurry, "nothing arrives after stop", "b"},
      {TransportFault::second_stop_hangs, "lead nowhere", "stop() of c has not returned"},
  }));
  const absl::Status status = check(bad.fault);
  CAPTURE(static_cast<int>(bad.fault));
  CHECK(status.code() == absl::StatusCode::kInternal);
  const std::string message(status.message());
  CHECK_THAT(message, ContainsSubstring("the transport breaks the rule \"") &&
                          ContainsSubstring(bad.rule) && ContainsSubstring(bad.found));
}

TEST_CASE("an address that is given to two, or refused without its name, is found") {
  CHECK_THAT(std::string(check_address(TransportFault::address_for_many).message()),
             ContainsSubstring("local-1 was given to two transports"));
  CHECK_THAT(std::string(check_address(TransportFault::address_unnamed).message()),
             ContainsSubstring("does not name the address local-1"));
}

TEST_CASE("what cannot be made is said") {
  CHECK(transport_check([]() -> Made { return absl::UnavailableError("not today"); }) ==
        absl::UnavailableError("not today"));
  CHECK_THAT(std::string(transport_check([]() -> Made { return nullptr; }).message()),
             ContainsSubstring("null"));
}

}  // namespace
