#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

// How numbers and strings become bytes, on the wire and on disk: little-endian fixed-width
// integers, LEB128 varints, and byte strings behind their length. Everything that is encoded is
// encoded in one way only, so equal values give equal bytes.
//
// Defined here, because a message is dozens of such fields, and a call for each costs more than the
// field.
namespace dynamo::core {

// Eight bytes, the first the most significant: as numbers they have the order of the bytes.
inline std::uint64_t big_endian(const char* bytes) {
  std::uint64_t value = 0;
  std::memcpy(&value, bytes, sizeof(value));
  return std::endian::native == std::endian::little ? __builtin_bswap64(value) : value;
}

// Appends to a string.
//
// Thread safety: one thread at a time.
class Encoder {
 public:
  explicit Encoder(std::string& out) : out_(out) {}

  void fixed8(std::uint8_t value) { out_.push_back(static_cast<char>(value)); }
  void fixed32(std::uint32_t value) { little_endian<4>(value); }
  void fixed64(std::uint64_t value) { little_endian<8>(value); }
  void varint(std::uint64_t value) {
    if (value < 0x80) return out_.push_back(static_cast<char>(value));
    std::array<char, 10> bytes;
    std::size_t size = 0;
    for (; value >= 0x80; value >>= 7) bytes[size++] = static_cast<char>(value | 0x80);
    bytes[size++] = static_cast<char>(value);
    out_.append(bytes.data(), size);
  }
  // Its length as a varint, then itself.
  void bytes(std::string_view value) {
    varint(value.size());
    out_.append(value);
  }
  void raw(std::string_view value) { out_.append(value); }

 private:
  // One move where the machine is little-endian itself; compilers do not see that by themselves.
  template <int width>
  void little_endian(std::uint64_t value) {
    std::array<char, width> bytes;
    if constexpr (std::endian::native == std::endian::little) {
      std::memcpy(bytes.data(), &value, width);
    } else {
      for (int i = 0; i < width; ++i) {
        bytes[static_cast<std::size_t>(i)] = static_cast<char>(value >> (8 * i));
      }
    }
    out_.append(bytes.data(), bytes.size());
  }

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

  std::uint8_t fixed8() { return static_cast<std::uint8_t>(little_endian<1>()); }
  std::uint32_t fixed32() { return static_cast<std::uint32_t>(little_endian<4>()); }
  std::uint64_t fixed64() { return little_endian<8>(); }
  std::uint64_t varint() {
    // As most often.
    if (!in_.empty() && static_cast<unsigned char>(in_.front()) < 0x80) {
      const auto byte = static_cast<unsigned char>(in_.front());
      in_.remove_prefix(1);
      return byte;
    }
    return long_varint();
  }
  // A varint of at most `max`.
  std::uint64_t varint_up_to(std::uint64_t max) {
    const std::uint64_t value = varint();
    if (value <= max) return value;
    fail();
    return 0;
  }
  // A view into the input of at most `max` bytes.
  std::string_view bytes(std::uint64_t max) { return raw(varint_up_to(max)); }
  std::string_view raw(std::uint64_t size) {
    if (size > in_.size()) {
      fail();
      return {};
    }
    const std::string_view value = in_.substr(0, size);
    in_.remove_prefix(size);
    return value;
  }
  // A count of things that take `each_min` bytes at least: more than can still follow is refused,
  // so that callers may reserve memory for it.
  std::uint64_t count(std::uint64_t max, std::uint64_t each_min) {
    const std::uint64_t value = varint_up_to(max);
    // Dividing, because a product of two numbers from outside may wrap.
    if (value == 0 || each_min == 0 || value <= in_.size() / each_min) return value;
    fail();
    return 0;
  }

  bool ok() const { return ok_; }
  bool at_end() const { return in_.empty(); }
  bool done() const { return ok_ && in_.empty(); }
  std::size_t remaining() const { return in_.size(); }
  std::string_view unread() const { return in_; }
  void fail() {
    ok_ = false;
    in_ = {};
  }

 private:
  template <int width>
  std::uint64_t little_endian() {
    if (in_.size() < width) {
      fail();
      return 0;
    }
    std::uint64_t value = 0;
    if constexpr (std::endian::native == std::endian::little) {
      std::memcpy(&value, in_.data(), width);
    } else {
      for (int i = 0; i < width; ++i) {
        const char byte = in_[static_cast<std::size_t>(i)];
        value |= std::uint64_t{static_cast<unsigned char>(byte)} << (8 * i);
      }
    }
    in_.remove_prefix(width);
    return value;
  }
  std::uint64_t long_varint();

  std::string_view in_;
  bool ok_ = true;
};

}  // namespace dynamo::core
