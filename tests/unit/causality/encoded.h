#pragma once

#include <string>
#include <string_view>

#include "base/coding.h"

namespace test {

template <class T>
std::string encoded(const T& value) {
  std::string bytes;
  dynamo::core::Encoder out(bytes);
  value.encode(out);
  return bytes;
}

template <class T>
struct Decoded {
  T value{};
  bool done = false;  // well-formed, and nothing left over
};

template <class T>
Decoded<T> decoded(std::string_view bytes) {
  dynamo::core::Decoder in(bytes);
  Decoded<T> result;
  result.value = T::decode(in);
  result.done = in.done();
  return result;
}

inline std::string hex(std::string_view bytes) {
  static constexpr char digits[] = "0123456789abcdef";
  std::string text;
  for (const char c : bytes) {
    text += digits[static_cast<unsigned char>(c) >> 4];
    text += digits[static_cast<unsigned char>(c) & 15];
  }
  return text;
}

// Empty, or what is wrong with a codec at this value: it must come back equal, every truncation
// must fail, and of bytes with one byte changed every decoder must say no or give what encodes to
// them.
template <class T>
std::string codec_fault(const T& value) {
  const std::string bytes = encoded(value);
  const Decoded<T> back = decoded<T>(bytes);
  if (!back.done || back.value != value) return "does not come back: " + hex(bytes);
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    if (decoded<T>(std::string(bytes, 0, size)).done) {
      return "accepted when cut to " + std::to_string(size) + " bytes: " + hex(bytes);
    }
  }
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    for (int change = 1; change < 256; ++change) {
      std::string mutated = bytes;
      mutated[at] = static_cast<char>(static_cast<unsigned char>(mutated[at]) ^ change);
      const Decoded<T> other = decoded<T>(mutated);
      if (other.done && encoded(other.value) != mutated) {
        return "two forms of one value: " + hex(mutated) + " and " + hex(encoded(other.value));
      }
    }
  }
  return {};
}

}  // namespace test
