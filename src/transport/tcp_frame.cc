#include "transport/tcp_frame.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "base/spare_buffers.h"

namespace dynamo::transport {
namespace {

constexpr char transport_version = 1;
constexpr std::size_t lane_offset = 5;

std::uint32_t decode_frame_header(const char* bytes) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < frame_header_bytes; ++i) {
    value |= std::uint32_t{static_cast<unsigned char>(bytes[i])} << (8 * i);
  }
  return value;
}

}  // namespace

std::array<char, preamble_bytes> encode_preamble(Lane lane) {
  const char lane_byte = lane == Lane::bulk ? 1 : 0;
  return {static_cast<char>(0xd9), 'd', 'y', 'n', transport_version, lane_byte, 0, 0};
}

std::array<char, frame_header_bytes> encode_frame_header(std::size_t packet_bytes) {
  DYNAMO_CHECK(packet_bytes <= UINT32_MAX);
  std::array<char, frame_header_bytes> header{};
  for (std::size_t i = 0; i < frame_header_bytes; ++i) {
    header[i] = static_cast<char>((packet_bytes >> (8 * i)) & 0xff);
  }
  return header;
}

std::span<char> FrameReader::prepare() {
  if (!greeted()) return std::span(preamble_).subspan(preamble_size_);
  if (in_body_) {
    const std::size_t target = std::min(body_bytes_, body_size_ + read_bytes);
    if (target > body_.capacity()) {
      body_.reserve(std::min(body_bytes_, std::max(target, 2 * body_.capacity())));
    }
    body_.resize(target);
    return {body_.data() + body_size_, target - body_size_};
  }
  if (!buffer_) buffer_ = std::make_unique_for_overwrite<char[]>(read_bytes);
  if (begin_ > 0) {
    std::memmove(buffer_.get(), buffer_.get() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
  }
  return {buffer_.get() + end_, read_bytes - end_};
}

FrameReader::Fault FrameReader::commit(std::size_t size, std::vector<std::string>& packets) {
  if (!greeted()) return commit_preamble(size);
  if (in_body_) {
    body_size_ += size;
    DYNAMO_CHECK(body_size_ <= body_.size());
    if (body_size_ == body_bytes_) finish_body(packets);
    return Fault::none;
  }
  end_ += size;
  DYNAMO_CHECK(end_ <= read_bytes);
  return parse(packets);
}

FrameReader::Fault FrameReader::commit_preamble(std::size_t size) {
  preamble_size_ += size;
  DYNAMO_CHECK(preamble_size_ <= preamble_bytes);
  // Judged byte by byte: a stranger who sends less than a preamble and waits is not waited for.
  auto expected = encode_preamble(Lane::request);
  if (preamble_[lane_offset] == 1) expected = encode_preamble(Lane::bulk);
  const auto seen = static_cast<std::ptrdiff_t>(preamble_size_);
  return std::equal(preamble_.begin(), preamble_.begin() + seen, expected.begin())
             ? Fault::none
             : Fault::preamble;
}

FrameReader::Fault FrameReader::parse(std::vector<std::string>& packets) {
  while (end_ - begin_ >= frame_header_bytes) {
    const std::size_t bytes = decode_frame_header(buffer_.get() + begin_);
    if (bytes > packet_bytes_max_) return Fault::length;
    const char* body = buffer_.get() + begin_ + frame_header_bytes;
    const std::size_t arrived = end_ - begin_ - frame_header_bytes;
    if (bytes <= arrived) {
      packets.push_back(core::SpareBuffers::take());
      packets.back().assign(body, bytes);
      begin_ += frame_header_bytes + bytes;
      continue;
    }
    if (frame_header_bytes + bytes > read_bytes) {
      in_body_ = true;
      body_bytes_ = bytes;
      body_size_ = arrived;
      body_.assign(body, arrived);
      begin_ = end_ = 0;
    }
    break;
  }
  if (begin_ == end_) begin_ = end_ = 0;
  return Fault::none;
}

void FrameReader::finish_body(std::vector<std::string>& packets) {
  packets.push_back(std::move(body_));
  body_ = {};
  body_size_ = 0;
  in_body_ = false;
}

Lane FrameReader::lane() const {
  DYNAMO_CHECK(greeted());
  return preamble_[lane_offset] == 1 ? Lane::bulk : Lane::request;
}

}  // namespace dynamo::transport
