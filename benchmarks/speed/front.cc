#include "speed/front.h"

#include <utility>

#include <dynamo/dynamo.h>
#include <fmt/format.h>
#include <asio/post.hpp>

#include "../../examples/loopback_ports.h"
#include "speed/cluster.h"

namespace bench {

namespace {

// Answers on the connection that the request came by.
class Front {
 public:
  Front(asio::io_context& io, dynamo::Store store) : io_(io), store_(std::move(store)) {}

  void take(FloorLink& link, const FloorFrame& frame) {
    const auto to = std::static_pointer_cast<FloorLink>(link.shared_from_this());
    const std::string key(frame.key);
    const bool writes = frame.type == FloorFrame::Type::put;
    store_.async_get(key, [this, to, key, writes, id = frame.id,
                           object = std::string(frame.value)](auto got) mutable {
      if (!got.ok()) give_up(got.status().ToString());
      if (!writes) return answer(to, id, got->found() ? got->versions.front().object : "");
      store_.async_put(key, got->context, std::move(object), [this, to, id](auto put) {
        if (!put.ok()) give_up(put.status().ToString());
        answer(to, id, "");
      });
    });
  }

 private:
  void answer(const std::shared_ptr<FloorLink>& to, std::uint64_t id, std::string_view value) {
    to->append({.type = FloorFrame::Type::value, .id = id, .value = value});
    if (std::exchange(flush_posted_, true)) return;
    asio::post(io_, [this, to] {
      flush_posted_ = false;
      to->flush();
    });
  }

  asio::io_context& io_;
  const dynamo::Store store_;
  bool flush_posted_ = false;
};

}  // namespace

void run_front(int port, const std::string& name, const std::filesystem::path& directory,
               const std::vector<std::string>& members) {
  asio::io_context io{1};
  Commits commits;
  const auto node = start_node(name, directory, members, &io, commits);
  Front front(io, open_store(*node, dynamo::Durability::buffered, 2, 2));
  serve(io, port, [&](FloorLink& link, const FloorFrame& frame) { front.take(link, frame); });
}

Fronts::Fronts(asio::io_context& io, const std::string& program,
               const std::filesystem::path& directory)
    : io_(io) {
  const std::vector<std::string> members = loopback_members();
  const std::vector<int> ports = example::loopback_ports(3);
  std::filesystem::remove_all(directory);
  for (std::size_t i = 0; i < ports.size(); ++i) {
    const std::string name(1, members[i].front());
    std::vector<std::string> command = {program, "--front", std::to_string(ports[i]), name,
                                        (directory / name).string()};
    command.insert(command.end(), members.begin(), members.end());
    nodes_.push_back(std::make_unique<Child>(std::move(command), "ready"));
    pids_.push_back(nodes_.back()->pid());
  }
  for (const int port : ports) {
    links_.push_back(dial(io, port, [this](FloorLink&, const FloorFrame& frame) {
      free_.push_back(frame.id);
      std::exchange(waiting_[frame.id], nullptr)();
    }));
  }
}

void Fronts::get(std::string_view key, std::function<void()> done) {
  send({.type = FloorFrame::Type::get, .key = key}, std::move(done));
}

void Fronts::read_and_write(std::string_view key, std::string_view object,
                            std::function<void()> done) {
  send({.type = FloorFrame::Type::put, .key = key, .value = object}, std::move(done));
}

void Fronts::send(FloorFrame frame, std::function<void()> done) {
  if (free_.empty()) {
    free_.push_back(waiting_.size());
    waiting_.emplace_back();
  }
  frame.id = free_.back();
  free_.pop_back();
  waiting_[frame.id] = std::move(done);
  links_[choice_.next()]->append(frame);
  if (std::exchange(flush_posted_, true)) return;
  asio::post(io_, [this] {
    flush_posted_ = false;
    for (const auto& link : links_) link->flush();
  });
}

void Fronts::fill(const std::vector<std::string>& keys, std::string_view object) {
  run_each(io_, keys.size(), 64, [&](std::uint64_t key, std::function<void()> done) {
    read_and_write(keys[key], object, std::move(done));
  });
}

}  // namespace bench
