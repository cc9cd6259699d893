#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>

#include <future>

#include "catch.hpp"
#include "host_process.h"
#include "transport/tcp_transport.h"
#include "unit/transport/mailbox.h"

using dynamo::Lane;
using dynamo::transport::TcpTransport;
using test::descriptors;
using test::threads;

// How the transport behaves in somebody else's process: its threads, descriptors and its end.
namespace {

const std::string any_port = "127.0.0.1:0";
const auto ignore = [](std::string, std::string_view) {};

}  // namespace

TEST_CASE("one thread, named, and none of its descriptors inheritable") {
  const auto threads_before = threads();
  const auto descriptors_before = descriptors();
  {
    test::Mailbox mailbox;
    TcpTransport transport({.listen = any_port});
    const auto address = transport.start(mailbox.receiver());
    REQUIRE(address.ok());
    transport.send(*address, Lane::request, "x");
    transport.send(*address, Lane::bulk, "x");
    REQUIRE(mailbox.wait_for(2));
    auto expected = threads_before;
    expected.insert("dyn-io");
    CHECK(threads() == expected);
    const auto now = descriptors();
    CHECK(now.size() >= descriptors_before.size() + 5);  // listening, two lanes, both ends
    for (const int descriptor : now) {
      if (descriptors_before.contains(descriptor)) continue;
      CAPTURE(descriptor);
      CHECK((::fcntl(descriptor, F_GETFD) & FD_CLOEXEC) != 0);
    }
  }
  CHECK(test::eventually([&] { return threads() == threads_before; }));
  CHECK(descriptors() == descriptors_before);
}

TEST_CASE("its thread leaves the application's signals alone") {
  std::promise<sigset_t> mask;
  test::Mailbox mailbox;
  TcpTransport transport({.listen = any_port});
  const auto address = transport.start([&](std::string, std::string_view) {
    sigset_t blocked;
    pthread_sigmask(SIG_BLOCK, nullptr, &blocked);
    mask.set_value(blocked);
  });
  transport.send(*address, Lane::request, "x");
  const sigset_t blocked = mask.get_future().get();
  for (const int signal : {SIGTERM, SIGINT, SIGCHLD, SIGUSR1, SIGPIPE}) {
    CHECK(sigismember(&blocked, signal) == 1);
  }
  for (const int signal : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP}) {
    CHECK(sigismember(&blocked, signal) == 0);
  }
}

TEST_CASE("with the application's executor it starts no thread") {
  asio::io_context context;
  const auto before = threads();
  test::Mailbox mailbox;
  TcpTransport transport({.listen = any_port, .executor = context.get_executor()});
  const auto address = transport.start(mailbox.receiver());
  REQUIRE(address.ok());
  transport.send(*address, Lane::request, "x");
  while (transport.counters().received < 1) context.run_one();
  CHECK(threads() == before);
  transport.stop();
  context.run();  // nothing keeps it
}

TEST_CASE("stop closes everything though nobody runs the application's executor") {
  const auto before = descriptors();
  asio::io_context context;
  auto transport = std::make_unique<TcpTransport>(
      dynamo::TcpOptions{.listen = any_port, .executor = context.get_executor()});
  const auto address = transport->start(ignore);
  REQUIRE(address.ok());
  transport->send(*address, Lane::request, "x");
  transport->stop();
  // The port is free at once.
  TcpTransport next({.listen = *address});
  CHECK(next.start(ignore).ok());
  next.stop();
  transport.reset();
  context.run();  // what is left of it runs, and finds nothing to do
  CHECK(descriptors().size() <= before.size() + 6);  // the two contexts' own
}

TEST_CASE("an executor may end before the stopped transport") {
  auto context = std::make_unique<asio::io_context>();
  TcpTransport transport({.listen = any_port, .executor = context->get_executor()});
  const auto address = transport.start(ignore);
  transport.send(*address, Lane::request, "x");
  context->poll();
  transport.stop();
  context.reset();
  transport.send(*address, Lane::request, "x");
}

TEST_CASE("after stop no packet is delivered, in the middle of traffic") {
  for (int round = 0; round < 20; ++round) {
    TcpTransport a({.listen = any_port});
    REQUIRE(a.start(ignore).ok());
    std::atomic<bool> stopped{false};
    std::atomic<bool> late{false};
    std::promise<void> first;
    std::atomic<int> count{0};
    TcpTransport b({.listen = any_port});
    const auto to_b = b.start([&](std::string, std::string_view) {
      if (stopped) late = true;
      if (count++ == 0) first.set_value();
    });
    std::thread sender([&] {
      while (!stopped) a.send(*to_b, Lane::request, "x");
    });
    first.get_future().wait();
    b.stop();
    stopped = true;
    a.stop();
    sender.join();
    CHECK_FALSE(late);
  }
}

TEST_CASE("receive may stop, and even destroy, the transport") {
  const bool destroy = GENERATE(false, true);
  const auto before = threads();
  std::promise<void> done;
  auto transport = std::make_unique<TcpTransport>(dynamo::TcpOptions{.listen = any_port});
  const auto address = transport->start([&](std::string, std::string_view) {
    transport->stop();
    if (destroy) transport.reset();
    done.set_value();
  });
  REQUIRE(address.ok());
  transport->send(*address, Lane::request, "x");
  done.get_future().wait();
  transport.reset();
  CHECK(test::eventually([&] { return threads() == before; }));
}

// Not with UBSan: its check of an object's type asks through a pipe whether memory can be read, and
// a process without a descriptor has none, so that any virtual call may be reported as an error.
#if !defined(__SANITIZE_ADDRESS__)
TEST_CASE("a process out of descriptors accepts again when it has some") {
  test::Mailbox mailbox;
  TcpTransport a({.listen = any_port});
  const auto to_a = a.start(mailbox.receiver());
  REQUIRE(to_a.ok());
  test::RawPeer early(*to_a);
  REQUIRE(test::eventually([&] { return a.counters().accepted == 1; }));
  asio::io_context context;
  asio::ip::tcp::socket late(context, asio::ip::tcp::v4());
  rlimit limit{};
  REQUIRE(getrlimit(RLIMIT_NOFILE, &limit) == 0);
  rlimit none = limit;
  none.rlim_cur = 3;  // what is open stays open; nothing new opens
  REQUIRE(setrlimit(RLIMIT_NOFILE, &none) == 0);
  const auto parsed = dynamo::transport::parse_address(*to_a);
  asio::error_code error;
  late.connect({asio::ip::make_address(parsed->host), parsed->port}, error);
  early.send("stranger");  // by the time it is closed the loop has turned
  early.wait_for_close();
  const auto accepted = a.counters().accepted.load();
  setrlimit(RLIMIT_NOFILE, &limit);
  REQUIRE_FALSE(error);
  CHECK(accepted == 1);
  CHECK(test::eventually([&] { return a.counters().accepted == 2; }));
}
#endif
