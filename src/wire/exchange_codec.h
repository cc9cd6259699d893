#pragma once

#include "base/coding.h"
#include "wire/exchange_messages.h"

// The bodies of the messages of exchange_messages.h. For codec.h.
namespace dynamo::core {

void encode(const TreeRequest& m, Encoder& out);
void decode(TreeRequest& m, Decoder& in);
void encode(const TreeReply& m, Encoder& out);
void decode(TreeReply& m, Decoder& in);
void encode(const LeafRequest& m, Encoder& out);
void decode(LeafRequest& m, Decoder& in);
void encode(const LeafReply& m, Encoder& out);
void decode(LeafReply& m, Decoder& in);
void encode(const SetsRequest& m, Encoder& out);
void decode(SetsRequest& m, Decoder& in);
void encode(const SetsReply& m, Encoder& out);
void decode(SetsReply& m, Decoder& in);
void encode(const ConvergeRequest& m, Encoder& out);
void decode(ConvergeRequest& m, Decoder& in);
void encode(const ConvergeReply& m, Encoder& out);
void decode(ConvergeReply& m, Decoder& in);

}  // namespace dynamo::core
