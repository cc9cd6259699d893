#include "wire/codec.h"

#include <array>
#include <utility>

#include "wire/coding_parts.h"
#include "wire/exchange_codec.h"
#include "wire/generation_codec.h"
#include "wire/view_codec.h"

namespace dynamo::core {

bool operator==(const PutForwardReply& a, const PutForwardReply& b) {
  const auto same = [](const ReplicaReport& x, const ReplicaReport& y) {
    return x.node == y.node && x.role == y.role && x.answer == y.answer && x.reason == y.reason;
  };
  if (a.replicas.size() != b.replicas.size()) return false;
  for (std::size_t i = 0; i < a.replicas.size(); ++i) {
    if (!same(a.replicas[i], b.replicas[i])) return false;
  }
  return a.operation == b.operation && a.answer == b.answer && a.code == b.code &&
         a.message == b.message && a.clock == b.clock && a.dot == b.dot && a.verdict == b.verdict;
}

void encode_facts(const StoreFacts& facts, Encoder& out) {
  out.bytes(facts.name);
  out.fixed8(static_cast<std::uint8_t>(facts.n));
  out.fixed8(static_cast<std::uint8_t>(facts.conflict));
}

StoreFacts decode_facts(Decoder& in) {
  StoreFacts facts;
  facts.name = std::string(in.bytes(name_bytes_max));
  facts.n = in.fixed8();
  const std::uint8_t conflict = in.fixed8();
  if (facts.name.empty() || facts.n < 1 || facts.n > n_max || conflict > 1) in.fail();
  facts.conflict = static_cast<Conflict>(conflict);
  return facts;
}

namespace {

template <class Enum>
Enum decode_enum(Decoder& in, Enum last) {
  const std::uint8_t value = in.fixed8();
  if (value > static_cast<std::uint8_t>(last)) in.fail();
  return static_cast<Enum>(value);
}

template <class Enum>
void encode_enum(Encoder& out, Enum value) {
  out.fixed8(static_cast<std::uint8_t>(value));
}

std::string decode_key(Decoder& in) {
  std::string key(in.bytes(key_bytes_max));
  if (key.empty()) in.fail();
  return key;
}

void encode_dot(Encoder& out, const Dot& dot) {
  out.fixed64(dot.actor.boot);
  out.varint(dot.actor.sequence);
  out.varint(dot.counter);
}

Dot decode_dot(Decoder& in) {
  Dot dot;
  dot.actor.boot = in.fixed64();
  dot.actor.sequence = in.varint();
  dot.counter = in.varint();
  return dot;
}

// A reason is for people: a long one is cut rather than refused by its reader.
std::string_view cut(std::string_view reason) { return reason.substr(0, reason_bytes_max); }

void encode(const Ping& m, Encoder& out) { out.fixed64(m.nonce); }
void decode(Ping& m, Decoder& in) { m.nonce = in.fixed64(); }

void encode(const Pong& m, Encoder& out) { out.fixed64(m.nonce); }
void decode(Pong& m, Decoder& in) { m.nonce = in.fixed64(); }

void encode(const BootRefused& m, Encoder& out) {
  out.varint(m.boot);
  out.fixed64(m.boot_random);
  out.varint(m.boot_seen);
}
void decode(BootRefused& m, Decoder& in) {
  m.boot = in.varint();
  m.boot_random = in.fixed64();
  m.boot_seen = in.varint();
}

void encode(const ReadRequest& m, Encoder& out) {
  encode_read_request(m.operation, m.store, m.key, m.stand_in, out);
}
void decode(ReadRequest& m, Decoder& in) {
  m.operation = in.fixed64();
  m.store = decode_facts(in);
  m.key = decode_key(in);
  m.stand_in = decode_bool(in);
}

void encode(const ReadReply& m, Encoder& out) {
  out.fixed64(m.operation);
  encode_enum(out, m.answer);
  out.bytes(cut(m.reason));
  out.varint(m.generation);
  out.raw(m.set.bytes());
}
void decode(ReadReply& m, Decoder& in) {
  m.operation = in.fixed64();
  m.answer = decode_enum(in, ReadReply::Answer::refused);
  m.reason = std::string(in.bytes(reason_bytes_max));
  m.generation = in.varint();
  m.set = EncodedSet::read_in_place(in);
}

void encode(const WriteRequest& m, Encoder& out) {
  out.fixed64(m.operation);
  encode_facts(m.store, out);
  out.bytes(m.key);
  encode_enum(out, m.synced);
  out.varint(m.generation);
  out.varint(m.owed.size());
  for (const Identity& identity : m.owed) {
    out.fixed64(identity.high);
    out.fixed64(identity.low);
  }
  out.raw(m.set.bytes());
}
void decode(WriteRequest& m, Decoder& in) {
  m.operation = in.fixed64();
  m.store = decode_facts(in);
  m.key = decode_key(in);
  m.synced = decode_bool(in);
  m.generation = in.varint();
  const std::uint64_t owed = in.count(owed_max, 16);
  for (std::uint64_t i = 0; i < owed && in.ok(); ++i) {
    const std::uint64_t high = in.fixed64();
    m.owed.push_back({high, in.fixed64()});
  }
  m.set = EncodedSet::read_in_place(in);
}

void encode(const WriteReply& m, Encoder& out) {
  out.fixed64(m.operation);
  encode_enum(out, m.answer);
  out.bytes(cut(m.reason));
}
void decode(WriteReply& m, Decoder& in) {
  m.operation = in.fixed64();
  m.answer = decode_enum(in, WriteReply::Answer::refused);
  m.reason = std::string(in.bytes(reason_bytes_max));
}

void encode(const PutForward& m, Encoder& out) {
  out.fixed64(m.operation);
  encode_facts(m.store, out);
  out.bytes(m.key);
  m.context.encode(out);
  out.fixed64(m.context_latest.value);
  out.fixed64(m.write_id.high);
  out.fixed64(m.write_id.low);
  out.fixed64(m.clock.value);
  encode_enum(out, m.may_redraw);
  out.varint(static_cast<std::uint64_t>(m.written_at_us));
  out.varint(static_cast<std::uint64_t>(m.expires_at_us));
  encode_enum(out, m.object.has_value());
  if (m.object) out.bytes(*m.object);
  out.varint(static_cast<std::uint64_t>(m.w));
  out.varint(static_cast<std::uint64_t>(m.siblings_max));
  encode_enum(out, m.synced);
  encode_enum(out, m.sloppy);
  out.varint(m.timeout_us);
}
void decode(PutForward& m, Decoder& in) {
  m.operation = in.fixed64();
  m.store = decode_facts(in);
  m.key = decode_key(in);
  m.context = History::decode(in);
  m.context_latest.value = in.fixed64();
  m.write_id.high = in.fixed64();
  m.write_id.low = in.fixed64();
  m.clock.value = in.fixed64();
  m.may_redraw = decode_bool(in);
  m.written_at_us = static_cast<std::int64_t>(in.varint());
  m.expires_at_us = static_cast<std::int64_t>(in.varint());
  if (decode_bool(in)) m.object = std::string(in.bytes(object_bytes_limit));
  m.w = static_cast<int>(in.varint_up_to(n_max));
  m.siblings_max = static_cast<int>(in.varint_up_to(1024));
  m.synced = decode_bool(in);
  m.sloppy = decode_bool(in);
  m.timeout_us = in.varint_up_to(timeout_us_max);
  if (m.w < 1 || m.w > m.store.n || m.write_id.is_zero()) in.fail();
}

void encode(const PutForwardReply& m, Encoder& out) {
  out.fixed64(m.operation);
  encode_enum(out, m.answer);
  out.varint(static_cast<std::uint64_t>(m.code));
  out.bytes(cut(m.message));
  out.fixed64(m.clock.value);
  encode_dot(out, m.dot);
  encode_enum(out, m.verdict);
  out.varint(m.replicas.size());
  for (const ReplicaReport& report : m.replicas) {
    out.bytes(report.node);
    encode_enum(out, report.role);
    encode_enum(out, report.answer);
    out.bytes(cut(report.reason));
  }
}
void decode(PutForwardReply& m, Decoder& in) {
  m.operation = in.fixed64();
  m.answer = decode_enum(in, PutForwardReply::Answer::clock_behind);
  m.code = static_cast<int>(in.varint_up_to(16));
  m.message = std::string(in.bytes(reason_bytes_max));
  m.clock.value = in.fixed64();
  m.dot = decode_dot(in);
  if (m.answer == PutForwardReply::Answer::done && m.dot.counter == 0) in.fail();
  m.verdict = decode_enum(in, Outcome::Verdict::unknown);
  const std::uint64_t replicas = in.count(replicas_max, 4);
  for (std::uint64_t i = 0; i < replicas && in.ok(); ++i) {
    ReplicaReport report;
    report.node = std::string(in.bytes(name_bytes_max));
    report.role = decode_enum(in, ReplicaReport::Role::stand_in);
    report.answer = decode_enum(in, ReplicaReport::Answer::no_answer);
    report.reason = std::string(in.bytes(reason_bytes_max));
    m.replicas.push_back(std::move(report));
  }
}

void encode(const StoreAnnounce& m, Encoder& out) {
  encode_facts(m.store, out);
  encode_enum(out, m.established);
}
void decode(StoreAnnounce& m, Decoder& in) {
  m.store = decode_facts(in);
  m.established = decode_bool(in);
}

void encode(const MembershipMessage& m, Encoder& out) { out.bytes(m.payload); }
void decode(MembershipMessage& m, Decoder& in) {
  m.payload = std::string(in.bytes(std::uint64_t{16} << 20));
}

template <std::size_t index>
bool decode_as(std::string_view body, Message& message) {
  Decoder in(body);
  decode(message.emplace<index>(), in);
  return in.ok();
}

template <std::size_t... indexes>
bool decode_any(std::size_t index, std::string_view body, Message& message,
                std::index_sequence<indexes...>) {
  using DecodeAs = bool (*)(std::string_view, Message&);
  static constexpr std::array<DecodeAs, sizeof...(indexes)> decoders = {decode_as<indexes>...};
  return decoders[index](body, message);
}

}  // namespace

std::uint8_t message_type(const Message& message) {
  return static_cast<std::uint8_t>(message.index() + 1);
}

std::string_view message_name(std::uint8_t type) {
  static constexpr std::array<std::string_view, std::variant_size_v<Message>> names = {
      "ping",       "pong",        "boot refused", "read",           "read reply",
      "write",      "write reply", "forward",      "forward reply",  "store announce",
      "membership", "tree",        "tree reply",   "leaf",           "leaf reply",
      "sets",       "sets reply",  "converge",     "converge reply", "generation",
      "drop",       "stores",      "stores reply", "view",           "move ready"};
  return type >= 1 && type <= names.size() ? names[type - 1U] : "unknown";
}

void encode_read_request(std::uint64_t operation, const StoreFacts& store, std::string_view key,
                         bool stand_in, Encoder& out) {
  out.fixed64(operation);
  encode_facts(store, out);
  out.bytes(key);
  encode_enum(out, stand_in);
}

void encode_read_reply(std::uint64_t operation, std::uint64_t generation, const EncodedSet& set,
                       Encoder& out) {
  out.fixed64(operation);
  encode_enum(out, set.has_versions() ? ReadReply::Answer::found : ReadReply::Answer::not_found);
  out.bytes("");
  out.varint(generation);
  out.raw(set.bytes());
}

void encode_write_request(const WriteRequest& request, Encoder& out) { encode(request, out); }

void encode_body(const Message& message, Encoder& out) {
  std::visit([&out](const auto& m) { encode(m, out); }, message);
}

bool decode_body(std::uint8_t type, std::string_view body, Message& message) {
  constexpr std::size_t size = std::variant_size_v<Message>;
  if (type < 1 || type > size) return false;
  return decode_any(type - 1U, body, message, std::make_index_sequence<size>());
}

std::optional<Message> decode_body(std::uint8_t type, std::string_view body) {
  std::optional<Message> message(std::in_place);
  if (!decode_body(type, body, *message)) message.reset();
  return message;
}

}  // namespace dynamo::core
