#include "base/coding.h"

namespace dynamo::core {

std::uint64_t Decoder::long_varint() {
  std::uint64_t value = 0;
  int shift = 0;
  for (std::size_t i = 0; i < in_.size() && shift < 64; ++i, shift += 7) {
    const auto byte = static_cast<unsigned char>(in_[i]);
    // The tenth byte holds one bit; a last byte of zero would be a second form of a shorter varint.
    if ((shift == 63 && byte > 1) || (shift > 0 && byte == 0)) break;
    value |= std::uint64_t{byte & 0x7fU} << shift;
    if (byte >= 0x80) continue;
    in_.remove_prefix(i + 1);
    return value;
  }
  fail();
  return 0;
}

}  // namespace dynamo::core
