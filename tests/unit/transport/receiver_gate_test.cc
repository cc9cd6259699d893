#include "transport/receiver_gate.h"

#include <future>
#include <memory>
#include <thread>

#include "catch.hpp"

using dynamo::transport::ReceiverGate;

TEST_CASE("a closed gate lets nothing through and lets the receiver go") {
  const auto calls = std::make_shared<int>(0);
  ReceiverGate gate([calls](std::string, std::string_view) { ++*calls; });
  gate.deliver("a");
  gate.close();
  gate.deliver("b");
  gate.close();
  CHECK(*calls == 1);
  CHECK(calls.use_count() == 1);
}

TEST_CASE("a receiver may close its gate") {
  const auto calls = std::make_shared<int>(0);
  ReceiverGate* self = nullptr;
  ReceiverGate gate([calls, &self](std::string, std::string_view) {
    ++*calls;
    self->close();
  });
  self = &gate;
  gate.deliver("a");
  gate.deliver("b");
  CHECK(*calls == 1);
  CHECK(calls.use_count() == 1);
}

TEST_CASE("closing waits for the call under way") {
  std::promise<void> entered;
  std::promise<void> leave;
  std::atomic<bool> left{false};
  ReceiverGate gate([&](std::string, std::string_view) {
    entered.set_value();
    leave.get_future().wait();
    left = true;
  });
  std::thread deliverer([&] { gate.deliver("a"); });
  entered.get_future().wait();
  std::thread closer([&] {
    gate.close();
    CHECK(left);
  });
  leave.set_value();
  closer.join();
  deliverer.join();
}
