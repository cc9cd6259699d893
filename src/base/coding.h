#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

// How numbers and strings become bytes, on the wire and on disk: little-endian fixed-width
// integers, LEB128 varints, and byte strings behind their length. Everything that is encoded is
// encoded in one way only, so equal values give equal bytes.
namespace dynamo::core {

// Appends to a string.
//
// Thread safety: one thread at a time.
class Encoder {
 public:
  explicit Encoder(std::string& out) : out_(out) {}

  void fixed8(std::uint8_t value) { out_.push_back(static_cast<char>(value)); }
  void fixed32(std::uint32_t value);
  void fixed64(std::uint64_t value);
  void varint(std::uint64_t value);
  void bytes(std::string_view value);  // its length as a varint, then itself
  void raw(std::string_view value) { out_.append(value); }

 private:
  std::string& out_;
};

// Reads what an Encoder wrote. A read past the end, or of a form that no Encoder writes, returns
// zero or empty and makes ok() false for good, so that callers check once at the end. Never reads
// or allocates beyond the input.
//
// Thread safety: one thread at a time.
class Decoder {
 public:
  explicit Decoder(std::string_view in) : in_(in) {}

  std::uint8_t fixed8();
  std::uint32_t fixed32();
  std::uint64_t fixed64();
  std::uint64_t varint();
  // A varint of at most `max`.
  std::uint64_t varint_up_to(std::uint64_t max);
  // A view into the input of at most `max` bytes.
  std::string_view bytes(std::uint64_t max);
  std::string_view raw(std::uint64_t size);
  // A count of things that take `each_min` bytes at least: more than can still follow is refused,
  // so that callers may reserve memory for it.
  std::uint64_t count(std::uint64_t max, std::uint64_t each_min);

  bool ok() const { return ok_; }
  bool at_end() const { return in_.empty(); }
  bool done() const { return ok_ && in_.empty(); }
  std::size_t remaining() const { return in_.size(); }
  void fail() {
    ok_ = false;
    in_ = {};
  }

 private:
  template <int width>
  std::uint64_t little_endian();

  std::string_view in_;
  bool ok_ = true;
};

}  // namespace dynamo::core
