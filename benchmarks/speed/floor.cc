#include "speed/floor.h"

#include <cstdio>
#include <cstring>
#include <utility>

#include <asio/post.hpp>

#include "speed/child.h"
#include "speed/load.h"

namespace bench {

using asio::ip::tcp;

namespace {

// What stands before key and value.
struct Header {
  std::uint64_t id;
  std::uint32_t value_bytes;
  std::uint16_t key_bytes;
  FloorFrame::Type type;
};

}  // namespace

void serve(asio::io_context& io, int port, const FloorLink::OnFrame& on_frame) {
  tcp::acceptor acceptor(io, loopback(port));
  std::function<void()> accept = [&] {
    acceptor.async_accept([&](const asio::error_code& error, tcp::socket socket) {
      if (error) give_up("the floor cannot accept");
      std::make_shared<FloorLink>(std::move(socket), on_frame)->read();
      accept();
    });
  };
  accept();
  std::puts("ready");
  std::fflush(stdout);
  io.run();
}

std::shared_ptr<FloorLink> dial(asio::io_context& io, int port, FloorLink::OnFrame on_frame) {
  tcp::socket socket(io);
  socket.connect(loopback(port));
  auto link = std::make_shared<FloorLink>(std::move(socket), std::move(on_frame));
  link->read();
  return link;
}

FloorLink::FloorLink(tcp::socket socket, OnFrame on_frame)
    : Stream(std::move(socket)), on_frame_(std::move(on_frame)) {}

void FloorLink::read() {
  Stream::read([this](std::string_view bytes) { return parse(bytes); });
}

std::size_t FloorLink::parse(std::string_view in) {
  std::size_t at = 0;
  Header header{};
  while (in.size() - at >= sizeof(header)) {
    std::memcpy(&header, in.data() + at, sizeof(header));
    const std::size_t bytes = sizeof(header) + header.key_bytes + header.value_bytes;
    if (in.size() - at < bytes) break;
    const char* const body = in.data() + at + sizeof(header);
    on_frame_(*this, {.type = header.type,
                      .id = header.id,
                      .key = {body, header.key_bytes},
                      .value = {body + header.key_bytes, header.value_bytes}});
    at += bytes;
  }
  flush();
  return at;
}

void FloorLink::append(const FloorFrame& frame) {
  const Header header{.id = frame.id,
                      .value_bytes = static_cast<std::uint32_t>(frame.value.size()),
                      .key_bytes = static_cast<std::uint16_t>(frame.key.size()),
                      .type = frame.type};
  out().append(reinterpret_cast<const char*>(&header), sizeof(header));
  out().append(frame.key);
  out().append(frame.value);
}

namespace {

void store(FloorMap& map, std::string_view key, std::string_view value) {
  const auto at = map.find(key);
  if (at == map.end()) {
    map.emplace(key, value);
  } else {
    at->second = value;
  }
}

}  // namespace

void run_floor_peer(int port, const std::filesystem::path& directory) {
  asio::io_context io(1);
  FloorMap map;
  std::shared_ptr<Stream> coordinator;
  std::unique_ptr<FloorDisk> disk;
  if (!directory.empty()) {
    disk = std::make_unique<FloorDisk>(io, directory, [&] { coordinator->flush(); });
  }
  serve(io, port, [&](FloorLink& link, const FloorFrame& frame) {
    if (frame.type == FloorFrame::Type::put) {
      store(map, frame.key, frame.value);
      const FloorFrame stored{.type = FloorFrame::Type::stored, .id = frame.id};
      if (disk == nullptr) return link.append(stored);
      coordinator = link.shared_from_this();
      return disk->write(frame.key, frame.value, [&link, stored] { link.append(stored); });
    }
    const auto at = map.find(frame.key);
    link.append({.type = FloorFrame::Type::value,
                 .id = frame.id,
                 .value = at == map.end() ? std::string_view() : at->second});
  });
}

void run_echo_peer(int port) {
  asio::io_context io(1);
  serve(io, port, [](FloorLink& link, const FloorFrame& frame) { link.append(frame); });
}

FloorNode::FloorNode(asio::io_context& io, const std::vector<int>& peer_ports,
                     const std::filesystem::path& directory)
    : io_(io) {
  if (!directory.empty()) disk_ = std::make_unique<FloorDisk>(io, directory, [] {});
  for (const int port : peer_ports) {
    peers_.push_back(
        dial(io, port, [this](FloorLink&, const FloorFrame& frame) { answered(frame); }));
  }
}

std::uint64_t FloorNode::open(Operation operation) {
  if (free_.empty()) {
    free_.push_back(operations_.size());
    operations_.emplace_back();
  }
  const std::uint64_t id = free_.back();
  free_.pop_back();
  operations_[id] = std::move(operation);
  return id;
}

void FloorNode::send(std::size_t peer, const FloorFrame& frame) {
  peers_[peer]->append(frame);
  if (std::exchange(flush_posted_, true)) return;
  asio::post(io_, [this] {
    flush_posted_ = false;
    for (const auto& link : peers_) link->flush();
  });
}

void FloorNode::get(std::string_view key, std::function<void()> done) {
  const auto own = map_.find(key);
  const std::uint64_t id =
      open({.done = std::move(done), .own = own == map_.end() ? "" : own->second, .awaited = 1});
  send(id % peers_.size(), {.type = FloorFrame::Type::get, .id = id, .key = key});
}

void FloorNode::put(std::string_view key, std::string_view value, std::function<void()> done) {
  store(map_, key, value);
  const int own = disk_ != nullptr ? 1 : 0;  // answers
  const std::uint64_t id = open({.done = std::move(done),
                                 .needed = 1 + own,
                                 .awaited = static_cast<int>(peers_.size()) + own});
  if (disk_ != nullptr) {
    const FloorFrame stored{.type = FloorFrame::Type::stored, .id = id};
    disk_->write(key, value, [this, stored] { answered(stored); });
  }
  for (std::size_t peer = 0; peer < peers_.size(); ++peer) {
    send(peer, {.type = FloorFrame::Type::put, .id = id, .key = key, .value = value});
  }
}

void FloorNode::answered(const FloorFrame& frame) {
  Operation& operation = operations_[frame.id];
  // As the library's caller, this one gets a copy of its own.
  if (frame.type == FloorFrame::Type::value) operation.own = frame.value;
  if (--operation.awaited == 0) free_.push_back(frame.id);
  if (--operation.needed > 0) return;
  if (const auto done = std::exchange(operation.done, nullptr)) done();
}

void FloorNode::fill(const std::vector<std::string>& keys, std::string_view value) {
  run_each(io_, keys.size(), 64, [&](std::uint64_t key, std::function<void()> done) {
    put(keys[key], value, std::move(done));
  });
}

EchoClient::EchoClient(asio::io_context& io, int port)
    : io_(io), link_(dial(io, port, [this](FloorLink&, const FloorFrame&) {
        const auto done = std::move(waiting_[first_++]);
        if (first_ == waiting_.size()) {
          waiting_.clear();
          first_ = 0;
        }
        done();
      })) {}

void EchoClient::ping(std::string_view bytes, std::function<void()> done) {
  waiting_.push_back(std::move(done));
  link_->append({.type = FloorFrame::Type::echo, .value = bytes});
  if (std::exchange(flush_posted_, true)) return;
  asio::post(io_, [this] {
    flush_posted_ = false;
    link_->flush();
  });
}

}  // namespace bench
