#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include <absl/status/statusor.h>
#include <dynamo/export.h>
#include <dynamo/vector_clock.h>

namespace dynamo {

namespace core {
struct ContextBody;
}

// What a reader has seen of one key of one store (paper, 4.1). Opaque.
//
// get() returns it, the next put() takes it: the put then replaces exactly the versions that the
// get returned, deletes included, and nothing else. Losing a context loses no data: a put without
// one replaces nothing and leaves siblings. A context is bound to its cluster, store and key; put()
// refuses it elsewhere with INVALID_ARGUMENT.
//
// A context may leave the process as text, in a cookie or a form field. It carries a checksum, so
// damage is found. From a node with NodeOptions::context_secret it also carries a MAC, made by
// encode() and checked by the first call that uses a decoded context, so forgery is found too.
// Without that, do not send contexts to anyone whom you would not let overwrite the key.
//
// Thread safety: a value; the shared part is immutable.
class DYNAMO_EXPORT Context {
 public:
  // Has seen nothing. Fits any key of any store; encodes as "".
  Context();

  // True only for Context(). A context from get() or put() is bound to its key and never empty.
  bool empty() const { return body_ == nullptr; }

  // URL-safe text without padding ([A-Za-z0-9_-]). Canonical: equal contexts give equal text.
  std::string encode() const;

  // The inverse of encode(). INVALID_ARGUMENT if the text is truncated, altered or from a later
  // format. Whether it belongs to the key is checked by the put that uses it.
  static absl::StatusOr<Context> decode(std::string_view text);

  // For display: the contiguous part of what was seen.
  const VectorClock& clock() const;

  DYNAMO_EXPORT friend bool operator==(const Context& a, const Context& b);

  // For the library itself.
  explicit Context(std::shared_ptr<const core::ContextBody> body) : body_(std::move(body)) {}
  const core::ContextBody* body() const { return body_.get(); }

 private:
  // Shared because contexts are copied with every result and never change.
  std::shared_ptr<const core::ContextBody> body_;
};

}  // namespace dynamo
