#include "transport/tcp_link.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <optional>
#include <random>
#include <utility>

#include <asio/buffer.hpp>
#include <asio/error.hpp>
#include <asio/ip/address.hpp>
#include <asio/ip/tcp.hpp>

#include "base/spare_buffers.h"
#include "transport/address.h"
#include "transport/tcp_frame.h"

namespace dynamo::transport {
namespace {

using asio::ip::tcp;
using std::chrono::steady_clock;

// One gathered write. asio hands at most 64 buffers to the system, and each packet takes two.
constexpr std::size_t batch_packets_max = 31;
constexpr std::size_t batch_bytes_max = std::size_t{1} << 20;

// A buffer sequence that does not own; asio copies sequences.
struct BufferView {
  using value_type = asio::const_buffer;
  using const_iterator = const asio::const_buffer*;
  const_iterator first;
  const_iterator last;
  const_iterator begin() const { return first; }
  const_iterator end() const { return last; }
};

}  // namespace

struct TcpLink::Channel {
  std::optional<tcp::resolver> resolver;
  std::vector<tcp::endpoint> endpoints;
  std::size_t next_endpoint = 0;
  std::optional<Socket> socket;

  std::array<char, preamble_bytes> preamble{};
  bool preamble_sent = false;
  char unexpected = 0;  // a peer sends nothing on our link

  // The write under way: buffers from first_buffer on are still to be written. `writing`: once the
  // system takes more.
  bool writing = false;
  bool moved = false;    // something was written, or there was nothing to write, since `progress`
  TimePoint progress{};  // while it is being written
  std::vector<std::string> batch;
  std::vector<std::array<char, frame_header_bytes>> headers;
  std::vector<asio::const_buffer> buffers;
  std::size_t first_buffer = 0;

