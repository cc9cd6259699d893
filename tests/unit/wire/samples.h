#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/coding.h"
#include "base/hash.h"
#include "wire/codec.h"
#include "wire/packet.h"

namespace test {

// A set with everything a set can hold: a run and an isolated dot in the history, an object that
// expires and a delete.
inline dynamo::core::VersionSet sample_set() {
  using namespace dynamo::core;
  const dynamo::ActorId a{0xa1, 1};
  const dynamo::ActorId b{0xb2, 300};
  History seen;
  seen.add({a, 1});
  VersionSet set;
  set.put(seen,
          {.dot = {a, 2},
           .write_id = {0x21, 0x22},
           .clock = {0x23},
           .written_at_us = 300,
           .expires_at_us = 128,
           .object = "book"},
          Conflict::keep_siblings);
  set.put({}, {.dot = {b, 5}, .write_id = {0x31, 0x32}, .clock = {0x33}, .written_at_us = 1},
          Conflict::keep_siblings);
  return set;
}

inline dynamo::core::StoreFacts sample_facts() {
  return {.name = "carts", .n = 3, .conflict = dynamo::core::Conflict::last_write_wins};
}

inline dynamo::core::PutForward sample_forward() {
  dynamo::core::History context;
  context.add({{0xa1, 1}, 1});
  context.add({{0xa1, 1}, 3});
  return {.operation = 0x0102030405060708,
          .store = sample_facts(),
          .key = "cart:42",
          .context = context,
          .context_latest = {0x41},
          .write_id = {0x42, 0x43},
          .clock = {0x44},
          .may_redraw = true,
          .written_at_us = 300,
          .expires_at_us = 128,
          .object = "pen",
          .w = 2,
          .siblings_max = 64,
          .synced = false,
          .sloppy = true,
          .timeout_us = 1'000'000};
}

inline dynamo::core::PutForwardReply sample_forward_reply() {
  using dynamo::ReplicaReport;
  return {.operation = 0x0102030405060708,
          .answer = dynamo::core::PutForwardReply::Answer::clock_behind,
          .code = 14,
          .message = "why",
          .clock = {0x51},
          .dot = {{0xa1, 1}, 7},
          .verdict = dynamo::Outcome::Verdict::applied_below_quorum,
          .replicas = {{.node = "b",
                        .role = ReplicaReport::Role::stand_in,
                        .answer = ReplicaReport::Answer::refused,
                        .reason = "full"}}};
}

inline dynamo::core::ExchangeScope sample_scope() {
  return {.store = sample_facts(), .partition = 300, .owners = 200, .generation = 5, .format = 1};
}

inline dynamo::core::NodeChildren sample_children() {
  dynamo::core::NodeChildren children{.node = {1, 3}};
  children.digests[0] = {0x91, 0x92};
  children.digests[9] = {0x93, 0x94};
  return children;
}

inline dynamo::View sample_view() {
  return {.number = 200,
          .cluster = {0x71, 0x72},
          .members = {{.identity = {0x73, 0x74},
                       .name = "a",
                       .address = "h:1",
                       .zone = "z",
                       .weight = 2,
                       .state = dynamo::MemberState::leaving},
                      {.name = "bc", .address = "h:2"}},
          .moves = {{.partition = 300, .begun = 199, .from = {"a"}, .to = {"bc", "a"}}}};
}

// One message of every type, in the order of their numbers, no field at its default.
inline std::vector<dynamo::core::Message> samples() {
  using namespace dynamo::core;
  constexpr std::uint64_t operation = 0x0102030405060708;
  return {
      Ping{0x1112131415161718},
      Pong{0x2122232425262728},
      BootRefused{.boot = 300, .boot_random = 0x3132333435363738, .boot_seen = 301},
      ReadRequest{
          .operation = operation, .store = sample_facts(), .key = "cart:42", .stand_in = true},
      ReadReply{.operation = operation,
                .answer = ReadReply::Answer::not_found,
                .reason = "why",
                .generation = 200,
                .set = sample_set()},
      WriteRequest{.operation = operation,
                   .store = sample_facts(),
                   .key = "cart:42",
                   .synced = false,
                   .generation = 200,
                   .owed = {{0x61, 0x62}, {0x63, 0x64}},
                   .set = sample_set()},
      WriteReply{.operation = operation, .answer = WriteReply::Answer::synced, .reason = "why"},
      sample_forward(),
      sample_forward_reply(),
      StoreAnnounce{.store = sample_facts(), .established = true},
      MembershipMessage{.payload = "view"},
      TreeRequest{.operation = operation,
                  .scope = sample_scope(),
                  .nodes = {{{0, 0}, {0x81, 0x82}}, {{2, 200}, {0x83, 0x84}}}},
      TreeReply{.operation = operation,
                .answer = ExchangeAnswer::ok,
                .reason = "why",
                .differing = {sample_children()}},
      LeafRequest{.operation = operation,
                  .scope = sample_scope(),
                  .nodes = {{1, 3}, {2, 200}},
                  .from = {0x85, 0x86}},
      LeafReply{.operation = operation,
                .answer = ExchangeAnswer::not_ready,
                .reason = "why",
                .keys = {{{0x87, 0x88}, {0x89, 0x8a}}},
                .complete_to = {0x8b, 0x8c}},
      SetsRequest{.operation = operation,
                  .scope = sample_scope(),
                  .sets = {{.key = "cart:42", .generation = 200, .set = sample_set()}},
                  .wanted = {{0x8d, 0x8e}}},
      SetsReply{.operation = operation,
                .answer = ExchangeAnswer::ok,
                .reason = "why",
                .served = 200,
                .sets = {{.key = "cart:42", .generation = 200, .set = sample_set()}}},
      ConvergeRequest{.operation = operation, .timeout_us = 1'000'000},
      ConvergeReply{.operation = operation, .left = 200, .hints = 300, .reason = "why"},
      GenerationReport{.settled = 200, .wished = 202, .members = {0x91, 0x92}},
      DropRequest{
          .store = sample_facts(), .confirmed = 200, .records = {{{0x93, 0x94}, {0x95, 0x96}}}},
      StoresRequest{.operation = operation},
      StoresReply{.operation = operation, .stores = {{sample_facts(), true}}},
      ViewNews{.view = sample_view()},
      MoveReady{.partition = 300, .mark = 0x97},
  };
}

inline dynamo::core::PacketHeader sample_header() {
  return {.cluster = {0x71, 0x72},
          .sender = {0x73, 0x74},
          .boot = 300,
          .boot_random = 0x75,
          .receiver = 0x76,
          .replaced = true,
          .view = 200,
          .generation = 201,
          .sealed = 199,
          .from = "a",
          .to = "bc"};
}

inline std::string body_of(const dynamo::core::Message& message) {
  std::string body;
  dynamo::core::Encoder out(body);
  dynamo::core::encode_body(message, out);
  return body;
}

inline std::string packet_of(const std::vector<dynamo::core::Message>& messages) {
  dynamo::core::PacketWriter writer(sample_header());
  for (const auto& message : messages) writer.add(message);
  return std::move(writer).finish();
}

// A packet without its checksum, and back: for content that no writer writes.
inline std::string unsealed(std::string packet) {
  packet.resize(packet.size() - 8);
  return packet;
}
inline std::string sealed(std::string content) {
  dynamo::core::Encoder(content).fixed64(dynamo::core::checksum(content));
  return content;
}

// A packet with one message of any type and body.
inline std::string packet_with(std::uint8_t type, std::string_view body) {
  std::string content = unsealed(packet_of({}));
  dynamo::core::Encoder out(content);
  out.fixed8(type);
  out.bytes(body);
  return sealed(std::move(content));
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

}  // namespace test
