#pragma once

#include <string>
#include <string_view>

#include <absl/functional/any_invocable.h>
#include <absl/status/statusor.h>
#include <dynamo/export.h>

namespace dynamo {

// Packets of one lane never wait for packets of the other: `bulk` carries transfers, `request` all
// else (trap I5).
enum class Lane { request, bulk };

// Carries packets between nodes, best effort: a packet may be lost, repeated or overtaken, but
// arrives whole or not at all.
//
// Addresses are strings that only the transport understands ("host:port" for TCP). A packet is
// opaque: it carries its own checksum and sender, so a transport needs no handshake.
//
// Thread safety: send() from any thread, several at once, also from within `receive`, and before
// start() and after stop(), when it drops the packet. start() and stop() one at a time; after
// stop() returns, `receive` is neither called again nor still running, but for a call that stop()
// is made from.
class DYNAMO_EXPORT Transport {
 public:
  // Takes one packet. `peer` is the name that the transport has authenticated, "" if it
  // authenticates nobody. Called from any thread, several at once; returns quickly.
  using Receiver = absl::AnyInvocable<void(std::string packet, std::string_view peer)>;

  virtual ~Transport() = default;

  // Begins to listen and returns the address that peers can reach. An address in use or malformed
  // is an error that names it. `receive` may be called before start() returns.
  virtual absl::StatusOr<std::string> start(Receiver receive) = 0;

  // Hands one packet over for `address`. Never blocks and never fails: what cannot be sent, or
  // exceeds the bounds of the queue to that peer, is dropped.
  virtual void send(std::string_view address, Lane lane, std::string packet) = 0;

  // The node at `address` has been heard of again, after a silence or a restart: whoever waits
  // before it dials that address again need not wait any longer. As send(), and may do nothing.
  virtual void redial(std::string_view address) { static_cast<void>(address); }

  // Closes everything; packets in flight may be lost. Idempotent, and harmless without a start().
  virtual void stop() = 0;
};

}  // namespace dynamo
