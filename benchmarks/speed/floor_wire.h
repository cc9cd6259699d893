#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include <asio/ip/tcp.hpp>

#include "speed/stream.h"

namespace bench {

struct FloorFrame {
  enum class Type : std::uint8_t { get, put, value, stored, echo } type = Type::get;
  std::uint64_t id = 0;
  std::string_view key{};
  std::string_view value{};
};

struct StringHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const {
    return std::hash<std::string_view>{}(text);
  }
};
using FloorMap = std::unordered_map<std::string, std::string, StringHash, std::equal_to<>>;

// One connection of the floor: many frames for one read, all that was appended in one write.
//
// Thread safety: one thread at a time.
class FloorLink : public Stream {
 public:
  using OnFrame = std::function<void(FloorLink& link, const FloorFrame& frame)>;

  FloorLink(asio::ip::tcp::socket socket, OnFrame on_frame);

  // Reads until the connection ends.
  void read();
  // Leaves with the next flush().
  void append(const FloorFrame& frame);

 private:
  std::size_t parse(std::string_view in);

  const OnFrame on_frame_;
};

// Takes connections on that port for ever; prints "ready" first.
void serve(asio::io_context& io, int port, const FloorLink::OnFrame& on_frame);
std::shared_ptr<FloorLink> dial(asio::io_context& io, int port, FloorLink::OnFrame on_frame);

}  // namespace bench
