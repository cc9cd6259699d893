#pragma once

#include <cstdint>
#include <vector>

#include "base/coding.h"
#include "base/hash.h"
#include "base/key_hash.h"
#include "wire/exchange_messages.h"

// What the bodies of several messages are made of.
namespace dynamo::core {

inline bool decode_bool(Decoder& in) {
  const std::uint8_t value = in.fixed8();
  if (value > 1) in.fail();
  return value == 1;
}

inline void encode_hash(const Hash128& hash, Encoder& out) {
  out.fixed64(hash.high);
  out.fixed64(hash.low);
}
inline Hash128 decode_hash(Decoder& in) {
  const std::uint64_t high = in.fixed64();
  return {high, in.fixed64()};
}

inline void encode_key_hash(const KeyHash& key, Encoder& out) {
  encode_hash({key.high, key.low}, out);
}
inline KeyHash decode_key_hash(Decoder& in) {
  const Hash128 hash = decode_hash(in);
  return {hash.high, hash.low};
}

inline void encode_key_digest(const KeyDigest& key, Encoder& out) {
  encode_key_hash(key.key, out);
  encode_hash(key.digest, out);
}
inline KeyDigest decode_key_digest(Decoder& in) {
  const KeyHash key = decode_key_hash(in);
  return {key, decode_hash(in)};
}

template <class T, class Encode>
void encode_list(const std::vector<T>& list, Encoder& out, Encode encode_one) {
  out.varint(list.size());
  for (const T& item : list) encode_one(item, out);
}

// `each_min`: bytes that one takes at least.
template <class Decode>
auto decode_list(Decoder& in, std::uint64_t max, std::uint64_t each_min, Decode decode_one) {
  const std::uint64_t size = in.count(max, each_min);
  std::vector<decltype(decode_one(in))> list;
  for (std::uint64_t i = 0; i < size && in.ok(); ++i) list.push_back(decode_one(in));
  return list;
}

}  // namespace dynamo::core
