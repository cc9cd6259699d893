#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <absl/status/statusor.h>

namespace dynamo::transport {

// "host:port" or "[v6]:port", taken apart. The host is a name or a numeric address, without
// brackets.
//
// Thread safety: a value.
struct Address {
  std::string host{};
  std::uint16_t port = 0;

  // As parse_address() takes it.
  std::string to_string() const;
  friend bool operator==(const Address&, const Address&) = default;
};

// INVALID_ARGUMENT quotes `text` and says what is wrong with it. Resolves nothing.
absl::StatusOr<Address> parse_address(std::string_view text);

// Whether only this machine can reach the address: "localhost" or a loopback number. False for
// other names, and for what is no address.
bool is_loopback(std::string_view address);

}  // namespace dynamo::transport
