#include "ring/rendezvous.h"

#include <algorithm>
#include <array>
#include <bit>
#include <compare>
#include <string>

#include "base/check.h"
#include "base/coding.h"
#include "base/hash.h"

namespace dynamo::core {
namespace {

constexpr int table_bits = 10;
constexpr int fraction_bits = 32;

// The logarithm of 1 + i / 2^table_bits in units of 2^-fraction_bits, a bit at a time: squaring a
// number doubles its logarithm, so the square's reaching 2 is the next bit of the logarithm.
constexpr std::uint64_t log2_of_step(std::uint64_t i) {
  if (i >> table_bits != 0) return std::uint64_t{1} << fraction_bits;
  constexpr std::uint64_t one = std::uint64_t{1} << 31;
  std::uint64_t mantissa = one + (i << (31 - table_bits));
  std::uint64_t log = 0;
  for (int bit = 0; bit < fraction_bits; ++bit) {
    mantissa = (mantissa * mantissa) >> 31;
    log <<= 1;
    if (mantissa >= 2 * one) {
      mantissa >>= 1;
      log |= 1;
    }
  }
  return log;
}

constexpr auto log2_steps = [] {
  std::array<std::uint64_t, (1 << table_bits) + 1> steps{};
  for (std::size_t i = 0; i < steps.size(); ++i) steps[i] = log2_of_step(i);
  return steps;
}();

// log2(value) in units of 2^-32, a straight line between the steps of the table.
std::uint64_t log2_fraction(std::uint64_t value) {
  const int exponent = static_cast<int>(std::bit_width(value)) - 1;
  const std::uint64_t mantissa = (value << (63 - exponent)) << 1;  // without the leading 1
  const std::uint64_t step = mantissa >> (64 - table_bits);
  const std::uint64_t between = (mantissa << table_bits) >> 32;
  const std::uint64_t low = log2_steps[step];
  const std::uint64_t high = log2_steps[step + 1];
  return (static_cast<std::uint64_t>(exponent) << fraction_bits) + low +
         (((high - low) * between) >> 32);
}

struct Ticket {
  std::uint64_t hash;
  std::uint32_t partition;
  auto operator<=>(const Ticket&) const = default;
};

// Hashes are spread evenly, so about one is in each of as many ranges.
std::vector<Ticket> sorted(const std::vector<Ticket>& tickets) {
  const auto bits = static_cast<int>(std::bit_width(tickets.size()));
  const auto range = [&](const Ticket& ticket) { return ticket.hash >> (64 - bits); };
  std::vector<std::uint32_t> ends((std::size_t{1} << bits) + 1);
  for (const Ticket& ticket : tickets) ++ends[range(ticket) + 1];
  for (std::size_t i = 1; i < ends.size(); ++i) ends[i] += ends[i - 1];
  std::vector<Ticket> sorted(tickets.size());
  for (const Ticket& ticket : tickets) sorted[ends[range(ticket)]++] = ticket;
  auto first = sorted.begin();
  for (std::size_t i = 0; i + 1 < ends.size(); ++i) {
    const auto last = sorted.begin() + ends[i];
    if (last - first > 1) std::sort(first, last);
    first = last;
  }
  return sorted;
}

}  // namespace

std::int32_t fixed_log2(std::uint64_t value) {
  DYNAMO_CHECK(value != 0);
  return static_cast<std::int32_t>(log2_fraction(value) >> (fraction_bits - score_bits));
}

std::vector<std::int32_t> draws(std::string_view member, int partitions) {
  const std::uint64_t seed = hash64(member, 0x72696e67);
  const auto count = static_cast<std::uint32_t>(partitions);
  std::vector<Ticket> tickets;
  tickets.reserve(count);
  for (std::uint32_t partition = 0; partition < count; ++partition) {
    std::string bytes;
    Encoder(bytes).fixed32(partition);
    tickets.push_back({hash64(bytes, seed), partition});
  }
  tickets = sorted(tickets);

  // u = (rank + a fraction) / count; the fraction keeps two members' draws from being equal. With
  // the lowest bit set neither u nor -log2(u) is ever 0, which has no logarithm.
  const std::uint64_t log_count = log2_fraction(std::uint64_t{count} << 32);
  std::vector<std::int32_t> scores(count);
  for (std::uint64_t rank = 0; rank < count; ++rank) {
    const std::uint64_t place = (rank << 32) | (tickets[rank].hash & 0xffffffff) | 1;
    const std::uint64_t minus_log = (log_count - log2_fraction(place)) | 1;
    scores[tickets[rank].partition] = fraction_bits * score_unit - fixed_log2(minus_log);
  }
  return scores;
}

}  // namespace dynamo::core
