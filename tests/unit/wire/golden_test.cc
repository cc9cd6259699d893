// The bytes of format 1, written out by hand from message.h and packet.h. They may never change:
// nodes of different versions share a cluster. A field of a later version goes to the end of its
// message, and gets a test of its own.

#include <string>
#include <vector>

#include "catch.hpp"
#include "unit/wire/samples.h"

using namespace dynamo::core;

namespace {

const std::string operation = "0807060504030201";
const std::string store =
    "05 6361727473"  // name
    "03 01";         // n, last write wins
const std::string key = "07 636172743a3432";
const std::string set =
    "01 a100000000000000 01 02"          // seen: a1.1:1 to 2
    "01 b200000000000000 ac02 05"        // and b2.300:5 alone
    "02"                                 // versions
    "a100000000000000 01 02"             // dot
    "2100000000000000 2200000000000000"  // write id
    "2300000000000000"                   // clock
    "ac02 03 8001"                       // written at, flags, expires at
    "04 626f6f6b"                        // object
    "b200000000000000 ac02 05"           // dot
    "3100000000000000 3200000000000000"  // write id
    "3300000000000000"                   // clock
    "01 00";                             // written at, a delete

const std::string scope = store + "ac02 c801 05 01";  // partition, view, generation, format

// Number, cluster, members, moves; of a move its partition, when it began,
// and both sides as places among the members.
const std::string view_bytes =
    "c801 7100000000000000 7200000000000000 02"
    "7300000000000000 7400000000000000 01 61 03 683a31 01 7a 0000000000000040 02"
    "0000000000000000 0000000000000000 02 6263 03 683a32 00 000000000000f03f 01"
    "01 ac02 c701 01 01 02 02 01";

// Spaces stand between fields, for the reader.
std::string without_spaces(std::string text) {
  std::erase(text, ' ');
  return text;
}

// In the order of the types.
const std::vector<std::string>& golden() {
  static const std::vector<std::string> bytes = {
      // ping, pong: nonce
      "1817161514131211",
      "2827262524232221",
      // boot refused: boot, boot random, boot seen
      "ac02 3837363534333231 ad02",
      // read: at a stand-in
      operation + store + key + "01",
      // read reply: not found, reason, generation
      operation + "01 03 776879 c801" + set,
      // write: buffered, generation, owed
      operation + store + key +
          "00 c801 02 6100000000000000 6200000000000000 6300000000000000 6400000000000000" + set,
      // write reply: synced, reason
      operation + "01 03 776879",
      // forward
      operation + store + key +
          "01 a100000000000000 01 01"          // context: a1.1:1
          "01 a100000000000000 01 03"          // and a1.1:3
          "4100000000000000"                   // its latest clock
          "4200000000000000 4300000000000000"  // write id
          "4400000000000000 01"                // clock, may be redrawn
          "ac02 8001"                          // written at, expires at
          "01 03 70656e"                       // object
          "02 40 00 01 c0843d",                // w, siblings_max, buffered, sloppy, timeout
      // forward reply: clock behind, code, message, clock, dot, verdict
      operation +
          "03 0e 03 776879 5100000000000000 a100000000000000 01 07 01 01 01 62 01 04 04"
          "66756c6c",  // b, a stand-in, refused: full
      // store announce: established
      store + "01",
      // membership
      "04 76696577",
      // tree: nodes and their digests
      operation + scope +
          "02 00 00 8100000000000000 8200000000000000"
          "02 c801 8300000000000000 8400000000000000",
      // tree reply: ok, reason; a node with children 0 and 9
      operation +
          "00 03 776879 01 01 03 8104"
          "9100000000000000 9200000000000000 9300000000000000 9400000000000000",
      // leaf: nodes, from
      operation + scope + "02 01 03 02 c801 8500000000000000 8600000000000000",
      // leaf reply: not ready, reason; keys and their digests, complete to
      operation +
          "01 03 776879 01 8700000000000000 8800000000000000 8900000000000000 8a00000000000000"
          "8b00000000000000 8c00000000000000",
      // sets: key, generation, set; wanted
      operation + scope + "01" + key + "c801" + set + "01 8d00000000000000 8e00000000000000",
      // sets reply: ok, reason, served; key, generation, set
      operation + "00 03 776879 c801 01" + key + "c801" + set,
      // converge: timeout
      operation + "c0843d",
      // converge reply: partitions left, hints, reason
      operation + "c801 ac02 03 776879",
      // generation: settled, wished, members
      "c801 ca01 9100000000000000 9200000000000000",
      // drop: confirmed, records and their digests
      store + "c801 01 9300000000000000 9400000000000000 9500000000000000 9600000000000000",
      // stores
      operation,
      // stores reply: established
      operation + "01" + store + "01",
      view_bytes,
      // move ready: partition, mark
      "ac02 9700000000000000",
  };
  return bytes;
}

}  // namespace

