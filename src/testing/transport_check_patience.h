#pragma once

#include <chrono>

#include <dynamo/testing/transport_check.h>

namespace dynamo::testing {

// As the public ones, with another limit for a call that does not return and for a packet that does
// not arrive.
absl::Status transport_check(MakeTransport make_transport, std::chrono::milliseconds patience);
absl::Status transport_address_check(MakeTransport make_transport, MakeTransportAt make_at,
                                     std::chrono::milliseconds patience);

}  // namespace dynamo::testing
