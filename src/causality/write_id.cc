#include "causality/write_id.h"

#include <array>
#include <string_view>

#include "base/hash.h"

namespace dynamo::core {

namespace {

constexpr std::uint64_t tag_mask = 0xffff;

std::uint64_t tag_of(std::uint64_t time, std::uint64_t random) {
  const std::array<std::uint64_t, 2> parts = {time, random};
  std::array<char, 16> bytes{};
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    bytes[i] = static_cast<char>(parts[i / 8] >> (8 * (i % 8)));
  }
  return hash64(std::string_view(bytes.data(), bytes.size()), 0x7772697465206964) & tag_mask;
}

}  // namespace

WriteId make_write_id(HybridTime drawn_at, std::uint64_t random) {
  const std::uint64_t chance = random & ~tag_mask;
  return {drawn_at.value, chance | tag_of(drawn_at.value, chance)};
}

std::optional<HybridTime> drawn_at(const WriteId& id) {
  if ((id.low & tag_mask) != tag_of(id.high, id.low & ~tag_mask)) return std::nullopt;
  return HybridTime{id.high};
}

}  // namespace dynamo::core
