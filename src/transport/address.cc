#include "transport/address.h"

#include <charconv>
#include <system_error>

#include <fmt/format.h>
#include <asio/ip/address.hpp>

namespace dynamo::transport {
namespace {

// The longest name that DNS knows.
constexpr std::size_t host_bytes_max = 253;

absl::Status malformed(std::string_view text, std::string_view why) {
  constexpr std::size_t shown_max = 300;  // what follows is hardly an address anyway
  return absl::InvalidArgumentError(
      fmt::format("address \"{}\": {}", text.substr(0, shown_max), why));
}

bool is_graphic(char c) { return c > ' ' && c < 0x7f; }

}  // namespace

std::string Address::to_string() const {
  const bool is_v6 = host.find(':') != std::string::npos;
  return is_v6 ? fmt::format("[{}]:{}", host, port) : fmt::format("{}:{}", host, port);
}

absl::StatusOr<Address> parse_address(std::string_view text) {
  if (text.empty()) return malformed(text, "is empty; expected \"host:port\"");
  for (const char c : text) {
    if (!is_graphic(c)) return malformed(text, "has a character that no address has");
  }
  std::string_view host;
  std::string_view port;
  if (text.front() == '[') {
    const auto bracket = text.find(']');
    if (bracket == std::string_view::npos) return malformed(text, "lacks the closing bracket");
    host = text.substr(1, bracket - 1);
    if (host.find(':') == std::string_view::npos) {
      return malformed(text, "has something other than an IPv6 address in brackets");
    }
    const std::string_view rest = text.substr(bracket + 1);
    if (rest.empty() || rest.front() != ':') return malformed(text, "has no \":port\" at its end");
    port = rest.substr(1);
  } else {
    const auto colon = text.rfind(':');
    if (colon == std::string_view::npos) return malformed(text, "has no \":port\" at its end");
    host = text.substr(0, colon);
    port = text.substr(colon + 1);
    if (host.find(':') != std::string_view::npos) {
      return malformed(text, "has an IPv6 address without brackets; expected \"[v6]:port\"");
    }
  }
  if (host.empty()) return malformed(text, "has no host");
  if (host.size() > host_bytes_max) return malformed(text, "has a host longer than 253 bytes");
  std::uint16_t number = 0;
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), number);
  if (error != std::errc{} || end != port.data() + port.size()) {
    return malformed(text, "has a port that is not a number from 0 to 65535");
  }
  return Address{.host = std::string(host), .port = number};
}

bool is_loopback(std::string_view address) {
  const absl::StatusOr<Address> parsed = parse_address(address);
  if (!parsed.ok()) return false;
  if (parsed->host == "localhost") return true;
  asio::error_code not_numeric;
  const asio::ip::address number = asio::ip::make_address(parsed->host, not_numeric);
  return !not_numeric && number.is_loopback();
}

}  // namespace dynamo::transport
