#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/coding.h"
#include "causality/version_set.h"

namespace dynamo::core {

// A version set as it stands in records and messages. There is one encoding of each set, so that
// equal sets are equal bytes, and replicas that agree are found to agree without decoding what they
// have sent.
//
// Made from a set it owns its bytes, and so does every copy; in_place() is a view of bytes that
// live elsewhere.
//
// Thread safety: a value.
class EncodedSet {
 public:
  EncodedSet() = default;              // of the empty set
  EncodedSet(const VersionSet& set) {  // NOLINT: the same in other words
    Encoder out(own_);
    set.encode(out);
  }
  EncodedSet(const EncodedSet& other) : own_(other.bytes()) {}
  EncodedSet(EncodedSet&&) = default;
  EncodedSet& operator=(const EncodedSet& other) {
    if (this != &other) own_ = other.bytes();
    return *this;
  }
  EncodedSet& operator=(EncodedSet&&) = default;
  ~EncodedSet() = default;
  static EncodedSet in_place(std::string_view bytes) {
    EncodedSet set;
    set.view_ = bytes;
    return set;
  }
  // Of what stands next in `in`, checked as VersionSet::decode() does. Fails `in` if it is no set.
  static EncodedSet read_in_place(Decoder& in) {
    const std::string_view unread = in.unread();
    VersionSet::check(in);
    return in.ok() ? in_place(unread.substr(0, unread.size() - in.remaining())) : EncodedSet();
  }

  std::string_view bytes() const { return own_.empty() ? view_ : std::string_view(own_); }
  // REQUIRES: the bytes are those of a set; so for the next two.
  VersionSet decode() const {
    Decoder in(bytes());
    return VersionSet::decode(in);
  }
  bool empty() const { return bytes() == empty_bytes; }
  std::uint64_t version_count() const {
    Decoder in(bytes());
    History::skip(in);
    return in.varint();
  }
  bool has_versions() const { return version_count() > 0; }

  friend bool operator==(const EncodedSet& a, const EncodedSet& b) {
    return a.bytes() == b.bytes();
  }

 private:
  static constexpr std::string_view empty_bytes{"\0\0\0", 3};

  std::string own_;
  std::string_view view_ = empty_bytes;
};

}  // namespace dynamo::core
