// A transport on several executors, as a node with several loops has it.

#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <asio/executor_work_guard.hpp>
#include <asio/io_context.hpp>

#include "catch.hpp"
#include "transport/tcp_transport.h"
#include "unit/transport/mailbox.h"

using dynamo::Lane;
using dynamo::TcpOptions;
using dynamo::transport::TcpTransport;

namespace {

const std::string any_port = "127.0.0.1:0";

// Threads that run an io_context each.
class Loops {
 public:
  explicit Loops(int count) {
    for (int i = 0; i < count; ++i) {
      contexts_.push_back(std::make_unique<asio::io_context>(1));
      work_.push_back(asio::make_work_guard(*contexts_.back()));
      threads_.emplace_back([context = contexts_.back().get()] { context->run(); });
    }
  }
  ~Loops() {
    work_.clear();
    for (std::thread& thread : threads_) thread.join();
  }
  Loops(const Loops&) = delete;
  Loops& operator=(const Loops&) = delete;

  asio::any_io_executor first() const { return contexts_.front()->get_executor(); }
  std::vector<asio::any_io_executor> others() const {
    std::vector<asio::any_io_executor> others;
    for (std::size_t i = 1; i < contexts_.size(); ++i) {
      others.emplace_back(contexts_[i]->get_executor());
    }
    return others;
  }

 private:
  std::vector<std::unique_ptr<asio::io_context>> contexts_;
  std::vector<asio::executor_work_guard<asio::io_context::executor_type>> work_;
  std::vector<std::thread> threads_;
};

// What came, and on how many threads.
struct Seen {
  std::mutex mutex{};
  std::map<std::string, int> packets{};
  std::set<std::thread::id> threads{};

  dynamo::Transport::Receiver receiver() {
    return [this](const std::string& packet, std::string_view) {
      const std::lock_guard lock(mutex);
      ++packets[packet];
      threads.insert(std::this_thread::get_id());
    };
  }
  std::size_t size() {
    const std::lock_guard lock(mutex);
    return packets.size();
  }
};

}  // namespace

TEST_CASE("loops of a transport: connections are spread, and each packet comes once") {
  Loops loops(3);
  Seen seen;
  TcpTransport server({.listen = any_port, .executor = loops.first()}, {}, loops.others());
  const auto address = server.start(seen.receiver());
  REQUIRE(address.ok());
  std::vector<std::unique_ptr<test::Mailbox>> boxes;
  std::vector<std::unique_ptr<TcpTransport>> clients;
  std::vector<std::string> addresses;
  constexpr int count = 6;
  for (int i = 0; i < count; ++i) {
    boxes.push_back(std::make_unique<test::Mailbox>());
    clients.push_back(std::make_unique<TcpTransport>(TcpOptions{.listen = any_port}));
    addresses.push_back(clients.back()->start(boxes.back()->receiver()).value());
  }
  constexpr int packets = 50;
  for (int packet = 0; packet < packets; ++packet) {
    for (int i = 0; i < count; ++i) {
      const Lane lane = packet % 2 == 0 ? Lane::request : Lane::bulk;
      const auto at = static_cast<std::size_t>(i);
      clients[at]->send(*address, lane, std::to_string(i) + "/" + std::to_string(packet));
      server.send(addresses[at], lane, std::to_string(packet));
    }
  }
  CHECK(test::eventually([&] { return seen.size() == count * packets; }));
  for (const auto& box : boxes) CHECK(box->wait_for(packets));
  const std::lock_guard lock(seen.mutex);
  for (const auto& [packet, times] : seen.packets) CHECK(times == 1);
  CHECK(seen.threads.size() == 3);
}

TEST_CASE("loops of a transport: the limit of connections is for all of them together") {
  Loops loops(3);
  Seen seen;
  TcpTransport server({.listen = any_port, .connections_max = 4, .executor = loops.first()}, {},
                      loops.others());
  const auto address = server.start(seen.receiver());
  REQUIRE(address.ok());
  std::vector<std::unique_ptr<TcpTransport>> clients;
  for (int i = 0; i < 4; ++i) {
    clients.push_back(std::make_unique<TcpTransport>(TcpOptions{.listen = any_port}));
    REQUIRE(clients.back()->start([](std::string, std::string_view) {}).ok());
    clients.back()->send(*address, Lane::request, std::to_string(i));
  }
  CHECK(test::eventually([&] { return seen.size() == 4; }));
  TcpTransport fifth({.listen = any_port});
  REQUIRE(fifth.start([](std::string, std::string_view) {}).ok());
  fifth.send(*address, Lane::request, "fifth");
  CHECK(test::eventually([&] { return server.counters().refused > 0; }));
  // Whose places are free again, whichever loop they were on.
  clients.clear();
  CHECK(test::eventually([&] {
    fifth.send(*address, Lane::request, "fifth");
    return seen.size() == 5;
  }));
}

TEST_CASE("loops of a transport: it stops while packets come on all of them") {
  for (int round = 0; round < 20; ++round) {
    Loops loops(3);
    Seen seen;
    auto server =
        std::make_unique<TcpTransport>(TcpOptions{.listen = any_port, .executor = loops.first()},
                                       dynamo::transport::TcpTiming(), loops.others());
    const auto address = server->start(seen.receiver());
    REQUIRE(address.ok());
    std::vector<std::unique_ptr<TcpTransport>> clients;
    for (int i = 0; i < 4; ++i) {
      clients.push_back(std::make_unique<TcpTransport>(TcpOptions{.listen = any_port}));
      REQUIRE(clients.back()->start([](std::string, std::string_view) {}).ok());
    }
    for (int packet = 0; packet < 20; ++packet) {
      for (const auto& client : clients) {
        client->send(*address, Lane::request, std::to_string(packet));
      }
    }
    if (round % 2 == 0) CHECK(test::eventually([&] { return seen.size() > 0; }));
    server->stop();
    const std::size_t at_stop = seen.size();
    for (const auto& client : clients) client->send(*address, Lane::request, "late");
    server.reset();
    CHECK(seen.size() == at_stop);
  }
}
