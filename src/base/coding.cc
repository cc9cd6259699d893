#include "base/coding.h"

#include <array>
#include <bit>
#include <cstring>

namespace dynamo::core {

namespace {

// One move where the machine is little-endian itself; compilers do not see that by themselves.
template <int width>
void append_little_endian(std::string& out, std::uint64_t value) {
  std::array<char, width> bytes;
  if constexpr (std::endian::native == std::endian::little) {
    std::memcpy(bytes.data(), &value, width);
  } else {
    for (int i = 0; i < width; ++i) {
      bytes[static_cast<std::size_t>(i)] = static_cast<char>(value >> (8 * i));
    }
  }
  out.append(bytes.data(), bytes.size());
}

}  // namespace

void Encoder::fixed32(std::uint32_t value) { append_little_endian<4>(out_, value); }

void Encoder::fixed64(std::uint64_t value) { append_little_endian<8>(out_, value); }

void Encoder::varint(std::uint64_t value) {
  std::array<char, 10> bytes;
  std::size_t size = 0;
  for (; value >= 0x80; value >>= 7) bytes[size++] = static_cast<char>(value | 0x80);
  bytes[size++] = static_cast<char>(value);
  out_.append(bytes.data(), size);
}

void Encoder::bytes(std::string_view value) {
  varint(value.size());
  out_.append(value);
}

template <int width>
std::uint64_t Decoder::little_endian() {
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

std::uint8_t Decoder::fixed8() { return static_cast<std::uint8_t>(little_endian<1>()); }

std::uint32_t Decoder::fixed32() { return static_cast<std::uint32_t>(little_endian<4>()); }

std::uint64_t Decoder::fixed64() { return little_endian<8>(); }

std::uint64_t Decoder::varint() {
  std::uint64_t value = 0;
  for (int shift = 0; shift < 64; shift += 7) {
    if (in_.empty()) break;
    const auto byte = static_cast<unsigned char>(in_.front());
    in_.remove_prefix(1);
    // The tenth byte holds one bit; a last byte of zero would be a second form of a shorter varint.
    if ((shift == 63 && byte > 1) || (shift > 0 && byte == 0)) break;
    value |= std::uint64_t{byte & 0x7fU} << shift;
    if (byte < 0x80) return value;
  }
  fail();
  return 0;
}

std::uint64_t Decoder::varint_up_to(std::uint64_t max) {
  const std::uint64_t value = varint();
  if (value <= max) return value;
  fail();
  return 0;
}

std::string_view Decoder::bytes(std::uint64_t max) { return raw(varint_up_to(max)); }

std::string_view Decoder::raw(std::uint64_t size) {
  if (size > in_.size()) {
    fail();
    return {};
  }
  const std::string_view value = in_.substr(0, size);
  in_.remove_prefix(size);
  return value;
}

std::uint64_t Decoder::count(std::uint64_t max, std::uint64_t each_min) {
  const std::uint64_t value = varint_up_to(max);
  // Dividing, because a product of two numbers from outside may wrap.
  if (each_min == 0 || value <= in_.size() / each_min) return value;
  fail();
  return 0;
}

}  // namespace dynamo::core
