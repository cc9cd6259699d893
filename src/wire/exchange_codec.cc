#include "wire/exchange_codec.h"

#include <string_view>
#include <utility>

#include "wire/codec.h"
#include "wire/coding_parts.h"

namespace dynamo::core {

namespace {

constexpr std::uint64_t partitions_max = 65536;

std::string_view cut(std::string_view reason) { return reason.substr(0, reason_bytes_max); }

void encode_scope(const ExchangeScope& scope, Encoder& out) {
  encode_facts(scope.store, out);
  out.varint(scope.partition);
  out.varint(scope.owners);
  out.varint(scope.generation);
  out.fixed8(scope.format);
}

ExchangeScope decode_scope(Decoder& in) {
  ExchangeScope scope;
  scope.store = decode_facts(in);
  scope.partition = static_cast<std::uint32_t>(in.varint_up_to(partitions_max - 1));
  scope.owners = in.varint();
  scope.generation = in.varint();
  scope.format = in.fixed8();
  return scope;
}

void encode_node(const TreeNode& node, Encoder& out) {
  out.fixed8(node.depth);
  out.varint(node.index);
}

TreeNode decode_node(Decoder& in) {
  TreeNode node;
  node.depth = in.fixed8();
  if (node.depth > tree_levels_max) {
    in.fail();
    return {};
  }
  node.index = in.varint_up_to((std::uint64_t{1} << (4 * node.depth)) - 1);
  return node;
}

// A bit for each child that holds something, then its digest.
void encode_children(const NodeChildren& children, Encoder& out) {
  encode_node(children.node, out);
  std::uint64_t present = 0;
  for (std::size_t i = 0; i < children.digests.size(); ++i) {
    if (children.digests[i] != Hash128{}) present |= std::uint64_t{1} << i;
  }
  out.varint(present);
  for (const Hash128& digest : children.digests) {
    if (digest != Hash128{}) encode_hash(digest, out);
  }
}

NodeChildren decode_children(Decoder& in) {
  NodeChildren children;
  children.node = decode_node(in);
  const std::uint64_t present = in.varint_up_to((1U << tree_fanout) - 1);
  for (std::size_t i = 0; i < children.digests.size() && in.ok(); ++i) {
    if ((present >> i & 1) == 0) continue;
    children.digests[i] = decode_hash(in);
    if (children.digests[i] == Hash128{}) in.fail();
  }
  return children;
}

void encode_set(const KeyedSet& set, Encoder& out) {
  out.bytes(set.key);
  out.varint(set.generation);
  set.set.encode(out);
}

KeyedSet decode_set(Decoder& in) {
  KeyedSet set;
  set.key = std::string(in.bytes(key_bytes_max));
  if (set.key.empty()) in.fail();
  set.generation = in.varint();
  set.set = VersionSet::decode(in);
  return set;
}

template <class Reply>
void encode_answer(const Reply& m, Encoder& out) {
  out.fixed64(m.operation);
  out.fixed8(static_cast<std::uint8_t>(m.answer));
  out.bytes(cut(m.reason));
}

template <class Reply>
void decode_answer(Reply& m, Decoder& in) {
  m.operation = in.fixed64();
  const std::uint8_t answer = in.fixed8();
  if (answer > static_cast<std::uint8_t>(ExchangeAnswer::refused)) in.fail();
  m.answer = static_cast<ExchangeAnswer>(answer);
  m.reason = std::string(in.bytes(reason_bytes_max));
}

}  // namespace

void encode(const TreeRequest& m, Encoder& out) {
  out.fixed64(m.operation);
  encode_scope(m.scope, out);
  encode_list(m.nodes, out, [](const NodeDigest& node, Encoder& to) {
    encode_node(node.node, to);
    encode_hash(node.digest, to);
  });
}
void decode(TreeRequest& m, Decoder& in) {
  m.operation = in.fixed64();
  m.scope = decode_scope(in);
  m.nodes = decode_list(in, exchange_nodes_max, 18, [](Decoder& from) {
    const TreeNode node = decode_node(from);
    return NodeDigest{node, decode_hash(from)};
  });
}

void encode(const TreeReply& m, Encoder& out) {
  encode_answer(m, out);
  encode_list(m.differing, out, encode_children);
}
void decode(TreeReply& m, Decoder& in) {
  decode_answer(m, in);
  m.differing = decode_list(in, exchange_nodes_max, 3, decode_children);
}

void encode(const LeafRequest& m, Encoder& out) {
  out.fixed64(m.operation);
  encode_scope(m.scope, out);
  encode_list(m.nodes, out, encode_node);
  encode_key_hash(m.from, out);
}
void decode(LeafRequest& m, Decoder& in) {
  m.operation = in.fixed64();
  m.scope = decode_scope(in);
  m.nodes = decode_list(in, exchange_nodes_max, 2, decode_node);
  m.from = decode_key_hash(in);
}

void encode(const LeafReply& m, Encoder& out) {
  encode_answer(m, out);
  encode_list(m.keys, out, encode_key_digest);
  encode_key_hash(m.complete_to, out);
}
void decode(LeafReply& m, Decoder& in) {
  decode_answer(m, in);
  m.keys = decode_list(in, exchange_keys_max, 32, decode_key_digest);
  m.complete_to = decode_key_hash(in);
}

void encode(const SetsRequest& m, Encoder& out) {
  out.fixed64(m.operation);
  encode_scope(m.scope, out);
  encode_list(m.sets, out, encode_set);
  encode_list(m.wanted, out, encode_key_hash);
}
void decode(SetsRequest& m, Decoder& in) {
  m.operation = in.fixed64();
  m.scope = decode_scope(in);
  m.sets = decode_list(in, exchange_keys_max, 4, decode_set);
  m.wanted = decode_list(in, exchange_keys_max, 16, decode_key_hash);
}

void encode(const SetsReply& m, Encoder& out) {
  encode_answer(m, out);
  out.varint(m.served);
  encode_list(m.sets, out, encode_set);
}
void decode(SetsReply& m, Decoder& in) {
  decode_answer(m, in);
  m.served = in.varint_up_to(exchange_keys_max);
  m.sets = decode_list(in, exchange_keys_max, 4, decode_set);
}

void encode(const ConvergeRequest& m, Encoder& out) {
  out.fixed64(m.operation);
  out.varint(m.timeout_us);
}
void decode(ConvergeRequest& m, Decoder& in) {
  m.operation = in.fixed64();
  m.timeout_us = in.varint_up_to(timeout_us_max);
}

void encode(const ConvergeReply& m, Encoder& out) {
  out.fixed64(m.operation);
  out.varint(m.left);
  out.varint(m.hints);
  out.bytes(cut(m.reason));
}
void decode(ConvergeReply& m, Decoder& in) {
  m.operation = in.fixed64();
  m.left = in.varint_up_to(partitions_max);
  m.hints = in.varint();
  m.reason = std::string(in.bytes(reason_bytes_max));
}

}  // namespace dynamo::core
