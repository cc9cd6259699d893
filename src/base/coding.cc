#include "base/coding.h"

namespace dynamo::core {

std::uint64_t Decoder::long_varint() {
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

}  // namespace dynamo::core
