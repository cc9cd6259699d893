#pragma once

#include "base/coding.h"
#include "wire/generation_messages.h"

// The bodies of the messages of generation_messages.h. For codec.h.
namespace dynamo::core {

void encode(const GenerationReport& m, Encoder& out);
void decode(GenerationReport& m, Decoder& in);
void encode(const DropRequest& m, Encoder& out);
void decode(DropRequest& m, Decoder& in);
void encode(const StoresRequest& m, Encoder& out);
void decode(StoresRequest& m, Decoder& in);
void encode(const StoresReply& m, Encoder& out);
void decode(StoresReply& m, Decoder& in);

}  // namespace dynamo::core
