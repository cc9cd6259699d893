#pragma once

#include <unistd.h>

#include <cstdint>
#include <vector>

#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>

namespace example {

// `count` ports of 127.0.0.1 that nobody listens on. A port that the kernel picks for a bind to 0
// comes from the range it also gives to outgoing connections, so any process may take it before the
// one that asked listens on it. These are below that range, and processes look in different places.
inline std::vector<int> loopback_ports(int count) {
  constexpr std::uint32_t first = 10'000;
  constexpr std::uint32_t range = 22'000;
  constexpr std::uint32_t for_one_process = 64;
  static std::uint32_t next = static_cast<std::uint32_t>(::getpid()) * for_one_process;

  asio::io_context io;
  std::vector<asio::ip::tcp::acceptor> held;
  std::vector<int> ports;
  for (std::uint32_t tried = 0; tried < range && std::ssize(ports) < count; ++tried) {
    const std::uint32_t port = first + next++ % range;
    const asio::ip::tcp::endpoint place(asio::ip::address_v4::loopback(),
                                        static_cast<std::uint16_t>(port));
    asio::ip::tcp::acceptor acceptor(io, place.protocol());
    acceptor.set_option(asio::socket_base::reuse_address(true));
    asio::error_code taken;
    acceptor.bind(place, taken);
    if (!taken) acceptor.listen(1, taken);
    if (taken) continue;
    held.push_back(std::move(acceptor));
    ports.push_back(static_cast<int>(port));
  }
  return ports;
}

}  // namespace example
