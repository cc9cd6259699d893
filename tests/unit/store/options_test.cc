// Every field at its limits and beyond them; a refusal names field, value and limit.

#include "store/options.h"

#include <cmath>
#include <limits>
#include <string>

#include <dynamo/node.h>

#include "catch.hpp"

using dynamo::NodeOptions;
using dynamo::StoreOptions;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

// Empty for OK.
std::string refusal(const absl::Status& status) {
  if (status.ok()) return {};
  CHECK(absl::IsInvalidArgument(status));
  return std::string(status.message());
}

template <class Change>
std::string node_refusal(Change change) {
  NodeOptions options{.name = "a"};
  change(options);
  return refusal(options.validate());
}

template <class Change>
std::string store_refusal(Change change) {
  StoreOptions options;
  change(options);
  return refusal(dynamo::host::check_store("carts", options));
}

}  // namespace

TEST_CASE("node options: the defaults and a name are enough") {
  CHECK(node_refusal([](NodeOptions&) {}).empty());
}

TEST_CASE("node options: names") {
  CHECK(node_refusal([](NodeOptions& o) { o.name = std::string(255, 'n'); }).empty());
  CHECK(node_refusal([](NodeOptions& o) { o.name = ""; }) ==
        "name: 0 bytes, the limit is 1 to 255");
  CHECK(node_refusal([](NodeOptions& o) { o.name = std::string(256, 'n'); }) ==
        "name: 256 bytes, the limit is 1 to 255");
  CHECK(node_refusal([](NodeOptions& o) { o.cluster = ""; }) ==
        "cluster: 0 bytes, the limit is 1 to 255");
  CHECK(node_refusal([](NodeOptions& o) { o.cluster = std::string(256, 'n'); }) ==
        "cluster: 256 bytes, the limit is 1 to 255");
  CHECK(node_refusal([](NodeOptions& o) { o.zone = std::string(255, 'n'); }).empty());
  CHECK(node_refusal([](NodeOptions& o) { o.zone = std::string(256, 'n'); }) ==
        "zone: 256 bytes, the limit is 255");
}

TEST_CASE("node options: threads") {
  CHECK(node_refusal([](NodeOptions& o) { o.threads = 32; }).empty());
  CHECK(node_refusal([](NodeOptions& o) { o.threads = 0; }) == "threads: 0, the limit is 1 to 32");
  CHECK(node_refusal([](NodeOptions& o) { o.threads = 33; }) ==
        "threads: 33, the limit is 1 to 32");
}

TEST_CASE("node options: weight") {
  CHECK(node_refusal([](NodeOptions& o) { o.weight = 0; }).empty());
  CHECK(node_refusal([](NodeOptions& o) { o.weight = -1; }) ==
        "weight: -1, the limit is 0 or more");
  const auto infinite = [](NodeOptions& o) { o.weight = std::numeric_limits<double>::infinity(); };
  CHECK(node_refusal(infinite) == "weight: inf, the limit is 0 or more");
  CHECK(node_refusal([](NodeOptions& o) { o.weight = std::nan(""); }) ==
        "weight: nan, the limit is 0 or more");
}

TEST_CASE("node options: partitions") {
  for (const int good : {8, 256, 65536}) {
    CHECK(node_refusal([good](NodeOptions& o) { o.partitions = good; }).empty());
  }
  for (const int bad : {-8, 0, 4, 9, 100, 131072}) {
    CHECK(node_refusal([bad](NodeOptions& o) { o.partitions = bad; }) ==
          "partitions: " + std::to_string(bad) + ", the limit is a power of two from 8 to 65536");
  }
}

TEST_CASE("node options: flush_interval, buffer_bytes_max, requests_max") {
  CHECK(node_refusal([](NodeOptions& o) { o.flush_interval = milliseconds(1); }).empty());
  CHECK(node_refusal([](NodeOptions& o) { o.flush_interval = hours(1); }).empty());
  CHECK(node_refusal([](NodeOptions& o) { o.flush_interval = milliseconds(0); }) ==
        "flush_interval: 0 ms, the limit is 1 to 3600000 ms");
  CHECK(node_refusal([](NodeOptions& o) { o.flush_interval = milliseconds(3'600'001); }) ==
        "flush_interval: 3600001 ms, the limit is 1 to 3600000 ms");
  CHECK(node_refusal([](NodeOptions& o) { o.buffer_bytes_max = 1 << 20; }).empty());
  CHECK(node_refusal([](NodeOptions& o) { o.buffer_bytes_max = (1 << 20) - 1; }) ==
        "buffer_bytes_max: 1048575, the limit is 1048576 or more");
  CHECK(node_refusal([](NodeOptions& o) { o.requests_max = 1; }).empty());
  CHECK(node_refusal([](NodeOptions& o) { o.requests_max = 1 << 20; }).empty());
  CHECK(node_refusal([](NodeOptions& o) { o.requests_max = 0; }) ==
        "requests_max: 0, the limit is 1 to 1048576");
  CHECK(node_refusal([](NodeOptions& o) { o.requests_max = (1 << 20) + 1; }) ==
        "requests_max: 1048577, the limit is 1 to 1048576");
}

