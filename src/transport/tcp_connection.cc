#include "transport/tcp_connection.h"

#include <utility>

#include <asio/buffer.hpp>

namespace dynamo::transport {

using std::chrono::steady_clock;

TcpConnection::TcpConnection(std::shared_ptr<TcpShared> shared,
                             std::shared_ptr<TcpListener> listener, Socket socket)
    : shared_(std::move(shared)),
      listener_(std::move(listener)),
      socket_(std::move(socket)),
      reader_(shared_->options.packet_bytes_max),
      progress_(steady_clock::now()) {}

void TcpConnection::read() {
  const auto space = reader_.prepare();
  socket_.async_read_some(
      asio::buffer(space.data(), space.size()),
      [self = shared_from_this()](const asio::error_code& error, std::size_t size) {
        self->on_read(error, size);
      });
}

void TcpConnection::on_read(const asio::error_code& error, std::size_t size) {
  {
    const std::lock_guard lock(shared_->turn);
    if (shared_->stopped || closed_ || !take(error, size)) return;
  }
  // Between the two turns the sweep or stop() may close this connection, but nobody else reads: the
  // next read begins below.
  for (std::string& packet : packets_) {
    ++shared_->counters.received;
    shared_->gate.deliver(std::move(packet));
  }
  packets_.clear();
  const std::lock_guard lock(shared_->turn);
  if (!shared_->stopped && !closed_) read();
}

// False if the connection has ended without anything to deliver.
bool TcpConnection::take(const asio::error_code& error, std::size_t size) {
  if (error) {
    close();
    return false;
  }
  const auto fault = reader_.commit(size, packets_);
  if (fault != FrameReader::Fault::none) {
    refuse();
  } else if (reader_.greeted()) {
    // Before that the clock runs from the beginning: a preamble is not spelt out byte by byte. And
    // between two frames nothing is late.
    if (!reader_.at_boundary()) progress_ = steady_clock::now();
    if (std::exchange(stranger_, false)) listener_->greeted();
  }
  return true;  // packets before a fault are whole
}

void TcpConnection::refuse() {
  ++shared_->counters.malformed;
  close();
}

void TcpConnection::sweep(steady_clock::time_point now) {
  const auto& timing = shared_->timing;
  const auto deadline = stranger_ ? timing.preamble : timing.frame_stall;
  if (!reader_.at_boundary() && now - progress_ > deadline) refuse();
}

void TcpConnection::close() {
  if (std::exchange(closed_, true)) return;
  asio::error_code ignored;
  socket_.close(ignored);
  listener_->closed(shared_from_this());
}

}  // namespace dynamo::transport
