#pragma once

#include "base/coding.h"
#include "wire/view_messages.h"

// The bytes of views, on the wire and on disk.
namespace dynamo::core {

void encode_identity(const Identity& identity, Encoder& out);
Identity decode_identity(Decoder& in);
void encode_member(const Member& member, Encoder& out);
Member decode_member(Decoder& in);
void encode_move(const Move& move, Encoder& out);
Move decode_move(Decoder& in);
void encode_view(const View& view, Encoder& out);
// What makes no sense (an unknown state, a weight that is no weight, lists beyond all bounds) fails
// the decoder.
View decode_view(Decoder& in);

void encode(const ViewNews& m, Encoder& out);
void decode(ViewNews& m, Decoder& in);
void encode(const MoveReady& m, Encoder& out);
void decode(MoveReady& m, Decoder& in);

}  // namespace dynamo::core
