#include "transport/address.h"

#include "catch.hpp"

using dynamo::transport::Address;
using dynamo::transport::parse_address;

TEST_CASE("an address is a host and a port") {
  CHECK(*parse_address("node-1.example:7000") == Address{.host = "node-1.example", .port = 7000});
  CHECK(*parse_address("127.0.0.1:0") == Address{.host = "127.0.0.1", .port = 0});
  CHECK(*parse_address("[::1]:65535") == Address{.host = "::1", .port = 65535});
  for (const char* text : {"node-1.example:7000", "127.0.0.1:0", "[fe80::1%eth0]:80"}) {
    CHECK(parse_address(text)->to_string() == text);
  }
}

TEST_CASE("a malformed address is quoted with its fault") {
  const auto [text, fault] = GENERATE(table<std::string, std::string>({
      {"", "is empty"},
      {"host", "no \":port\""},
      {"[::1]", "no \":port\""},
      {"[::1:80", "closing bracket"},
      {"[host]:80", "in brackets"},
      {"::1:80", "without brackets"},
      {":80", "no host"},
      {"host:", "not a number"},
      {"host:http", "not a number"},
      {"host:-1", "not a number"},
      {"host:65536", "not a number"},
      {"host:80 ", "character"},
      {"ho\nst:80", "character"},
      {std::string(254, 'h') + ":80", "longer"},
  }));
  const auto address = parse_address(text);
  REQUIRE_FALSE(address.ok());
  CHECK(address.status().code() == absl::StatusCode::kInvalidArgument);
  const std::string message(address.status().message());
  CHECK(message.find("\"" + text + "\"") != std::string::npos);
  CHECK(message.find(fault) != std::string::npos);
}
