// Node::start(): options checked, parts completed, everything put together.

#include <utility>
#include <vector>

#include <dynamo/membership/gossip.h>
#include <dynamo/node.h>
#include <dynamo/storage/lmdb.h>
#include <dynamo/transport/tcp.h>
#include <fmt/format.h>

#include "host/host.h"
#include "runtime/asio_environment.h"
#include "transport/address.h"
#include "transport/lookup.h"
#include "transport/tcp_transport.h"

namespace dynamo {

namespace {

absl::Status required(std::string_view field, std::string_view why) {
  return absl::InvalidArgumentError(fmt::format("{}: empty, but required {}", field, why));
}

absl::Status check_parts(const NodeOptions& options, const Components& components) {
  if (components.executor && options.threads != 1) {
    return absl::InvalidArgumentError(
        fmt::format("threads: {}, the limit is 1 on an application's executor", options.threads));
  }
  if (components.storage == nullptr && options.data_dir.empty()) {
    return required("data_dir", "with the built-in LMDB engine");
  }
  if (components.transport != nullptr) return absl::OkStatus();
  for (const std::string& seed : options.seeds) {
    if (const auto address = transport::parse_address(seed); !address.ok()) {
      return absl::InvalidArgumentError("seeds: " + std::string(address.status().message()));
    }
  }
  if (options.listen.empty()) return required("listen", "with the built-in TCP transport");
  if (const auto listen = transport::parse_address(options.listen); !listen.ok()) {
    return absl::InvalidArgumentError("listen: " + std::string(listen.status().message()));
  }
  if (!options.allow_plaintext && !transport::is_loopback(options.listen)) {
    return absl::InvalidArgumentError(
        fmt::format("listen: \"{}\" is not a loopback address, and traffic is neither encrypted "
                    "nor authenticated; "
                    "allow_plaintext permits it",
                    options.listen));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Node> Node::start(NodeOptions options, Components components) {
  if (absl::Status status = options.validate(); !status.ok()) return status;
  if (absl::Status status = check_parts(options, components); !status.ok()) return status;

  host::Host::Parts parts;
  parts.storage = std::move(components.storage);
  if (parts.storage == nullptr) {
    absl::StatusOr<std::unique_ptr<StorageEngine>> engine =
        lmdb_storage({.path = options.data_dir});
    if (!engine.ok()) return engine.status();
    parts.storage = *std::move(engine);
  }
  auto environment =
      runtime::make_asio_environment(std::move(components.executor), options.threads);
  const std::vector<asio::any_io_executor> loops = environment->io_executors();
  parts.transport = std::move(components.transport);
  const bool built_in = parts.transport == nullptr;
  if (built_in) {
    parts.transport_is_own = true;
    parts.transport = std::make_unique<transport::TcpTransport>(
        TcpOptions{
            .listen = options.listen, .advertise = options.advertise, .executor = loops.front()},
        transport::TcpTiming(), std::vector(loops.begin() + 1, loops.end()));
  }
  parts.membership = std::move(components.membership);
  if (parts.membership == nullptr) {
    GossipOptions gossip{
        .cluster = options.cluster, .partitions = options.partitions, .seeds = options.seeds};
    // Another transport has addresses of its own kind.
    if (built_in) gossip.lookup = transport::lookup_on(loops.front());
    parts.membership = gossip_membership(std::move(gossip));
  }
  parts.environment = std::move(environment);
  parts.log = std::move(components.log);

  absl::StatusOr<std::shared_ptr<host::Host>> host =
      host::Host::start(std::move(options), std::move(parts));
  if (!host.ok()) return host.status();
  return Node(*std::move(host));
}

}  // namespace dynamo
