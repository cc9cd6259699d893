#include "transport/send_queue.h"

#include "catch.hpp"

using dynamo::transport::SendQueue;
using namespace std::chrono_literals;

namespace {

const SendQueue::TimePoint start{};
constexpr std::size_t overhead = SendQueue::overhead_bytes;

}  // namespace

TEST_CASE("a send queue is first in, first out, in batches") {
  SendQueue queue(1 << 20, start);
  for (const char* packet : {"a", "b", "c", "dddd", "e"}) REQUIRE(queue.push(packet, start));
  std::vector<std::string> batch;
  queue.take(3, 100, batch);
  CHECK(batch == std::vector<std::string>{"a", "b", "c"});
  queue.take(3, 4, batch);  // dddd makes the four bytes
  CHECK(batch == std::vector<std::string>{"a", "b", "c", "dddd"});
  queue.take(3, 1, batch);
  CHECK(batch.back() == "e");
  CHECK(queue.empty());
  CHECK(queue.bytes() == 0);
}

TEST_CASE("a send queue never holds more than its bound, but for a single packet") {
  SendQueue queue(10 * overhead, start);
  CHECK(queue.push(std::string(1000 * overhead, 'x'), start));
  CHECK_FALSE(queue.push("", start));
  std::vector<std::string> batch;
  queue.take(1, 1, batch);
  int accepted = 0;
  while (queue.push("", start)) ++accepted;
  CHECK(accepted == 10);
  CHECK(queue.bytes() == 10 * overhead);
  CHECK_FALSE(queue.push(std::string(1000 * overhead, 'x'), start));
}

TEST_CASE("a send queue drops what is too old") {
  SendQueue queue(1 << 20, start);
  queue.push("old", start);
  queue.push("older than the next", start + 1s);
  queue.push("young", start + 2s);
  CHECK(queue.drop_before(start + 2s) == 2);
  CHECK(queue.bytes() == overhead + 5);
  CHECK(queue.last_push() == start + 2s);
  CHECK(queue.clear() == 1);
  CHECK(queue.bytes() == 0);
}
