#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/key_hash.h"

// Where things lie in the storage engine. A key starts with its kind; keys of objects are hashes,
// so that they are short, and ordered by store and then along the ring, so that a partition of a
// store is one range. The record holds the whole key.
//
// What waits for the flush interval is written backwards, in several commits: a store before its
// objects, and an object before the end of a hint.
namespace dynamo::core {

enum class RecordKind : char {
  generation = 'g',
  hint = 'h',
  identity = 'i',
  membership = 'm',
  object = 'o',
  peer = 'p',
  store = 's',
  view = 'v'
};

std::string generation_key();
std::string identity_key();
std::string membership_key();
std::string peer_key(std::string_view name);
std::string store_key(std::string_view store);
std::string view_key();
std::string object_key(std::string_view store, const KeyHash& hash);
// What this node keeps of the key as a stand-in.
std::string hint_key(std::string_view store, const KeyHash& hash);
// Of a key that object_key() or hint_key() made.
KeyHash hash_of(std::string_view engine_key);

// Where an object lies, in the order of the engine.
struct ObjectKey {
  std::uint64_t store = 0;  // a hash of its name
  KeyHash hash{};
  friend auto operator<=>(const ObjectKey&, const ObjectKey&) = default;
};
inline constexpr std::size_t object_key_bytes = 25;
std::uint64_t store_place(std::string_view store);
std::string object_key(const ObjectKey& key);
// The same without an allocation.
using ObjectKeyBytes = std::array<char, object_key_bytes>;
ObjectKeyBytes object_key_in_place(const ObjectKey& key);
ObjectKeyBytes hint_key_in_place(const ObjectKey& key);
std::string hint_key(const ObjectKey& key);
// Nullopt if `key` is not of an object.
std::optional<ObjectKey> parse_object_key(std::string_view key);

// The first key of a kind, to scan from.
std::string first_key(RecordKind kind);
bool is_kind(std::string_view key, RecordKind kind);

}  // namespace dynamo::core
