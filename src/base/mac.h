#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string_view>

namespace dynamo::core {

// HMAC-SHA256, of which the first 128 bits are kept (RFC 2104, section 5).
using Mac = std::array<char, 16>;

// Whether this library was built with libcrypto. Without it nothing has a MAC.
bool has_mac();

// Nullopt without libcrypto, or if libcrypto refuses (a short secret under FIPS rules).
std::optional<Mac> make_mac(std::string_view secret, std::string_view bytes);

// Takes as long for a wrong MAC as for the right one, so that nobody finds it byte by byte.
bool same_mac(const Mac& a, const Mac& b);

}  // namespace dynamo::core
