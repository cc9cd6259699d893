#include <dynamo/context.h>

#include <utility>

#include <absl/strings/escaping.h>
#include <fmt/format.h>

#include "base/coding.h"
#include "base/hash.h"
#include "causality/context_body.h"

// Layout before the URL-safe base 64: format version, binding, latest clock, history, then 32 bits
// of checksum.
namespace dynamo {

namespace {

constexpr std::uint8_t format_version = 1;
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

}  // namespace

Context::Context() = default;

std::string Context::encode() const {
  if (body_ == nullptr) return {};
  std::string bytes;
  core::Encoder out(bytes);
  out.fixed8(format_version);
  out.fixed32(body_->binding.cluster);
  out.fixed32(body_->binding.store);
  out.fixed64(body_->binding.key);
  out.fixed64(body_->latest.value);
  body_->history.encode(out);
  out.fixed32(short_checksum(bytes));
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
  if (version != format_version) {
    return damaged(fmt::format("format {}, this library reads format {}", version, format_version));
  }
  core::ContextBody body;
  body.binding.cluster = in.fixed32();
  body.binding.store = in.fixed32();
  body.binding.key = in.fixed64();
  body.latest.value = in.fixed64();
  body.history = core::History::decode(in);
  if (!in.done()) return damaged("malformed");
  return core::make_context(std::move(body));
}

const VectorClock& Context::clock() const {
  static const VectorClock none;
  return body_ == nullptr ? none : body_->history.clock();
}

bool operator==(const Context& a, const Context& b) {
  if (a.body_ == b.body_) return true;
  return a.body_ != nullptr && b.body_ != nullptr && *a.body_ == *b.body_;
}

namespace core {

ContextBinding bind_context(const Identity& cluster, std::string_view store, std::string_view key) {
  return {.cluster = static_cast<std::uint32_t>(cluster.high ^ cluster.low),
          .store = static_cast<std::uint32_t>(hash64(store, cluster.high)),
          .key = hash64(key, cluster.low)};
}

Context make_context(ContextBody body) {
  return Context(std::make_shared<const ContextBody>(std::move(body)));
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
