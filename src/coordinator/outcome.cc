#include "coordinator/outcome.h"

#include <algorithm>
#include <array>
#include <utility>

#include <absl/strings/cord.h>
#include <absl/strings/escaping.h>

#include "base/coding.h"

namespace dynamo {

namespace {

constexpr const char* payload_url = "dynamo/outcome";
constexpr std::uint64_t reports_max = 1024;

// The size of the UTF-8 character that `text` begins with; 0 if it begins with none. Long forms,
// halves of surrogate pairs and what lies beyond Unicode are none (RFC 3629).
std::size_t character_size(std::string_view text) {
  const auto byte = [text](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  if (byte(0) < 0x80) return 1;
  const std::size_t size = byte(0) >= 0xf0 ? 4 : byte(0) >= 0xe0 ? 3 : 2;
  if (byte(0) < 0xc2 || byte(0) > 0xf4 || text.size() < size) return 0;
  for (std::size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  const bool too_low = (byte(0) == 0xe0 && byte(1) < 0xa0) || (byte(0) == 0xf0 && byte(1) < 0x90);
  const bool too_high = (byte(0) == 0xed && byte(1) > 0x9f) || (byte(0) == 0xf4 && byte(1) > 0x8f);
  return too_low || too_high ? 0 : size;
}

}  // namespace

std::string_view to_string(ReplicaReport::Answer answer) {
  static constexpr std::array<std::string_view, 7> names = {
      "stored", "synced", "found", "not found", "refused", "unreachable", "no answer"};
  return names.at(static_cast<std::size_t>(answer));
}

std::string_view to_string(Outcome::Verdict verdict) {
  static constexpr std::array<std::string_view, 4> names = {"not applied", "applied below quorum",
                                                            "applied", "unknown"};
  return names.at(static_cast<std::size_t>(verdict));
}

std::string to_string(const Outcome& outcome) {
  std::string text;
  for (const ReplicaReport& report : outcome.replicas) {
    if (!text.empty()) text += "; ";
    text += report.node;
    if (report.role == ReplicaReport::Role::stand_in) text += " (stand-in)";
    text += ": ";
    text += to_string(report.answer);
    if (!report.reason.empty()) text += ": " + report.reason;
  }
  return text;
}

std::optional<Outcome> outcome_of(const absl::Status& status) {
  const absl::optional<absl::Cord> payload = status.GetPayload(payload_url);
  if (!payload.has_value()) return std::nullopt;
  const std::string bytes(*payload);
  core::Decoder in(bytes);
  Outcome outcome;
  outcome.verdict = static_cast<Outcome::Verdict>(in.varint_up_to(3));
  outcome.id.high = in.fixed64();
  outcome.id.low = in.fixed64();
  const std::uint64_t size = in.count(reports_max, 4);
  for (std::uint64_t i = 0; i < size; ++i) {
    ReplicaReport report;
    report.node = std::string(in.bytes(in.remaining()));
    report.role = static_cast<ReplicaReport::Role>(in.varint_up_to(1));
    report.answer = static_cast<ReplicaReport::Answer>(in.varint_up_to(6));
    report.reason = std::string(in.bytes(in.remaining()));
    outcome.replicas.push_back(std::move(report));
  }
  if (!in.done()) return std::nullopt;
  return outcome;
}

namespace core {

absl::Status with_outcome(absl::Status status, const Outcome& outcome) {
  std::string bytes;
  Encoder out(bytes);
  out.varint(static_cast<std::uint64_t>(outcome.verdict));
  out.fixed64(outcome.id.high);
  out.fixed64(outcome.id.low);
  out.varint(outcome.replicas.size());
  for (const ReplicaReport& report : outcome.replicas) {
    out.bytes(report.node);
    out.varint(static_cast<std::uint64_t>(report.role));
    out.varint(static_cast<std::uint64_t>(report.answer));
    out.bytes(report.reason);
  }
  status.SetPayload(payload_url, absl::Cord(bytes));
  return status;
}

std::string quote(std::string_view key) {
  constexpr std::size_t shown_max = 64;
  std::string text = "\"";
  std::size_t shown = 0;
  while (shown < key.size()) {
    const std::size_t character = character_size(key.substr(shown));
    const std::size_t size = std::max<std::size_t>(character, 1);
    if (shown + size > shown_max) break;
    const std::string piece(key.substr(shown, size));
    text += character == 0 ? absl::CEscape(piece) : absl::Utf8SafeCEscape(piece);
    shown += size;
  }
  text += "\"";
  if (shown < key.size()) text += "...";
  return text;
}

}  // namespace core

}  // namespace dynamo
