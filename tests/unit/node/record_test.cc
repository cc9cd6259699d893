#include "node/record.h"

#include <string>

#include <absl/strings/escaping.h>

#include "catch.hpp"
#include "unit/wire/samples.h"

using namespace dynamo::core;
using test::ContainsSubstring;

namespace {

Record sample() {
  return {.store = "carts",
          .key = "user:42",
          .replica = {.set = test::sample_set(), .actor = {0xac, 5}},
          .generation = 300,
          .owed = {{0x51, 0x52}}};
}

std::string hex(const std::string& bytes) { return absl::BytesToHexString(bytes); }

}  // namespace

TEST_CASE("record: what was encoded is decoded") {
  const Record before = sample();
  const absl::StatusOr<Record> after = decode_record(encode_record(before), "carts", "user:42");
  REQUIRE(after.ok());
  CHECK(after->store == before.store);
  CHECK(after->key == before.key);
  CHECK(after->replica.set == before.replica.set);
  CHECK(after->replica.actor == before.replica.actor);
  CHECK(after->generation == before.generation);
  CHECK(after->owed == before.owed);
}

// A change of these bytes makes every data directory unreadable: a new format needs a new number.
TEST_CASE("record: golden bytes") {
  CHECK(hex(encode_record({.store = "s", .key = "k", .replica = {.actor = {1, 2}}})) ==
        "010173016b0100000000000000020000000000aa192d4b1220aeda");
  CHECK(hex(encode_record(sample())) ==
        "0105636172747307757365723a3432ac0000000000000005ac020151000000000000005200000000"
        "00000001a100000000000000010201b200000000000000ac020502a1000000000000000102210000"
        "000000000022000000000000002300000000000000ac0203800104626f6f6bb200000000000000ac"
        "02053100000000000000320000000000000033000000000000000100743ea1bde4b7b1d6");
}

TEST_CASE("record: damage anywhere is DATA_LOSS, never a value and never an absence") {
  const std::string bytes = encode_record(sample());
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    for (const char flip : {'\x01', '\x80', '\xff'}) {
      std::string damaged = bytes;
      damaged[at] = static_cast<char>(damaged[at] ^ flip);
      const absl::StatusOr<Record> read = decode_record(damaged, "carts", "user:42");
      INFO("byte " << at << " ^ " << static_cast<int>(flip));
      CHECK(absl::IsDataLoss(read.status()));
    }
    INFO("cut to " << at);
    CHECK(absl::IsDataLoss(decode_record(bytes.substr(0, at), "carts", "user:42").status()));
  }
  CHECK(absl::IsDataLoss(decode_record(bytes + '\0', "carts", "user:42").status()));
}

TEST_CASE("record: content that a checksum vouches for may still be malformed") {
  for (const std::string& content : {std::string(),
                                     std::string("\x05"
                                                 "cart"),
                                     std::string(40, '\xff')}) {
    CHECK(absl::IsDataLoss(decode_record(seal_record(content), "carts", "user:42").status()));
  }
}

TEST_CASE("record: of a later format it is refused by its number") {
  std::string bytes;
  Encoder out(bytes);
  out.fixed8(record_version + 1);
  out.raw("whatever comes then");
  out.fixed64(checksum(bytes));
  const absl::Status status = open_record(bytes).status();
  CHECK(absl::IsDataLoss(status));
  CHECK_THAT(std::string(status.message()),
             ContainsSubstring("format 2, this library reads format 1"));
}

TEST_CASE("record: another key or store with the same hash is INTERNAL") {
  const std::string bytes = encode_record(sample());
  for (const auto& [store, key] :
       {std::pair("carts", "user:43"), std::pair("sessions", "user:42")}) {
    const absl::Status status = decode_record(bytes, store, key).status();
    CHECK(absl::IsInternal(status));
    CHECK_THAT(std::string(status.message()), ContainsSubstring("same 128-bit hash"));
  }
}
