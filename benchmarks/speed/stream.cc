#include "speed/stream.h"

#include <cstdint>
#include <cstring>
#include <utility>

#include <asio/buffer.hpp>
#include <asio/write.hpp>

namespace bench {

using asio::ip::tcp;

namespace {

constexpr std::size_t read_bytes = 64 * 1024;

tcp::socket connected(asio::io_context& io, int port) {
  tcp::socket socket(io);
  socket.connect(loopback(port));
  return socket;
}

}  // namespace

tcp::endpoint loopback(int port) {
  return {asio::ip::address_v4::loopback(), static_cast<std::uint16_t>(port)};
}

Stream::Stream(tcp::socket socket) : socket_(std::move(socket)), in_(read_bytes) {
  socket_.set_option(tcp::no_delay(true));
}

Stream::Stream(asio::io_context& io, int port) : Stream(connected(io, port)) {}

void Stream::read(OnBytes on_bytes) {
  on_bytes_ = std::move(on_bytes);
  read_more();
}

void Stream::read_more() {
  socket_.async_read_some(
      asio::buffer(in_.data() + in_size_, in_.size() - in_size_),
      [self = shared_from_this()](const asio::error_code& error, std::size_t size) {
        if (error) return;
        self->in_size_ += size;
        const std::size_t done = self->on_bytes_({self->in_.data(), self->in_size_});
        self->in_size_ -= done;
        std::memmove(self->in_.data(), self->in_.data() + done, self->in_size_);
        if (self->in_size_ == self->in_.size()) self->in_.resize(2 * self->in_.size());
        self->read_more();
      });
}

void Stream::flush() {
  if (writing_ || out_.empty()) return;
  writing_ = true;
  leaving_.swap(out_);
  out_.clear();
  asio::async_write(socket_, asio::buffer(leaving_),
                    [self = shared_from_this()](const asio::error_code& error, std::size_t) {
                      if (error) return;
                      self->writing_ = false;
                      self->flush();
                    });
}

}  // namespace bench
