#include "transport/lookup.h"

#include <optional>
#include <string>
#include <vector>

#include <asio/io_context.hpp>

#include "catch.hpp"

using dynamo::transport::Lookup;
using Addresses = std::vector<std::string>;

namespace {

std::optional<Addresses> look_up(const std::string& address, bool run = true) {
  asio::io_context io;
  const Lookup lookup = dynamo::transport::lookup_on(io.get_executor());
  std::optional<Addresses> found;
  lookup(address, [&](Addresses addresses) { found = std::move(addresses); });
  if (run) io.run();
  return found;
}

}  // namespace

TEST_CASE("numbers are given back at once, without a thread that looks them up") {
  CHECK(look_up("127.0.0.1:7001", false) == Addresses{"127.0.0.1:7001"});
  CHECK(look_up("[::1]:7001", false) == Addresses{"[::1]:7001"});
}

TEST_CASE("of a name with addresses of both families one is meant: the same nodes listen there") {
  CHECK(look_up("localhost:7001") == Addresses{"127.0.0.1:7001"});
}

TEST_CASE("what nobody knows has no address") {
  CHECK(look_up("no-such-host.invalid:7001") == Addresses{});
  CHECK(look_up("not an address", false) == Addresses{});
  CHECK(look_up("127.0.0.1", false) == Addresses{});
}
