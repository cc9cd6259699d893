#include "transport/lookup.h"

#include <algorithm>
#include <memory>
#include <utility>

#include <asio/ip/tcp.hpp>

#include "transport/address.h"

namespace dynamo::transport {
namespace {

std::vector<std::string> of_one_family(const asio::ip::tcp::resolver::results_type& results) {
  const bool old = std::ranges::any_of(
      results, [](const auto& result) { return result.endpoint().address().is_v4(); });
  std::vector<std::string> addresses;
  for (const auto& result : results) {
    const asio::ip::tcp::endpoint endpoint = result.endpoint();
    if (old && !endpoint.address().is_v4()) continue;
    addresses.push_back(Address{endpoint.address().to_string(), endpoint.port()}.to_string());
  }
  return addresses;
}

}  // namespace

Lookup lookup_on(asio::any_io_executor executor) {
  return [executor = std::move(executor)](const std::string& text,
                                          std::function<void(std::vector<std::string>)> found) {
    const absl::StatusOr<Address> address = parse_address(text);
    if (!address.ok()) return found({});
    asio::error_code not_numeric;
    asio::ip::make_address(address->host, not_numeric);
    if (!not_numeric) return found({address->to_string()});
    auto resolver = std::make_shared<asio::ip::tcp::resolver>(executor);
    resolver->async_resolve(
        address->host, std::to_string(address->port),
        [resolver, found = std::move(found)](const asio::error_code& error,
                                             const asio::ip::tcp::resolver::results_type& results) {
          found(error ? std::vector<std::string>() : of_one_family(results));
        });
  };
}

}  // namespace dynamo::transport
