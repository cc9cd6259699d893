#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/coding.h"
#include "causality/version_set.h"

// One version of a set, as bytes.
namespace dynamo::core {

void encode_version(Encoder& out, const StoredVersion& version);

// Reads the dot, with which a version begins.
Dot decode_dot(Decoder& in);
// Reads all behind the dot but the object, of which it returns what is there.
std::optional<std::string_view> decode_behind_dot(Decoder& in, StoredVersion& version);

}  // namespace dynamo::core
