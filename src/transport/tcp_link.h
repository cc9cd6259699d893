#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <system_error>
#include <vector>

#include <dynamo/transport.h>
#include <asio/steady_timer.hpp>

#include "transport/send_queue.h"
#include "transport/tcp_shared.h"

namespace dynamo::transport {

// The outgoing connection to one address, for one lane, and the packets that wait for it.
//
//             flush()                   connected
//    idle ---------------> dialling ---------------> connected
//     ^  <- none waits        | no address answers       | end of file, error, stall
//     |                       v (the queue is dropped)   |
//     +------------------- waiting <---------------------+
//          backoff is over
//
// Used in one direction: the peer answers over its own link to us, so all that can ever be read is
// the end. One write is outstanding at a time; what is pushed meanwhile leaves with the next one.
// Nothing is sent twice: what a lost connection had taken is lost with it.
//
// The backoff doubles with each failure. A connection that ends early counts as one, or a peer that
// accepts and closes would be dialled in a loop.
//
// Thread safety: push() from any thread; the rest in turn.
class TcpLink : public std::enable_shared_from_this<TcpLink> {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  TcpLink(std::shared_ptr<TcpShared> shared, std::string address, Lane lane);

  // True if a flush() must be arranged: the first push since the last one.
  bool push(std::string packet);
  // Sends what waits, or dials.
  void flush();
  // Sends what waits, if it can leave at once; false if the arranged flush() is still needed.
  bool flush_here();
  // The peer is there: backing off makes no sense any more.
  void redial();
  // Looks at the deadlines.
  void sweep(TimePoint now);
  // Unused for so long that it may be forgotten. No push() may run at the same time.
  bool forgettable(TimePoint now) const;
  void close();

 private:
  enum class State { idle, dialling, connected, waiting };
  struct Channel;  // one attempt and the connection that it became

  void dial();
  void resolve(const std::string& host, std::uint16_t port);
  void connect_next();
  bool open_socket(const asio::ip::tcp& protocol);
  void connected();
  void watch_for_end();
  bool next_batch();
  void write();
  // False if the rest has to wait, or the connection is lost.
  bool write_batch();
  void wrote(std::size_t size);
  void dial_failed();
  void disconnect();
  void set_timer(std::chrono::milliseconds delay, void (TcpLink::*expired)());
  void dial_timed_out();
  void backoff_ended();
  std::chrono::milliseconds next_backoff();

  // A handler that is dropped if the channel it was made for is no longer the link's.
  template <class Body>
  auto on_channel(Body body);

  const std::shared_ptr<TcpShared> shared_;
  const std::string address_;
  const Lane lane_;

  SendQueue queue_;
  std::atomic<bool> flush_arranged_{false};

  // Guarded by TcpShared::turn.
  State state_ = State::idle;
  std::shared_ptr<Channel> channel_;  // shared with its handlers: they own the buffers
  std::unique_ptr<asio::steady_timer> timer_;
  std::uint64_t timer_number_ = 0;  // tells a timer from its predecessors
  TimePoint connected_at_{};
  int failures_ = 0;
};

}  // namespace dynamo::transport
