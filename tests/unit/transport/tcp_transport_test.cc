#include "transport/tcp_transport.h"

#include <algorithm>

#include <asio/execution.hpp>

#include "catch.hpp"
#include "unit/transport/mailbox.h"

using dynamo::Lane;
using dynamo::TcpOptions;
using dynamo::transport::TcpTransport;

namespace {

const std::string any_port = "127.0.0.1:0";

// An executor of the application's own making: it has a context, but no io_context behind it.
struct ForeignExecutor {
  asio::execution_context* context_;

  asio::execution_context& query(asio::execution::context_t) const { return *context_; }
  static constexpr auto query(asio::execution::blocking_t) {
    return asio::execution::blocking_t(asio::execution::blocking.never);
  }
  ForeignExecutor require(asio::execution::blocking_t::never_t) const { return *this; }
  template <class Function>
  void execute(Function&&) const {
    FAIL("nothing is to run here");
  }
  bool operator==(const ForeignExecutor&) const = default;
};

absl::Status start_error(TcpOptions options) {
  TcpTransport transport(std::move(options));
  return transport.start([](std::string, std::string_view) {}).status();
}

}  // namespace

TEST_CASE("packets of all sizes arrive whole on both lanes, both ways") {
  test::Mailbox at_a;
  test::Mailbox at_b;
  TcpTransport a({.listen = any_port});
  TcpTransport b({.listen = any_port});
  const auto to_a = a.start(at_a.receiver());
  const auto to_b = b.start(at_b.receiver());
  REQUIRE(to_a.ok());
  REQUIRE(to_b.ok());
  std::vector<std::string> sent;
  for (const std::size_t size : std::initializer_list<std::size_t>{0, 1, 2, 1'000, 65'531, 65'532,
                                                                   65'533, 200'000, 5 << 20}) {
    sent.emplace_back(size, static_cast<char>('a' + sent.size()));
  }
  for (const Lane lane : {Lane::request, Lane::bulk}) {
    // One at a time, so that none exceeds the bound of the queue.
    for (const auto& packet : sent) {
      a.send(*to_b, lane, packet);
      b.send(*to_a, lane, packet);
      REQUIRE(at_a.wait_for(1));
      REQUIRE(at_b.wait_for(1));
      CHECK((at_a.take() == std::vector{packet}));
      CHECK((at_b.take() == std::vector{packet}));
    }
  }
  CHECK(a.counters().connects == 2);  // one connection per lane
  CHECK(a.counters().dropped == 0);
}

TEST_CASE("packets sent in one turn leave in few writes") {
  test::Mailbox at_b;
  TcpTransport b({.listen = any_port});
  const auto to_b = b.start(at_b.receiver());
  REQUIRE(to_b.ok());
  asio::io_context context;
  TcpTransport a({.listen = any_port, .executor = context.get_executor()});
  REQUIRE(a.start([](std::string, std::string_view) {}).ok());
  constexpr std::size_t count = 1'000;
  for (std::size_t i = 0; i < count; ++i) a.send(*to_b, Lane::request, std::to_string(i));
  CHECK(a.counters().writes == 0);  // nobody has run the executor
  while (a.counters().sent < count) context.run_one();
  REQUIRE(at_b.wait_for(count));
  CHECK(a.counters().writes <= count / 10);
  a.stop();
}

