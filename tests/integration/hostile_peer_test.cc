// Whatever arrives at the port, the node goes on serving, and says what was wrong with packets that
// were whole but not for it.

#include <asio/buffer.hpp>
#include <asio/connect.hpp>
#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/write.hpp>

#include "cluster.h"
#include "transport/tcp_frame.h"
#include "wire/packet.h"

namespace {

using asio::ip::tcp;
using test::Cluster;

// A connection of a stranger to a node.
class Stranger {
 public:
  explicit Stranger(const std::string& address) {
    const auto port = static_cast<std::uint16_t>(std::stoi(address.substr(address.rfind(':') + 1)));
    socket_.connect({asio::ip::address_v4::loopback(), port});
  }
  void send(std::string_view bytes) {
    asio::error_code ignored;  // the node may have hung up already
    asio::write(socket_, asio::buffer(bytes), ignored);
  }
  void preamble() {
    const auto bytes = dynamo::transport::encode_preamble(dynamo::Lane::request);
    send({bytes.data(), bytes.size()});
  }
  void frame(std::string_view packet) {
    const auto header = dynamo::transport::encode_frame_header(packet.size());
    send({header.data(), header.size()});
    send(packet);
  }
  void await_end() {
    std::array<char, 64> buffer;
    asio::error_code error;
    while (!error) socket_.read_some(asio::buffer(buffer), error);
  }

 private:
  asio::io_context io_;
  tcp::socket socket_{io_};
};

std::string packet_from(const std::string& name, dynamo::Identity cluster) {
  dynamo::core::PacketWriter writer({.cluster = cluster,
                                     .sender = {1, 2},
                                     .boot = 1,
                                     .boot_random = 3,
                                     .view = 1,
                                     .from = name,
                                     .to = "a"});
  writer.add(dynamo::core::Ping{7});
  return std::move(writer).finish();
}

}  // namespace

TEST_CASE("a node survives strangers, and its own cluster does not notice") {
  Cluster cluster;
  cluster.start_all();
  const std::string address = cluster[0].options().members[0].address;
  REQUIRE(cluster[0].call("add k one").starts_with("ok"));

  Stranger web(address);
  web.send("GET / HTTP/1.1\r\nHost: example\r\n\r\n");
  web.await_end();

  Stranger oversized(address);
  oversized.preamble();
  oversized.send(std::string("\xff\xff\xff\xff", 4));
  oversized.await_end();

  Stranger truncated(address);
  truncated.preamble();
  truncated.send(std::string("\x40\x00\x00\x00half of it", 14));

  Stranger talker(address);
  talker.preamble();
  talker.frame("");
  talker.frame("garbage that is no packet");
  std::string packet = packet_from("b", {4, 5});
  talker.frame(packet);  // of another cluster
  packet[packet.size() / 2] ^= 1;
  talker.frame(packet);  // damaged
  packet[0] = 9;
  talker.frame(packet);  // of a later protocol

  for (std::size_t i = 0; i < 3; ++i) {
    REQUIRE(cluster[i].call("add k again" + std::to_string(i)).starts_with("ok"));
  }
  // Answers and log lines come through one pipe; what the stranger sent may take a while longer.
  for (int i = 0; i < 1000 && !cluster[0].logged("protocol version 9"); ++i) {
    REQUIRE(cluster[0].call("get k").starts_with("ok"));
  }
  CHECK(cluster[0].logged("protocol version 9"));
  CHECK(cluster[0].logged("belongs to cluster"));
  CHECK(cluster[0].logged("checksum"));
}