  void close() {
    asio::error_code ignored;
    if (resolver) resolver->cancel();
    if (socket) socket->close(ignored);
  }
};

template <class Body>
auto TcpLink::on_channel(Body body) {
  return in_turn(shared_, [self = shared_from_this(), channel = channel_,
                           body = std::move(body)](auto&&... results) mutable {
    if (self->channel_ == channel) body(*self, std::forward<decltype(results)>(results)...);
  });
}

TcpLink::TcpLink(std::shared_ptr<TcpShared> shared, std::string address, Lane lane)
    : shared_(std::move(shared)),
      address_(std::move(address)),
      lane_(lane),
      queue_(shared_->options.queue_bytes_max, steady_clock::now()) {}

bool TcpLink::push(std::string packet) {
  if (!queue_.push(std::move(packet), steady_clock::now())) ++shared_->counters.dropped;
  return !flush_arranged_.exchange(true);
}

void TcpLink::flush() {
  flush_arranged_ = false;  // before looking: a later push arranges another
  if (state_ == State::idle && !queue_.empty()) dial();
  if (state_ == State::connected) write();
}

bool TcpLink::flush_here() {
  if (state_ != State::connected || channel_->writing) return false;
  flush_arranged_ = false;
  write();
  return true;
}

void TcpLink::redial() {
  if (state_ != State::waiting) return;
  failures_ = 0;
  timer_.reset();
  ++timer_number_;
  backoff_ended();
}

void TcpLink::sweep(TimePoint now) {
  const auto& timing = shared_->timing;
  const bool writes = state_ == State::connected && channel_->writing;
  const auto stalled = writes ? now - channel_->progress : TimePoint::duration::zero();
  if (stalled > timing.write_stall) return disconnect();
  // Of all that is meant for a process that stands still the latest is enough. But transfers are
  // few, and whoever waits for an answer to one waits for half a minute.
  const bool stands_still = lane_ == Lane::request && stalled > timing.stale;
  if (state_ == State::connected && !stands_still) return;
  shared_->counters.dropped += queue_.drop_before(now - timing.stale);
}

bool TcpLink::forgettable(TimePoint now) const {
  const bool busy = !queue_.empty() || (channel_ && channel_->writing);
  return !busy && now - queue_.last_push() > shared_->timing.forget;
}

void TcpLink::close() {
  if (channel_) channel_->close();
  channel_.reset();
  timer_.reset();
  ++timer_number_;
  state_ = State::idle;
  shared_->counters.dropped += queue_.clear();
}

// ---- dialling
// -------------------------------------------------------------------------------------

void TcpLink::dial() {
  ++shared_->counters.dials;
  state_ = State::dialling;
  channel_ = std::make_shared<Channel>();
  const auto address = parse_address(address_);
  if (!address.ok()) return dial_failed();
  asio::error_code not_numeric;
  const auto numeric = asio::ip::make_address(address->host, not_numeric);
  // The resolver starts a thread in the application's context, so it is kept for names.
  if (not_numeric) return resolve(address->host, address->port);
  channel_->endpoints.emplace_back(numeric, address->port);
  connect_next();
}

void TcpLink::resolve(const std::string& host, std::uint16_t port) {
  channel_->resolver.emplace(*shared_->executor);
  channel_->resolver->async_resolve(host, std::to_string(port), tcp::resolver::numeric_service,
                                    on_channel([](TcpLink& link, const asio::error_code& error,
                                                  const tcp::resolver::results_type& results) {
                                      if (error) return link.dial_failed();
                                      for (const auto& result : results)
                                        link.channel_->endpoints.push_back(result.endpoint());
                                      link.connect_next();
                                    }));
}

void TcpLink::connect_next() {
  auto& channel = *channel_;
  while (channel.next_endpoint < channel.endpoints.size()) {
    const tcp::endpoint endpoint = channel.endpoints[channel.next_endpoint++];
    if (!open_socket(endpoint.protocol())) continue;
    channel.socket->async_connect(endpoint,
                                  on_channel([](TcpLink& link, const asio::error_code& error) {
                                    if (error) return link.connect_next();
                                    link.connected();
                                  }));
    return set_timer(shared_->timing.dial, &TcpLink::dial_timed_out);
  }
  dial_failed();
}

bool TcpLink::open_socket(const tcp& protocol) {
  asio::error_code error;
  auto& socket = channel_->socket.emplace(*shared_->executor);
  socket.open(protocol, error);
  if (error) return false;
  set_close_on_exec(socket.native_handle());
  socket.set_option(tcp::no_delay(true), error);
  set_keep_alive(socket);
  // Keep-alive is silent while data is unacknowledged; this is the deadline for that.
  const unsigned timeout = static_cast<unsigned>(shared_->timing.write_stall.count());
  ::setsockopt(socket.native_handle(), IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout, sizeof(timeout));
  return true;
}

void TcpLink::dial_timed_out() {
  // The connect ends with an error and goes on to the next address.
  asio::error_code ignored;
  if (state_ == State::dialling) channel_->socket->close(ignored);
}

void TcpLink::dial_failed() {
  // Who is back after this is not to be flooded with what was meant for the past.
  shared_->counters.dropped += queue_.clear();
  disconnect();
}

void TcpLink::disconnect() {
  const auto now = steady_clock::now();
  const bool lasted =
      state_ == State::connected && now - connected_at_ >= shared_->timing.backoff_max;
  failures_ = lasted ? 0 : failures_ + 1;
  channel_->close();
  channel_.reset();
  state_ = State::waiting;
  set_timer(next_backoff(), &TcpLink::backoff_ended);
}

std::chrono::milliseconds TcpLink::next_backoff() {
  const auto& timing = shared_->timing;
  const int doublings = std::min(failures_, 16);
  const auto bound = std::min(timing.backoff_max, timing.backoff_min * (1 << doublings));
  // Full jitter: peers that lost the same node at the same time do not come back together.
  std::uniform_int_distribution<std::chrono::milliseconds::rep> uniform(0, bound.count());
  return std::chrono::milliseconds(uniform(shared_->jitter));
}

void TcpLink::backoff_ended() {
  state_ = State::idle;
  if (!queue_.empty()) dial();
}

void TcpLink::set_timer(std::chrono::milliseconds delay, void (TcpLink::*expired)()) {
  if (!timer_) timer_ = std::make_unique<asio::steady_timer>(*shared_->executor);
  timer_->expires_after(delay);
  timer_->async_wait(in_turn(shared_, [self = shared_from_this(), number = ++timer_number_,
                                       expired](const asio::error_code& error) {
    if (!error && self->timer_number_ == number) (self.get()->*expired)();
  }));
}

// ---- connected
// ------------------------------------------------------------------------------------

void TcpLink::connected() {
  ++timer_number_;
  timer_.reset();
  ++shared_->counters.connects;
  state_ = State::connected;
  connected_at_ = steady_clock::now();
  asio::error_code ignored;
  channel_->socket->non_blocking(true, ignored);  // see write()
  shared_->counters.dropped += queue_.drop_before(connected_at_ - shared_->timing.stale);
  watch_for_end();
  write();
}

void TcpLink::watch_for_end() {
  channel_->socket->async_read_some(
      asio::buffer(&channel_->unexpected, 1),
      on_channel([](TcpLink& link, const asio::error_code&, std::size_t) { link.disconnect(); }));
}

// False if nothing is to be written.
bool TcpLink::next_batch() {
  auto& channel = *channel_;
  queue_.take(batch_packets_max, batch_bytes_max, channel.batch);
  if (channel.batch.empty() && channel.preamble_sent) return false;

  channel.headers.reserve(batch_packets_max);  // buffers point into it
  if (!channel.preamble_sent) {
    channel.preamble = encode_preamble(lane_);
    channel.preamble_sent = true;
    channel.buffers.push_back(asio::buffer(channel.preamble));
  }
  for (const std::string& packet : channel.batch) {
    const auto& header = channel.headers.emplace_back(encode_frame_header(packet.size()));
    channel.buffers.push_back(asio::buffer(header));
    if (!packet.empty()) channel.buffers.push_back(asio::buffer(packet));
  }
  channel.moved = true;
  return true;
}

// At once as long as the system takes it: a handler for each write would cost a turn of the loop.
void TcpLink::write() {
  if (channel_->writing) return;
  while (next_batch()) {
    if (!write_batch()) return;
  }
}

bool TcpLink::write_batch() {
  auto& channel = *channel_;
  while (channel.first_buffer < channel.buffers.size()) {
    ++shared_->counters.writes;
    const auto* data = channel.buffers.data();
    const BufferView rest{data + channel.first_buffer, data + channel.buffers.size()};
    asio::error_code error;
    const std::size_t size = channel.socket->write_some(rest, error);
    if (error == asio::error::would_block || error == asio::error::try_again) {
      channel.writing = true;
      if (std::exchange(channel.moved, false)) channel.progress = steady_clock::now();
      channel.socket->async_wait(Socket::wait_write,
                                 on_channel([](TcpLink& link, const asio::error_code& failed) {
                                   if (failed) return link.disconnect();
                                   link.channel_->writing = false;
                                   if (link.write_batch()) link.write();
                                 }));
      return false;
    }
    if (error) {
      disconnect();
      return false;
    }
    wrote(size);
  }
  shared_->counters.sent += channel.batch.size();
  for (std::string& packet : channel.batch) core::SpareBuffers::give(std::move(packet));
  channel.batch.clear();
  channel.headers.clear();
  channel.buffers.clear();
  channel.first_buffer = 0;
  return true;
}

void TcpLink::wrote(std::size_t size) {
  auto& channel = *channel_;
  channel.moved |= size > 0;
  while (size > 0) {
    auto& buffer = channel.buffers[channel.first_buffer];
    const std::size_t part = std::min(size, buffer.size());
    buffer += part;
    size -= part;
    if (buffer.size() == 0) ++channel.first_buffer;
  }
}

}  // namespace dynamo::transport