TEST_CASE("many threads may send at once") {
  test::Mailbox at_b;
  TcpTransport a({.listen = any_port});
  TcpTransport b({.listen = any_port});
  REQUIRE(a.start([](std::string, std::string_view) {}).ok());
  const auto to_b = b.start(at_b.receiver());
  REQUIRE(to_b.ok());
  std::vector<std::thread> senders;
  for (int sender = 0; sender < 4; ++sender) {
    senders.emplace_back([&, sender] {
      for (int i = 0; i < 1'000; ++i) {
        a.send(*to_b, Lane::request, std::to_string(sender * 1'000 + i));
      }
    });
  }
  for (auto& sender : senders) sender.join();
  REQUIRE(at_b.wait_for(4'000));
  auto packets = at_b.take();
  std::ranges::sort(packets);
  CHECK(std::ranges::unique(packets).empty());
  CHECK(packets.size() == 4'000);
}

TEST_CASE("a queue that nobody empties drops what exceeds its bound") {
  asio::io_context never_run;
  TcpTransport a(
      {.listen = any_port, .queue_bytes_max = 100'000, .executor = never_run.get_executor()});
  const auto address = a.start([](std::string, std::string_view) {});
  REQUIRE(address.ok());
  for (int i = 0; i < 1'000; ++i) a.send(*address, Lane::request, std::string(1'000, 'x'));
  const auto dropped = a.counters().dropped.load();
  CHECK(dropped >= 900);
  a.send(*address, Lane::bulk, std::string(200'000, 'x'));  // a single one may always wait
  CHECK(a.counters().dropped == dropped);
  a.stop();
}

TEST_CASE("packets above the limit are dropped by the sender") {
  test::Mailbox at_b;
  TcpTransport a({.listen = any_port, .packet_bytes_max = 1'000});
  TcpTransport b({.listen = any_port, .packet_bytes_max = 1'000});
  REQUIRE(a.start([](std::string, std::string_view) {}).ok());
  const auto to_b = b.start(at_b.receiver());
  REQUIRE(to_b.ok());
  a.send(*to_b, Lane::request, std::string(1'001, 'x'));
  a.send(*to_b, Lane::request, std::string(1'000, 'y'));
  REQUIRE(at_b.wait_for(1));
  CHECK(at_b.take().front().front() == 'y');
  CHECK(a.counters().dropped == 1);
}

TEST_CASE("a name is resolved, and every address of it tried") {
  test::Mailbox at_b;
  TcpTransport b({.listen = any_port});
  const auto to_b = b.start(at_b.receiver());
  REQUIRE(to_b.ok());
  TcpTransport a({.listen = "localhost:0"});
  REQUIRE(a.start([](std::string, std::string_view) {}).ok());
  a.send("localhost" + to_b->substr(to_b->rfind(':')), Lane::request, "by name");
  CHECK(at_b.wait_for(1));
}

TEST_CASE("the address returned is the one to dial") {
  TcpTransport bound({.listen = any_port});
  const auto address = bound.start([](std::string, std::string_view) {});
  REQUIRE(address.ok());
  CHECK(address->starts_with("127.0.0.1:"));
  CHECK_FALSE(address->ends_with(":0"));
  TcpTransport advertised({.listen = any_port, .advertise = "shop.example:4711"});
  CHECK(*advertised.start([](std::string, std::string_view) {}) == "shop.example:4711");
  TcpTransport portless({.listen = any_port, .advertise = "shop.example:0"});
  const auto named = portless.start([](std::string, std::string_view) {});
  CHECK(named->starts_with("shop.example:"));
  CHECK_FALSE(named->ends_with(":0"));
}

TEST_CASE("an address that cannot be listened on is named") {
  TcpTransport first({.listen = any_port});
  const auto taken = first.start([](std::string, std::string_view) {});
  REQUIRE(taken.ok());
  const auto in_use = start_error({.listen = *taken});
  CHECK(in_use.code() == absl::StatusCode::kUnavailable);
  CHECK(in_use.ToString().find(*taken + ": Address already in use") != std::string::npos);

  const auto foreign = start_error({.listen = "192.0.2.1:7000"});
  CHECK(foreign.code() == absl::StatusCode::kUnavailable);
  CHECK(foreign.ToString().find("192.0.2.1:7000") != std::string::npos);

  const auto is_invalid = [](TcpOptions options, const std::string& why) {
    const auto status = start_error(std::move(options));
    CAPTURE(status.ToString());
    CHECK(status.code() == absl::StatusCode::kInvalidArgument);
    CHECK(status.ToString().find(why) != std::string::npos);
  };
  is_invalid({}, "is empty");
  is_invalid({.listen = "nowhere"}, "\"nowhere\"");
  is_invalid({.listen = any_port, .advertise = "nowhere"}, "\"nowhere\"");
  is_invalid({.listen = "0.0.0.0:0"}, "wildcard");
  is_invalid({.listen = any_port, .packet_bytes_max = 0}, "packet_bytes_max");
  is_invalid({.listen = any_port, .connections_max = 0}, "connections_max");
  asio::execution_context context;
  is_invalid({.listen = any_port, .executor = ForeignExecutor{&context}}, "executor");
}

TEST_CASE("a transport starts once") {
  TcpTransport transport({.listen = any_port});
  REQUIRE(transport.start([](std::string, std::string_view) {}).ok());
  const auto again = transport.start([](std::string, std::string_view) {});
  CHECK(again.status().code() == absl::StatusCode::kFailedPrecondition);
  transport.stop();
  transport.stop();
  transport.send("127.0.0.1:1", Lane::request, "to nobody");
}
