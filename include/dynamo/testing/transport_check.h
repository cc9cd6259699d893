#pragma once

#include <memory>
#include <string>

#include <absl/functional/function_ref.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <dynamo/transport.h>

// The contract of Transport as a program, for the author of a transport. Belongs to no test
// framework: OK means that the transport keeps the contract as far as was tried, any other status
// names the rule that was broken, with the values. A second or two.
//
// Best effort is taken at its word: what does not arrive is sent again, and only what never arrives
// is an error. That one lane does not wait for the other is not tried, nor how much a queue may
// hold.
namespace dynamo::testing {

// Makes a transport with an address of its own, not started. Up to three live at once and must
// reach each other.
using MakeTransport = absl::FunctionRef<absl::StatusOr<std::unique_ptr<Transport>>()>;
// Makes a transport that will listen at `address`, which an earlier one returned from start().
using MakeTransportAt =
    absl::FunctionRef<absl::StatusOr<std::unique_ptr<Transport>>(const std::string& address)>;

// Whole packets of up to 1 MiB on both lanes and from many threads, addresses that lead nowhere,
// peers that do not listen, calls back from `receive`, and the end.
//
// A call that does not return within ten seconds is an error; its transport and the thread in it
// are then left behind.
//
// Thread safety: any thread; runs threads of its own while it lasts.
absl::Status transport_check(MakeTransport make_transport);

// For transports whose address the application chooses: one that is in use is refused by name, and
// is free again after stop(), when peers reach whoever listens there now.
//
// Thread safety: any thread; runs threads of its own while it lasts.
absl::Status transport_address_check(MakeTransport make_transport, MakeTransportAt make_at);

}  // namespace dynamo::testing