TEST_CASE("store options: the name and the quorum") {
  CHECK(refusal(dynamo::host::check_store("", {})) == "store name: 0 bytes, the limit is 1 to 255");
  CHECK(refusal(dynamo::host::check_store(std::string(256, 's'), {})) ==
        "store name: 256 bytes, the limit is 1 to 255");
  CHECK(store_refusal([](StoreOptions& o) { o.quorum = {.n = 1, .r = 1, .w = 1}; }).empty());
  CHECK(store_refusal([](StoreOptions& o) { o.quorum = {.n = 16, .r = 16, .w = 16}; }).empty());
  CHECK(store_refusal([](StoreOptions& o) { o.quorum.n = 0; }) ==
        "quorum.n: 0, the limit is 1 to 16");
  CHECK(store_refusal([](StoreOptions& o) { o.quorum.n = 17; }) ==
        "quorum.n: 17, the limit is 1 to 16");
  CHECK(store_refusal([](StoreOptions& o) { o.quorum.r = 0; }) ==
        "quorum.r: 0, the limit is 1 to n=3");
  CHECK(store_refusal([](StoreOptions& o) { o.quorum.r = 4; }) ==
        "quorum.r: 4, the limit is 1 to n=3");
  CHECK(store_refusal([](StoreOptions& o) { o.quorum.w = 0; }) ==
        "quorum.w: 0, the limit is 1 to n=3");
  CHECK(store_refusal([](StoreOptions& o) { o.quorum.w = 4; }) ==
        "quorum.w: 4, the limit is 1 to n=3");
}

TEST_CASE("store options: timeout, ttl") {
  CHECK(store_refusal([](StoreOptions& o) { o.timeout = milliseconds(1); }).empty());
  CHECK(store_refusal([](StoreOptions& o) { o.timeout = hours(1); }).empty());
  CHECK(store_refusal([](StoreOptions& o) { o.timeout = milliseconds(0); }) ==
        "timeout: 0 ms, the limit is 1 to 3600000 ms");
  CHECK(store_refusal([](StoreOptions& o) { o.timeout = milliseconds::max(); }) ==
        "timeout: 9223372036854775807 ms, the limit is 1 to 3600000 ms");
  CHECK(store_refusal([](StoreOptions& o) { o.ttl = seconds(1); }).empty());
  CHECK(store_refusal([](StoreOptions& o) { o.ttl = hours(24 * 365 * 100); }).empty());
  CHECK(store_refusal([](StoreOptions& o) { o.ttl = seconds(0); }) ==
        "ttl: 0 s, the limit is 1 to 3153600000 s");
  CHECK(store_refusal([](StoreOptions& o) { o.ttl = seconds(3'153'600'001); }) ==
        "ttl: 3153600001 s, the limit is 1 to 3153600000 s");
}

TEST_CASE("store options: object_bytes_max, siblings_max") {
  CHECK(store_refusal([](StoreOptions& o) { o.object_bytes_max = 0; }).empty());
  CHECK(store_refusal([](StoreOptions& o) { o.object_bytes_max = 16 << 20; }).empty());
  CHECK(store_refusal([](StoreOptions& o) { o.object_bytes_max = (16 << 20) + 1; }) ==
        "object_bytes_max: 16777217, the limit is 16777216");
  CHECK(store_refusal([](StoreOptions& o) { o.siblings_max = 1; }).empty());
  CHECK(store_refusal([](StoreOptions& o) { o.siblings_max = 64; }).empty());
  CHECK(store_refusal([](StoreOptions& o) { o.siblings_max = 0; }) ==
        "siblings_max: 0, the limit is 1 to 64");
  CHECK(store_refusal([](StoreOptions& o) { o.siblings_max = 65; }) ==
        "siblings_max: 65, the limit is 1 to 64");
}

TEST_CASE("requests: keys and objects") {
  using dynamo::host::check_key;
  using dynamo::host::check_object;
  CHECK(refusal(check_key("get", "k")).empty());
  CHECK(refusal(check_key("get", std::string(2048, 'k'))).empty());
  CHECK(refusal(check_key("get", "")) == "get: the key is empty, the limit is 1 to 2048 bytes");
  CHECK(refusal(check_key("put", std::string(2049, 'k'))) ==
        "put \"" + std::string(64, 'k') +
            "\"...: the key has 2049 bytes, the limit is 1 to 2048 bytes");
  const StoreOptions four{.object_bytes_max = 4};
  CHECK(refusal(check_object("k", "", four)).empty());
  CHECK(refusal(check_object("k", "1234", four)).empty());
  CHECK(refusal(check_object("k", "12345", four)) ==
        "put \"k\": the object has 5 bytes, object_bytes_max is 4");
}
