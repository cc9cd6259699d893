#pragma once

#include <functional>
#include <string>
#include <vector>

#include <asio/any_io_executor.hpp>

namespace dynamo::transport {

// Finds all addresses of a "host:port": `found` is called with "number:port" each, on any thread,
// possibly before this returns; with none if the name is not known. Of a name that has addresses of
// both families those of the older one are meant: it is the same nodes that listen there.
using Lookup = std::function<void(const std::string& address,
                                  std::function<void(std::vector<std::string>)> found)>;

// Numbers are given back at once; names are looked up by `executor`'s context, which starts a
// thread for that.
Lookup lookup_on(asio::any_io_executor executor);

}  // namespace dynamo::transport
