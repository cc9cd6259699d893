#include "wire/generation_codec.h"

#include "wire/codec.h"
#include "wire/coding_parts.h"

namespace dynamo::core {

namespace {

constexpr std::uint64_t stores_max = 65536;

}  // namespace

void encode(const GenerationReport& m, Encoder& out) {
  out.varint(m.settled);
  out.varint(m.wished);
  encode_hash(m.members, out);
}
void decode(GenerationReport& m, Decoder& in) {
  m.settled = in.varint();
  m.wished = in.varint();
  m.members = decode_hash(in);
}

void encode(const DropRequest& m, Encoder& out) {
  encode_facts(m.store, out);
  out.varint(m.confirmed);
  encode_list(m.records, out, encode_key_digest);
}
void decode(DropRequest& m, Decoder& in) {
  m.store = decode_facts(in);
  m.confirmed = in.varint();
  m.records = decode_list(in, exchange_keys_max, 32, decode_key_digest);
}

void encode(const StoresRequest& m, Encoder& out) { out.fixed64(m.operation); }
void decode(StoresRequest& m, Decoder& in) { m.operation = in.fixed64(); }

void encode(const StoresReply& m, Encoder& out) {
  out.fixed64(m.operation);
  encode_list(m.stores, out, [](const StoresReply::Entry& entry, Encoder& to) {
    encode_facts(entry.store, to);
    to.fixed8(entry.established ? 1 : 0);
  });
}
void decode(StoresReply& m, Decoder& in) {
  m.operation = in.fixed64();
  m.stores = decode_list(in, stores_max, 4, [](Decoder& from) {
    StoresReply::Entry entry{.store = decode_facts(from)};
    entry.established = decode_bool(from);
    return entry;
  });
}

}  // namespace dynamo::core
