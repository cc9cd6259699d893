#include "store/options.h"

#include <bit>
#include <chrono>
#include <cmath>

#include <dynamo/node.h>
#include <fmt/format.h>

#include "base/mac.h"
#include "coordinator/outcome.h"
#include "node/strand.h"
#include "wire/codec.h"

namespace dynamo {

namespace {

using std::chrono::milliseconds;

constexpr milliseconds timeout_max = std::chrono::hours(1);
constexpr std::chrono::seconds ttl_max = std::chrono::hours(24 * 365 * 100);
constexpr std::size_t buffer_bytes_min = std::size_t{1} << 20;
constexpr int siblings_limit = 64;
constexpr std::size_t secrets_accepted_max = 8;
constexpr std::size_t secret_bytes_max = 4096;
constexpr int threads_max = 32;
static_assert(threads_max <= core::Strand::strands_max);

template <class... Args>
absl::Status invalid(fmt::format_string<Args...> format, Args&&... args) {
  return absl::InvalidArgumentError(fmt::format(format, std::forward<Args>(args)...));
}

absl::Status check_name(std::string_view field, std::string_view name) {
  if (!name.empty() && name.size() <= core::name_bytes_max) return absl::OkStatus();
  return invalid("{}: {} bytes, the limit is 1 to {}", field, name.size(), core::name_bytes_max);
}

absl::Status check_secrets(const NodeOptions& options) {
  const std::vector<std::string>& accepted = options.context_secrets_accepted;
  if (accepted.size() > secrets_accepted_max) {
    return invalid("context_secrets_accepted: {} secrets, the limit is {}", accepted.size(),
                   secrets_accepted_max);
  }
  if (!accepted.empty() && options.context_secret.empty()) {
    return invalid("context_secrets_accepted: {} secrets, but context_secret is empty",
                   accepted.size());
  }
  std::vector<std::string_view> secrets(accepted.begin(), accepted.end());
  if (!options.context_secret.empty()) secrets.push_back(options.context_secret);
  for (const std::string_view secret : secrets) {
    const std::string_view field = secret.data() == options.context_secret.data()
                                       ? "context_secret"
                                       : "context_secrets_accepted";
    if (secret.empty() || secret.size() > secret_bytes_max) {
      return invalid("{}: a secret of {} bytes, the limit is 1 to {}", field, secret.size(),
                     secret_bytes_max);
    }
    if (!core::has_mac()) {
      return invalid("{}: given, but this library was built without libcrypto", field);
    }
    if (!core::make_mac(secret, "")) {
      return invalid("{}: libcrypto refuses a secret of {} bytes", field, secret.size());
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status NodeOptions::validate() const {
  if (absl::Status status = check_name("cluster", cluster); !status.ok()) return status;
  if (absl::Status status = check_name("name", name); !status.ok()) return status;
  for (const std::string& seed : seeds) {
    if (absl::Status status = check_name("seeds", seed); !status.ok()) return status;
  }
  if (zone.size() > core::name_bytes_max) {
    return invalid("zone: {} bytes, the limit is {}", zone.size(), core::name_bytes_max);
  }
  if (!std::isfinite(weight) || weight < 0)
    return invalid("weight: {}, the limit is 0 or more", weight);
  if (partitions < 8 || partitions > 65536 ||
      !std::has_single_bit(static_cast<unsigned>(partitions))) {
    return invalid("partitions: {}, the limit is a power of two from 8 to 65536", partitions);
  }
  if (threads < 1 || threads > threads_max) {
    return invalid("threads: {}, the limit is 1 to {}", threads, threads_max);
  }
  if (flush_interval < milliseconds(1) || flush_interval > timeout_max) {
    return invalid("flush_interval: {} ms, the limit is 1 to {} ms", flush_interval.count(),
                   timeout_max.count());
  }
  // hint_bytes_max: any number makes sense.
  if (buffer_bytes_max < buffer_bytes_min) {
    return invalid("buffer_bytes_max: {}, the limit is {} or more", buffer_bytes_max,
                   buffer_bytes_min);
  }
  if (requests_max < 1 || requests_max > (1 << 20)) {
    return invalid("requests_max: {}, the limit is 1 to {}", requests_max, 1 << 20);
  }
  return check_secrets(*this);
}

namespace host {

absl::Status check_store(std::string_view name, const StoreOptions& options) {
  if (absl::Status status = check_name("store name", name); !status.ok()) return status;
  const Quorum& quorum = options.quorum;
  if (quorum.n < 1 || quorum.n > core::n_max)
    return invalid("quorum.n: {}, the limit is 1 to {}", quorum.n, core::n_max);
  if (absl::Status status = check_quorum("quorum.r", quorum.r, quorum.n); !status.ok())
    return status;
  if (absl::Status status = check_quorum("quorum.w", quorum.w, quorum.n); !status.ok())
    return status;
  if (absl::Status status = check_timeout(options.timeout); !status.ok()) return status;
  if (absl::Status status = check_ttl(options.ttl); !status.ok()) return status;
  if (options.object_bytes_max > core::object_bytes_limit) {
    return invalid("object_bytes_max: {}, the limit is {}", options.object_bytes_max,
                   core::object_bytes_limit);
  }
  if (options.siblings_max < 1 || options.siblings_max > siblings_limit) {
    return invalid("siblings_max: {}, the limit is 1 to {}", options.siblings_max, siblings_limit);
  }
  return absl::OkStatus();
}

absl::Status check_key(std::string_view operation, std::string_view key) {
  if (key.empty())
    return invalid("{}: the key is empty, the limit is 1 to {} bytes", operation,
                   core::key_bytes_max);
  if (key.size() <= core::key_bytes_max) return absl::OkStatus();
  return invalid("{} {}: the key has {} bytes, the limit is 1 to {} bytes", operation,
                 core::quote(key), key.size(), core::key_bytes_max);
}

absl::Status check_object(std::string_view key, std::string_view object,
                          const StoreOptions& options) {
  if (object.size() <= options.object_bytes_max) return absl::OkStatus();
  return invalid("put {}: the object has {} bytes, object_bytes_max is {}", core::quote(key),
                 object.size(), options.object_bytes_max);
}

absl::Status check_quorum(std::string_view field, int value, int n) {
  if (value >= 1 && value <= n) return absl::OkStatus();
  return invalid("{}: {}, the limit is 1 to n={}", field, value, n);
}

absl::Status check_timeout(milliseconds timeout) {
  if (timeout >= milliseconds(1) && timeout <= timeout_max) return absl::OkStatus();
  return invalid("timeout: {} ms, the limit is 1 to {} ms", timeout.count(), timeout_max.count());
}

absl::Status check_ttl(const std::optional<std::chrono::seconds>& ttl) {
  if (!ttl || (ttl->count() >= 1 && *ttl <= ttl_max)) return absl::OkStatus();
  return invalid("ttl: {} s, the limit is 1 to {} s", ttl->count(), ttl_max.count());
}

}  // namespace host

}  // namespace dynamo
