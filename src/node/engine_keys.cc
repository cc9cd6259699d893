#include "node/engine_keys.h"

#include "base/check.h"
#include "base/coding.h"
#include "base/hash.h"

namespace dynamo::core {

namespace {

// Names are longer than engine keys may be; their records hold them whole.
constexpr std::uint64_t name_seed = 0x6e616d6573;

void append_big_endian(std::string& key, std::uint64_t value) {
  for (int shift = 56; shift >= 0; shift -= 8) key.push_back(static_cast<char>(value >> shift));
}

ObjectKeyBytes hashed(RecordKind kind, const ObjectKey& at) {
  ObjectKeyBytes key{static_cast<char>(kind)};
  std::size_t size = 1;
  for (const std::uint64_t value : {at.store, at.hash.high, at.hash.low}) {
    // Compilers make one move of it.
    for (std::size_t byte = 0; byte < 8; ++byte) {
      key[size + byte] = static_cast<char>(value >> (56 - 8 * byte));
    }
    size += 8;
  }
  return key;
}

std::string to_string(const ObjectKeyBytes& key) { return {key.data(), key.size()}; }

std::string named(RecordKind kind, std::string_view name) {
  std::string key = first_key(kind);
  const Hash128 hash = hash128(name, name_seed);
  append_big_endian(key, hash.high);
  append_big_endian(key, hash.low);
  return key;
}

}  // namespace

std::string generation_key() { return first_key(RecordKind::generation); }

std::string identity_key() { return first_key(RecordKind::identity); }

std::string membership_key() { return first_key(RecordKind::membership); }

std::string view_key() { return first_key(RecordKind::view); }

std::string peer_key(std::string_view name) { return named(RecordKind::peer, name); }

std::string store_key(std::string_view store) { return named(RecordKind::store, store); }

std::string object_key(std::string_view store, const KeyHash& hash) {
  return object_key(ObjectKey{store_place(store), hash});
}

std::string object_key(const ObjectKey& key) { return to_string(object_key_in_place(key)); }

ObjectKeyBytes object_key_in_place(const ObjectKey& key) { return hashed(RecordKind::object, key); }

std::string hint_key(std::string_view store, const KeyHash& hash) {
  return hint_key(ObjectKey{store_place(store), hash});
}

ObjectKeyBytes hint_key_in_place(const ObjectKey& key) { return hashed(RecordKind::hint, key); }

std::string hint_key(const ObjectKey& key) { return to_string(hint_key_in_place(key)); }

std::uint64_t store_place(std::string_view store) { return hash64(store, name_seed); }

std::optional<ObjectKey> parse_object_key(std::string_view key) {
  if (key.size() != object_key_bytes || !is_kind(key, RecordKind::object)) return std::nullopt;
  return ObjectKey{big_endian(key.data() + 1), hash_of(key)};
}

KeyHash hash_of(std::string_view engine_key) {
  DYNAMO_CHECK(engine_key.size() == object_key_bytes);
  return {big_endian(engine_key.data() + 9), big_endian(engine_key.data() + 17)};
}

std::string first_key(RecordKind kind) { return std::string(1, static_cast<char>(kind)); }

bool is_kind(std::string_view key, RecordKind kind) {
  return !key.empty() && key.front() == static_cast<char>(kind);
}

}  // namespace dynamo::core
