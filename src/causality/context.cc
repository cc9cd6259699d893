#include <dynamo/context.h>

#include <algorithm>
#include <optional>
#include <tuple>
#include <utility>

#include <absl/strings/escaping.h>
#include <fmt/format.h>

#include "base/block_pool.h"
#include "base/coding.h"
#include "base/hash.h"
#include "causality/context_body.h"

// Layout before the URL-safe base 64: format version, binding, latest clock, history, in format 2
// a MAC of all that, then 32 bits of checksum. The checksum finds damage before anybody knows the
// secret.
namespace dynamo {

namespace {

constexpr std::uint8_t plain_format = 1;
constexpr std::uint8_t sealed_format = 2;
constexpr std::size_t checksum_bytes = 4;
// 512 entries of a history take below 20 KiB.
constexpr std::size_t text_bytes_max = std::size_t{256} << 10;

std::uint32_t short_checksum(std::string_view bytes) {
  return static_cast<std::uint32_t>(core::checksum(bytes));
}

absl::Status damaged(std::string_view why) {
  return absl::InvalidArgumentError(
      fmt::format("context: {}; pass the text that Context::encode() gave", why));
}

// The MAC that encode() adds, if it adds one.
std::optional<core::Mac> mac_of(const core::ContextBody& body) {
  if (body.seal == nullptr) return body.mac;
  const core::ContextSeal& seal = *body.seal;
  // Without libcrypto nobody has secrets. Should it fail, the context is refused by whoever gets
  // it, and forges nothing.
  return core::seal_mac(seal.secrets->current, seal.owner, core::context_content(body))
      .value_or(core::Mac{});
}

}  // namespace

Context::Context() = default;

std::string Context::encode() const {
  if (body_ == nullptr) return {};
  std::string bytes = core::context_content(*body_);
  if (const std::optional<core::Mac> mac = mac_of(*body_)) bytes.append(mac->data(), mac->size());
  core::Encoder(bytes).fixed32(short_checksum(bytes));
  return absl::WebSafeBase64Escape({bytes.data(), bytes.size()});
}

absl::StatusOr<Context> Context::decode(std::string_view text) {
  if (text.empty()) return Context();
  if (text.size() > text_bytes_max) {
    return damaged(fmt::format("{} bytes of text, the limit is {}", text.size(), text_bytes_max));
  }
  std::string bytes;
  if (!absl::WebSafeBase64Unescape({text.data(), text.size()}, &bytes))
    return damaged("not URL-safe base 64");
  // Base 64 leaves bits unused, and decoders skip spaces: one context has one text.
  if (absl::WebSafeBase64Escape({bytes.data(), bytes.size()}) != text) return damaged("altered");
  if (bytes.size() <= checksum_bytes) return damaged("truncated");
  const std::string_view content = std::string_view(bytes).substr(0, bytes.size() - checksum_bytes);
  core::Decoder tail(std::string_view(bytes).substr(content.size()));
  if (tail.fixed32() != short_checksum(content)) return damaged("truncated or altered (checksum)");

  core::Decoder in(content);
  const std::uint8_t version = in.fixed8();
  if (version != plain_format && version != sealed_format) {
    return damaged(fmt::format("format {}, this library reads formats {} and {}", version,
                               plain_format, sealed_format));
  }
  core::ContextBody body;
  body.decoded = true;
  body.binding.cluster = in.fixed32();
  body.binding.store = in.fixed32();
  body.binding.key = in.fixed64();
  body.latest.value = in.fixed64();
  body.history = core::History::decode(in);
  if (version == sealed_format) {
    const std::string_view mac = in.raw(std::tuple_size_v<core::Mac>);
    std::ranges::copy(mac, body.mac.emplace().begin());
  }
  if (!in.done()) return damaged("malformed");
  return core::make_context(std::move(body));
}

const VectorClock& Context::clock() const {
  static const VectorClock none;
  return body_ == nullptr ? none : body_->history.clock();
}

bool operator==(const Context& a, const Context& b) {
  if (a.body_ == b.body_) return true;
  if (a.body_ == nullptr || b.body_ == nullptr || !(*a.body_ == *b.body_)) return false;
  // Equal contexts give equal text, and so have the same MAC.
  return mac_of(*a.body_) == mac_of(*b.body_);
}

namespace core {

std::uint32_t bind_store(const Identity& cluster, std::string_view store) {
  return static_cast<std::uint32_t>(hash64(store, cluster.high));
}

ContextBinding bind_context(const Identity& cluster, std::uint32_t store, std::string_view key) {
  return {.cluster = static_cast<std::uint32_t>(cluster.high ^ cluster.low),
          .store = store,
          .key = hash64(key, cluster.low)};
}

ContextBinding bind_context(const Identity& cluster, std::string_view store, std::string_view key) {
  return bind_context(cluster, bind_store(cluster, store), key);
}

std::string context_content(const ContextBody& body) {
  std::string bytes;
  Encoder out(bytes);
  out.fixed8(body.seal != nullptr || body.mac ? sealed_format : plain_format);
  out.fixed32(body.binding.cluster);
  out.fixed32(body.binding.store);
  out.fixed64(body.binding.key);
  out.fixed64(body.latest.value);
  body.history.encode(out);
  return bytes;
}

Context make_context(ContextBody body) {
  return Context(
      std::allocate_shared<const ContextBody>(PoolAllocator<ContextBody>(), std::move(body)));
}

absl::Status check_binding(const Context& context, const ContextBinding& expected,
                           std::string_view store, std::string_view key) {
  if (context.empty() || context.body()->binding == expected) return absl::OkStatus();
  const ContextBinding& actual = context.body()->binding;
  const std::string_view what = actual.cluster != expected.cluster ? "cluster"
                                : actual.store != expected.store   ? "store"
                                                                   : "key";
  return absl::InvalidArgumentError(
      fmt::format("context: belongs to another {}, not to key \"{}\" of store \"{}\"", what,
                  absl::Utf8SafeCEscape(std::string(key.substr(0, 64))), store));
}

}  // namespace core

}  // namespace dynamo
