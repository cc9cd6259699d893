#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <utility>

#include <dynamo/transport/tcp.h>
#include <asio/any_io_executor.hpp>
#include <asio/ip/tcp.hpp>

#include "transport/receiver_gate.h"

// What the incoming and the outgoing side of one transport share.
//
// All sockets and timers of a side belong to one executor that runs one handler at a time: that of
// an io_context that was made for one thread, as a node's loops are, else a strand over the
// application's. So handlers never wait for one another. stop() however must close everything
// before it returns, from any thread, and must not wait for an executor that perhaps nobody runs;
// hence each handler also holds the mutex `turn`, and so does stop(). A sender may take it, if it
// is free, to write without a detour over the executor; nobody else contends for it. `receive` is
// called without it.
//
// There is one side, or one for each loop. Connections are spread over them: those that are
// accepted by turns, the others by whom they lead to.
//
// Order of locks: turn, then TcpPeers::mutex_, then SendQueue::mutex_.
namespace dynamo::transport {

// Every pause and deadline. Tests shorten them; applications have no reason to.
struct TcpTiming {
  std::chrono::milliseconds preamble{5'000};      // an accepted connection names itself within this
  std::chrono::milliseconds frame_stall{30'000};  // a frame that has begun goes on within this
  std::chrono::milliseconds write_stall{10'000};  // a write makes some progress within this
  std::chrono::milliseconds dial{3'000};          // each address of a peer gets this long
  std::chrono::milliseconds stale{
      2'000};  // packets wait this long for a connection, or one that moves
  std::chrono::milliseconds backoff_min{50};  // before jitter
  std::chrono::milliseconds backoff_max{2'000};
  std::chrono::milliseconds forget{300'000};    // unused connections and queues are freed
  std::chrono::milliseconds accept_pause{100};  // when the process is out of descriptors
  std::chrono::milliseconds sweep{500};         // how often the deadlines above are looked at
};

// What happened, for tests and later for metrics.
struct TcpCounters {
  std::atomic<std::uint64_t> accepted{0};
  std::atomic<std::uint64_t> refused{0};    // accepted connections closed because of a limit
  std::atomic<std::uint64_t> malformed{0};  // closed because of what they sent, or did not send
  std::atomic<std::uint64_t> dials{0};
  std::atomic<std::uint64_t> connects{0};
  std::atomic<std::uint64_t> writes{0};  // system calls
  std::atomic<std::uint64_t> sent{0};    // packets, and so below
  std::atomic<std::uint64_t> received{0};
  std::atomic<std::uint64_t> dropped{0};
};

// Of all sides together.
struct TcpTotals {
  TcpCounters counters;
  std::atomic<int> connections{0};  // accepted ones that are there, and of these
  std::atomic<int> strangers{0};    // those that have not sent a preamble
};

using Executor = asio::any_io_executor;
using Socket = asio::ip::tcp::socket;
using Acceptor = asio::ip::tcp::acceptor;

// One side's: shared by the transport, its connections and every pending handler: those may outlive
// the transport, inside an executor that the application runs later or never.
struct TcpShared {
  TcpShared(TcpOptions given, TcpTiming times, std::shared_ptr<TcpTotals> of_all, Executor runs,
            Transport::Receiver receive)
      : options(std::move(given)),
        timing(times),
        totals(std::move(of_all)),
        counters(totals->counters),
        gate(std::move(receive)),
        executor(std::move(runs)) {}

  const TcpOptions options;
  const TcpTiming timing;
  const std::shared_ptr<TcpTotals> totals;
  TcpCounters& counters;
  ReceiverGate gate;

  std::mutex turn;
  // Guarded by turn. The executor is let go at stop(): its context may be gone afterwards.
  bool stopped = false;
  std::optional<Executor> executor;
  std::minstd_rand jitter{std::random_device{}()};
};

// A completion handler that has its turn, or does nothing once the transport has stopped.
template <class Body>
auto in_turn(std::shared_ptr<TcpShared> shared, Body body) {
  return [shared = std::move(shared), body = std::move(body)](auto&&... results) mutable {
    const std::lock_guard lock(shared->turn);
    if (!shared->stopped) body(std::forward<decltype(results)>(results)...);
  };
}

// No child of the application inherits our sockets; asio does not see to it.
void set_close_on_exec(int descriptor);
// A peer that vanished is noticed without traffic too.
void set_keep_alive(Socket& socket);

}  // namespace dynamo::transport
