#include "node/strand_router.h"

#include <algorithm>

namespace dynamo::core {

int StrandRouter::of_message(const Message& message) const {
  return std::visit(
      [&]<class M>(const M& m) {
        if constexpr (is_request_of_key<M>) {
          return of_key(m.key);
        } else if constexpr (is_answer_in_strand<M>) {
          return of_number(m.operation);
        } else {
          return common();
        }
      },
      message);
}

std::vector<std::pair<int, PacketOpened>> StrandRouter::divide(PacketOpened opened) const {
  std::vector<std::pair<int, PacketOpened>> parts;
  std::vector<Message>& messages = opened.packet.messages;
  std::vector<int> strands;
  strands.reserve(messages.size());
  for (const Message& message : messages) strands.push_back(of_message(message));
  // What else is to be said of the packet as a whole, the common strand says.
  const bool whole = messages.empty() || opened.packet.unknown > 0;
  const bool one =
      std::ranges::all_of(strands, [&](int strand) { return strand == strands.front(); });
  if (whole || one) {
    const int strand = whole ? common() : strands.front();
    parts.emplace_back(strand, std::move(opened));
    return parts;
  }
  for (std::size_t i = 0; i < messages.size(); ++i) {
    auto part = std::ranges::find(parts, strands[i], [](const auto& entry) { return entry.first; });
    if (part == parts.end()) {
      PacketOpened begun{
          .packet = {.header = opened.packet.header}, .peer = opened.peer, .bytes = opened.bytes};
      part = parts.insert(parts.end(), {strands[i], std::move(begun)});
    }
    part->second.packet.messages.push_back(std::move(messages[i]));
  }
  std::ranges::sort(parts, {}, [](const auto& part) { return part.first; });
  return parts;
}

std::vector<std::pair<int, BatchWritten>> StrandRouter::divide(const BatchWritten& written) const {
  std::vector<std::pair<int, BatchWritten>> parts;
  for (int strand = 0; strand <= common(); ++strand) parts.emplace_back(strand, BatchWritten{});
  for (const std::uint64_t write : written.writes) {
    parts[static_cast<std::size_t>(of_number(write))].second.writes.push_back(write);
  }
  std::erase_if(parts, [](const auto& part) { return part.second.writes.empty(); });
  return parts;
}

}  // namespace dynamo::core
