#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <type_traits>
#include <variant>

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

template <class M>
constexpr std::uint8_t message_type() {
  return []<class... Ms>(const std::variant<Ms...>*) {
    std::uint8_t number = 0;
    (void)((++number, std::is_same_v<M, Ms>) || ...);
    return number;
  }(static_cast<const Message*>(nullptr));
}

// The body, without type and length.
void encode_body(const Message& message, Encoder& out);

// What the messages of a get and a put are, without making one: their parts lie elsewhere.
void encode_read_request(std::uint64_t operation, const StoreFacts& store, std::string_view key,
                         bool stand_in, Encoder& out);
void encode_read_reply(std::uint64_t operation, std::uint64_t generation, const EncodedSet& set,
                       Encoder& out);
void encode_write_request(const WriteRequest& request, Encoder& out);

// The inverse. False if the body is malformed or the type unknown. Bytes after the last known field
// are skipped: they are fields of a later version.
bool decode_body(std::uint8_t type, std::string_view body, Message& message);
// The same; nullopt instead of false.
std::optional<Message> decode_body(std::uint8_t type, std::string_view body);

// The part of a message that is stored, too.
void encode_facts(const StoreFacts& facts, Encoder& out);
StoreFacts decode_facts(Decoder& in);

}  // namespace dynamo::core
