#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <dynamo/transport.h>

// What travels over one TCP connection: a preamble once, then frames, in one direction only.
//
//   preamble   d9 'd' 'y' 'n'   version (1)   lane (0 request, 1 bulk)   00 00
//   frame      length of the packet, 32 bits little-endian   packet
//
// The preamble turns strangers away at their first bytes (0xd9 begins neither text nor a TLS
// record). A packet carries a checksum of its own, so a frame has none.
namespace dynamo::transport {

constexpr std::size_t preamble_bytes = 8;
constexpr std::size_t frame_header_bytes = 4;

std::array<char, preamble_bytes> encode_preamble(Lane lane);
// REQUIRES: packet_bytes fits in 32 bits.
std::array<char, frame_header_bytes> encode_frame_header(std::size_t packet_bytes);

// Takes the bytes of a connection apart, in whatever pieces they arrive. Knows no socket:
//
//   std::span<char> space = reader.prepare();      // read into its beginning, n bytes
//   fault = reader.commit(n, packets);
//
// Small frames are parsed in place, many for one read. A frame that does not fit into the read
// buffer is read into its packet directly; that grows with the bytes received, never by the length
// announced, so a peer gets at most about twice the memory that it fills.
//
// Thread safety: one thread at a time.
class FrameReader {
 public:
  // Why the connection must be closed. Nothing may be committed after one.
  enum class Fault { none, preamble, length };

  static constexpr std::size_t read_bytes = 64 * 1024;

  explicit FrameReader(std::size_t packet_bytes_max) : packet_bytes_max_(packet_bytes_max) {}

  // Where the next bytes go; never empty. Valid until commit().
  std::span<char> prepare();
  // `size` bytes have been written there. Appends the packets that they complete.
  Fault commit(std::size_t size, std::vector<std::string>& packets);

  // The whole preamble has been seen.
  bool greeted() const { return preamble_size_ == preamble_bytes; }
  // No frame has begun that has not ended.
  bool at_boundary() const { return greeted() && !in_body_ && begin_ == end_; }
  // Which lane the preamble names. REQUIRES: greeted().
  Lane lane() const;
  // Memory held for what has been read.
  std::size_t bytes_held() const { return (buffer_ ? read_bytes : 0) + body_.capacity(); }

 private:
  Fault commit_preamble(std::size_t size);
  Fault parse(std::vector<std::string>& packets);
  void finish_body(std::vector<std::string>& packets);

  const std::size_t packet_bytes_max_;

  std::array<char, preamble_bytes> preamble_{};
  std::size_t preamble_size_ = 0;

  // Small frames: [begin_, end_) of the buffer has been read and not parsed. No buffer before the
  // preamble: a stranger costs nothing.
  std::unique_ptr<char[]> buffer_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;

  // A large frame: body_size_ bytes of body_ have been read.
  bool in_body_ = false;
  std::string body_;
  std::size_t body_size_ = 0;
  std::size_t body_bytes_ = 0;  // the length announced
};

}  // namespace dynamo::transport
