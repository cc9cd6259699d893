// What a peer may say and what is refused: limits, fields of later versions, malformed values.

#include "wire/codec.h"

#include <string>
#include <vector>

#include "catch.hpp"
#include "unit/wire/samples.h"

using namespace dynamo::core;

namespace {

bool accepted(const Message& message) {
  return decode_body(message_type(message), test::body_of(message)).has_value();
}

template <class T>
T sample() {
  for (const Message& message : test::samples()) {
    if (const T* found = std::get_if<T>(&message)) return *found;
  }
  FAIL("no sample of the type");
  return {};
}

template <class T>
bool accepted_with(void (*change)(T&)) {
  T message = sample<T>();
  change(message);
  return accepted(message);
}

}  // namespace

TEST_CASE("bytes after the last field are fields of a later version") {
  for (const Message& message : test::samples()) {
    for (const std::string_view later : {"\x01", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"}) {
      INFO(message_name(message_type(message)));
      CHECK(decode_body(message_type(message), test::body_of(message) + std::string(later)) ==
            message);
    }
  }
}

TEST_CASE("a body cut anywhere is refused") {
  for (const Message& message : test::samples()) {
    const std::string body = test::body_of(message);
    for (std::size_t size = 0; size < body.size(); ++size) {
      INFO(message_name(message_type(message)) << " cut to " << size);
      CHECK_FALSE(decode_body(message_type(message), body.substr(0, size)).has_value());
    }
  }
}

TEMPLATE_TEST_CASE("a store and key outside the limits are refused", "", ReadRequest, WriteRequest,
                   PutForward) {
  using T = TestType;
  CHECK(accepted_with<T>([](T& m) { m.key = std::string(key_bytes_max, 'k'); }));
  CHECK_FALSE(accepted_with<T>([](T& m) { m.key = std::string(key_bytes_max + 1, 'k'); }));
  CHECK_FALSE(accepted_with<T>([](T& m) { m.key.clear(); }));
  CHECK(accepted_with<T>([](T& m) { m.key = std::string("\0\xff", 2); }));
  CHECK(accepted_with<T>([](T& m) { m.store.name = std::string(name_bytes_max, 's'); }));
  CHECK_FALSE(accepted_with<T>([](T& m) { m.store.name = std::string(name_bytes_max + 1, 's'); }));
  CHECK_FALSE(accepted_with<T>([](T& m) { m.store.name.clear(); }));
  CHECK(accepted_with<T>([](T& m) { m.store.n = n_max; }));
  CHECK_FALSE(accepted_with<T>([](T& m) { m.store.n = n_max + 1; }));
  CHECK_FALSE(accepted_with<T>([](T& m) { m.store.n = 0; }));
  CHECK_FALSE(accepted_with<T>([](T& m) { m.store.conflict = static_cast<Conflict>(2); }));
}

TEST_CASE("an announced store outside the limits is refused") {
  using T = StoreAnnounce;
  CHECK_FALSE(accepted_with<T>([](T& m) { m.store.n = 17; }));
  CHECK_FALSE(accepted_with<T>([](T& m) { m.store.n = 0; }));
  CHECK_FALSE(accepted_with<T>([](T& m) { m.store.name.clear(); }));
}

TEST_CASE("a forward outside the limits is refused") {
  using T = PutForward;
  CHECK(accepted_with<T>([](T& m) { m.w = 3; }));
  CHECK_FALSE(accepted_with<T>([](T& m) { m.w = 4; }));  // n is 3
  CHECK_FALSE(accepted_with<T>([](T& m) { m.w = 0; }));
  CHECK_FALSE(accepted_with<T>([](T& m) { m.w = -1; }));
  CHECK(accepted_with<T>([](T& m) { m.write_id = {0, 1}; }));
  CHECK(accepted_with<T>([](T& m) { m.write_id = {1, 0}; }));
  CHECK_FALSE(accepted_with<T>([](T& m) { m.write_id = {}; }));
  CHECK(accepted_with<T>([](T& m) { m.siblings_max = 1024; }));
  CHECK_FALSE(accepted_with<T>([](T& m) { m.siblings_max = 1025; }));
  CHECK_FALSE(accepted_with<T>([](T& m) { m.siblings_max = -1; }));
  CHECK(accepted_with<T>([](T& m) { m.object = ""; }));
  CHECK(accepted_with<T>([](T& m) { m.object = std::string(object_bytes_limit, 'o'); }));
  CHECK_FALSE(accepted_with<T>([](T& m) { m.object = std::string(object_bytes_limit + 1, 'o'); }));
  CHECK(accepted_with<T>([](T& m) { m.expires_at_us = 0; }));
}

// Added to the receiver's clock, a peer's 2^64 us would overflow.
TEST_CASE("a forward that takes longer than any timeout is refused") {
  using T = PutForward;
  CHECK(accepted_with<T>([](T& m) { m.timeout_us = 0; }));
  CHECK(accepted_with<T>([](T& m) { m.timeout_us = 3'600'000'000; }));
  CHECK_FALSE(accepted_with<T>([](T& m) { m.timeout_us = 3'600'000'001; }));
  CHECK_FALSE(accepted_with<T>([](T& m) { m.timeout_us = ~std::uint64_t{0}; }));
}

TEST_CASE("a write owed to too many is refused") {
  using T = WriteRequest;
  CHECK(accepted_with<T>([](T& m) { m.owed.clear(); }));
  CHECK(accepted_with<T>([](T& m) { m.owed.resize(owed_max, {1, 2}); }));
  CHECK_FALSE(accepted_with<T>([](T& m) { m.owed.resize(owed_max + 1, {1, 2}); }));
}

TEST_CASE("a reply outside the limits is refused") {
  using T = PutForwardReply;
  CHECK(accepted_with<T>([](T& m) { m.code = 16; }));
  CHECK_FALSE(accepted_with<T>([](T& m) { m.code = 17; }));
  CHECK_FALSE(accepted_with<T>([](T& m) { m.code = -1; }));
  CHECK(accepted_with<T>([](T& m) { m.replicas.resize(replicas_max, m.replicas[0]); }));
  CHECK_FALSE(accepted_with<T>([](T& m) { m.replicas.resize(replicas_max + 1, m.replicas[0]); }));
  CHECK(accepted_with<T>([](T& m) { m.replicas[0].node = std::string(name_bytes_max, 'n'); }));
  CHECK_FALSE(
      accepted_with<T>([](T& m) { m.replicas[0].node = std::string(name_bytes_max + 1, 'n'); }));
}

// The context that a put returns names the version by this dot; without one the next put would
// leave a sibling.
TEST_CASE("a finished forward must name its version") {
  using T = PutForwardReply;
  CHECK(accepted_with<T>([](T& m) { m.answer = T::Answer::done; }));
  CHECK(accepted_with<T>([](T& m) {
    m.answer = T::Answer::failed;
    m.dot = {};
  }));
  CHECK_FALSE(accepted_with<T>([](T& m) {
    m.answer = T::Answer::done;
    m.dot = {};
  }));
}

TEST_CASE("an enumerator of a later version is refused") {
  CHECK_FALSE(
      accepted_with<ReadReply>([](ReadReply& m) { m.answer = static_cast<ReadReply::Answer>(3); }));
  CHECK_FALSE(accepted_with<WriteReply>(
      [](WriteReply& m) { m.answer = static_cast<WriteReply::Answer>(3); }));
  using T = PutForwardReply;
  CHECK_FALSE(accepted_with<T>([](T& m) { m.answer = static_cast<T::Answer>(4); }));
  CHECK_FALSE(accepted_with<T>([](T& m) { m.verdict = static_cast<dynamo::Outcome::Verdict>(4); }));
  CHECK_FALSE(accepted_with<T>(
      [](T& m) { m.replicas[0].role = static_cast<dynamo::ReplicaReport::Role>(2); }));
  CHECK_FALSE(accepted_with<T>(
      [](T& m) { m.replicas[0].answer = static_cast<dynamo::ReplicaReport::Answer>(7); }));
}

TEST_CASE("a flag that is neither 0 nor 1 is refused") {
  std::string announce = test::body_of(sample<StoreAnnounce>());
  announce.back() = 2;
  CHECK_FALSE(decode_body(message_type(StoreAnnounce{}), announce).has_value());
}

TEST_CASE("a long reason is cut by its writer, not refused by its reader") {
  const std::string longest(reason_bytes_max, 'r');
  const std::string longer = longest + "r";

  WriteReply write_reply = sample<WriteReply>();
  write_reply.reason = longer;
  const auto written = decode_body(message_type(write_reply), test::body_of(write_reply));
  REQUIRE(written.has_value());
  CHECK(std::get<WriteReply>(*written).reason == longest);

  ReadReply read_reply = sample<ReadReply>();
  read_reply.reason = longer;
  const auto read = decode_body(message_type(read_reply), test::body_of(read_reply));
  REQUIRE(read.has_value());
  CHECK(std::get<ReadReply>(*read).reason == longest);

  PutForwardReply reply = sample<PutForwardReply>();
  reply.message = longer;
  reply.replicas[0].reason = longer;
  const auto replied = decode_body(message_type(reply), test::body_of(reply));
  REQUIRE(replied.has_value());
  CHECK(std::get<PutForwardReply>(*replied).message == longest);
  CHECK(std::get<PutForwardReply>(*replied).replicas.at(0).reason == longest);
}

TEST_CASE("forward replies differ if any field does") {
  const PutForwardReply same = test::sample_forward_reply();
  CHECK(same == test::sample_forward_reply());
  const auto differs = [&same](auto change) {
    PutForwardReply other = same;
    change(other);
    return !(other == same);
  };
  CHECK(differs([](auto& m) { ++m.operation; }));
  CHECK(differs([](auto& m) { m.answer = PutForwardReply::Answer::done; }));
  CHECK(differs([](auto& m) { ++m.code; }));
  CHECK(differs([](auto& m) { m.message += "!"; }));
  CHECK(differs([](auto& m) { ++m.clock.value; }));
  CHECK(differs([](auto& m) { ++m.dot.counter; }));
  CHECK(differs([](auto& m) { m.verdict = dynamo::Outcome::Verdict::applied; }));
  CHECK(differs([](auto& m) { m.replicas.clear(); }));
  CHECK(differs([](auto& m) { m.replicas[0].node = "c"; }));
  CHECK(differs([](auto& m) { m.replicas[0].role = dynamo::ReplicaReport::Role::primary; }));
  CHECK(differs([](auto& m) { m.replicas[0].answer = dynamo::ReplicaReport::Answer::synced; }));
  CHECK(differs([](auto& m) { m.replicas[0].reason = "else"; }));
}
