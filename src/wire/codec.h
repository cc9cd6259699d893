#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/coding.h"
#include "wire/message.h"

namespace dynamo::core {

// Bounds of what a peer may send, checked before anything is allocated.
inline constexpr std::uint64_t name_bytes_max = 255;
inline constexpr std::uint64_t key_bytes_max = 2048;
inline constexpr std::uint64_t object_bytes_limit = std::uint64_t{16} << 20;
inline constexpr std::uint64_t reason_bytes_max = 4096;
inline constexpr std::uint64_t owed_max = 64;
inline constexpr std::uint64_t replicas_max = 64;
inline constexpr int n_max = 16;
inline constexpr std::uint64_t timeout_us_max = 3'600'000'000;  // as options allow: an hour

// The message's number on the wire.
std::uint8_t message_type(const Message& message);
std::string_view message_name(
    std::uint8_t type);  // for people; "unknown" for numbers of later versions

// The body, without type and length.
void encode_body(const Message& message, Encoder& out);

// The inverse. nullopt if the body is malformed or the type unknown. Bytes after the last known
// field are skipped: they are fields of a later version.
std::optional<Message> decode_body(std::uint8_t type, std::string_view body);

// The part of a message that is stored, too.
void encode_facts(const StoreFacts& facts, Encoder& out);
StoreFacts decode_facts(Decoder& in);

}  // namespace dynamo::core
