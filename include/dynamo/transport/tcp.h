#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include <dynamo/export.h>
#include <dynamo/transport.h>
#include <asio/any_io_executor.hpp>

namespace dynamo {

// The settings of a TCP transport.
struct TcpOptions {
  // "host:port" or "[v6]:port"; port 0 picks a free one. Required.
  std::string listen{};
  // What peers dial, if it is not the bound address (a machine behind NAT). Required with a
  // wildcard listen address. Port 0 stands for the bound port.
  std::string advertise{};
  // Bytes that may wait for one peer and lane; a packet beyond it is dropped, and the node sends
  // what it held again after a while. A single packet may always wait.
  std::size_t queue_bytes_max = std::size_t{32} << 20;
  // The largest packet sent or accepted. A peer that announces a larger one is disconnected before
  // any memory is taken for it.
  std::size_t packet_bytes_max = std::size_t{80} << 20;
  // Accepted connections at once; beyond it the newest is closed.
  int connections_max = 4096;
  // Runs sockets and timers; it must belong to an asio::io_context, which one thread runs at a time
  // if it was made for one (concurrency hint 1). Empty: a thread of the transport's own.
  asio::any_io_executor executor{};
};

// Packets over TCP: one listening port, one outgoing connection per peer and lane, dialled on first
// use and redialled with jittered backoff (50 ms to 2 s) while there is something to send. Names
// are resolved at each dial and every address is tried. Packets wait about 2 s for a connection, or
// for a peer that reads nothing, and are dropped when a dial fails. Not encrypted, not
// authenticated: for loopback and trusted networks.
//
// start(): INVALID_ARGUMENT for a malformed address or option, UNAVAILABLE if it cannot listen.
//
// stop() waits for a call of `receive` in another thread, so hold no lock that `receive` takes; it
// may be called from inside `receive`. With an executor of the application's it waits for nothing
// else, and the context may end afterwards. Dialling a name lets asio start a thread in the context
// that resolves it; numeric addresses need none.
DYNAMO_EXPORT std::unique_ptr<Transport> tcp_transport(TcpOptions options);

}  // namespace dynamo
