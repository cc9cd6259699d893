#include "coordinator/outcome.h"

#include <array>
#include <utility>

#include <absl/strings/cord.h>
#include <absl/strings/escaping.h>

#include "base/coding.h"

namespace dynamo {

namespace {

constexpr const char* payload_url = "dynamo/outcome";
constexpr std::uint64_t reports_max = 1024;
constexpr std::uint64_t text_bytes_max = std::uint64_t{1} << 16;

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
    report.node = std::string(in.bytes(text_bytes_max));
    report.role = static_cast<ReplicaReport::Role>(in.varint_up_to(1));
    report.answer = static_cast<ReplicaReport::Answer>(in.varint_up_to(6));
    report.reason = std::string(in.bytes(text_bytes_max));
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

std::string quoted(std::string_view key) {
  constexpr std::size_t shown_max = 64;
  std::string text = "\"" + absl::Utf8SafeCEscape(std::string(key.substr(0, shown_max))) + "\"";
  if (key.size() > shown_max) text += "...";
  return text;
}

}  // namespace core

}  // namespace dynamo
