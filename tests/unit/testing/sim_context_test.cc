#include "testing/sim_context.h"

#include <memory>
#include <string>

#include <asio/any_io_executor.hpp>
#include <asio/dispatch.hpp>
#include <asio/post.hpp>
#include <asio/strand.hpp>

#include "catch.hpp"

using dynamo::testing::SimContext;
using namespace std::chrono_literals;

TEST_CASE("functions run later, in order, whatever way they are handed in") {
  SimContext context;
  const asio::any_io_executor executor = context.get_executor();
  std::string order;
  asio::post(executor, [&] { order += 'a'; });
  asio::dispatch(executor, [&] { order += 'b'; });
  const auto strand = asio::make_strand(executor);
  asio::post(strand, [&] {
    order += 'c';
    asio::post(strand, [&] { order += 'd'; });
  });
  CHECK(order.empty());
  while (context.scheduler().step(0s)) {
  }
  CHECK(order == "abcd");
  CHECK(executor == asio::any_io_executor(context.get_executor()));
}

TEST_CASE("closing destroys functions that wait in a strand, too") {
  const auto held = std::make_shared<int>(0);
  SimContext context;
  const auto strand = asio::make_strand(asio::any_io_executor(context.get_executor()));
  asio::post(strand, [held] { FAIL("ran"); });
  asio::post(strand, [held] { FAIL("ran"); });
  asio::post(context.get_executor(), [held] { FAIL("ran"); });
  CHECK(held.use_count() == 4);
  context.close();
  CHECK(held.use_count() == 1);
}