TEST_CASE("every message has the bytes of format 1") {
  const std::vector<Message> messages = test::samples();
  REQUIRE(messages.size() == std::variant_size_v<Message>);
  REQUIRE(golden().size() == messages.size());
  for (std::size_t i = 0; i < messages.size(); ++i) {
    INFO(message_name(message_type(messages[i])));
    CHECK(message_type(messages[i]) == i + 1);
    const std::string body = test::body_of(messages[i]);
    CHECK(test::hex(body) == without_spaces(golden()[i]));
    const auto back = decode_body(message_type(messages[i]), body);
    REQUIRE(back.has_value());
    CHECK(*back == messages[i]);
  }
}

TEST_CASE("a forwarded erase has the bytes of format 1") {
  PutForward erase = test::sample_forward();
  erase.object = std::nullopt;
  const std::string body = test::body_of(erase);
  CHECK(test::hex(body) ==
        without_spaces(
            operation + store + key +
            "01 a100000000000000 01 01 01 a100000000000000 01 03 4100000000000000"
            "4200000000000000 4300000000000000 4400000000000000 01 ac02 8001 00 02 40 00 01"
            "c0843d"));
  CHECK(decode_body(message_type(Message(erase)), body) == Message(erase));
}

TEST_CASE("a packet has the bytes of format 1") {
  const std::string packet = test::packet_of({Ping{1}, Pong{2}});
  CHECK(test::hex(packet) == without_spaces("01"                                 // protocol version
                                            "7100000000000000 7200000000000000"  // cluster
                                            "7300000000000000 7400000000000000"  // sender
                                            "ac02 7500000000000000"   // boot, its random number
                                            "7600000000000000 01"     // receiver, replaced
                                            "c801 c901 c701"          // view, generation, sealed
                                            "01 61 02 6263"           // from a to bc
                                            "01 08 0100000000000000"  // ping
                                            "02 08 0200000000000000"  // pong
                                            "5aa98c94247c108f"));
  const auto back = read_packet(packet);
  REQUIRE(back.ok());
  CHECK(back->header == test::sample_header());
  CHECK(back->messages == std::vector<Message>{Ping{1}, Pong{2}});
  CHECK(back->unknown == 0);
}

TEST_CASE("a packet carries every message") {
  const std::string packet = test::packet_of(test::samples());
  const auto back = read_packet(packet);
  REQUIRE(back.ok());
  CHECK(back->header == test::sample_header());
  CHECK(back->messages == test::samples());
}

TEST_CASE("every type has a name, numbers of later versions have none") {
  CHECK(message_name(0) == "unknown");
  CHECK(message_name(1) == "ping");
  CHECK(message_name(11) == "membership");
  CHECK(message_name(19) == "converge reply");
  CHECK(message_name(23) == "stores reply");
  CHECK(message_name(25) == "move ready");
  CHECK(message_name(26) == "unknown");
  CHECK(message_name(255) == "unknown");
  CHECK_FALSE(decode_body(0, "").has_value());
  CHECK_FALSE(decode_body(26, test::body_of(Ping{1})).has_value());
}
