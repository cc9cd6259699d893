#include "node_program.h"

#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <deque>
#include <iostream>
#include <mutex>
#include <optional>
#include <thread>

#include <dynamo/dynamo.h>

#include "cart.h"
#include "fields.h"

namespace demo {

namespace {

using Clock = std::chrono::steady_clock;
constexpr int workers = 8;

std::string microseconds_since(Clock::time_point start) {
  return std::to_string(
      std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - start).count());
}

// Requests between the reader of standard input and the workers.
class Queue {
 public:
  void push(std::string line) {
    const std::lock_guard lock(mutex_);
    lines_.push_back(std::move(line));
    changed_.notify_one();
  }
  void close() {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    changed_.notify_all();
  }
  std::optional<std::string> pop() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return closed_ || !lines_.empty(); });
    if (lines_.empty()) return std::nullopt;
    std::string line = std::move(lines_.front());
    lines_.pop_front();
    return line;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::string> lines_;  // guarded
  bool closed_ = false;            // guarded
};

class Shop {
 public:
  Shop(dynamo::Store carts, dynamo::Store sessions, dynamo::Store catalog)
      : carts_(std::move(carts)), sessions_(std::move(sessions)), catalog_(std::move(catalog)) {}

  // The answer to one request.
  std::string answer(const std::vector<std::string>& request) const {
    const std::string& verb = request.at(0);
    if (verb == "add") return change_cart(request);
    if (verb == "remove") return change_cart(request);
    if (verb == "session") return session(request);
    if (verb == "product") return product(request);
    return show_cart(request);
  }

 private:
  static std::string failed(const std::string& number, const absl::Status& status) {
    std::string text(status.message());
    for (char& c : text) {
      if (c == '\n' || c == '\t') c = ' ';
    }
    return line_of({number, "failed", text});
  }

  // A device shows the product, reads the cart, changes it, and puts it back with what it has seen.
  std::string change_cart(const std::vector<std::string>& request) const {
    const std::string& number = request.at(1);
    std::string catalog_us = "0";
    if (request.at(0) == "add") {
      const auto start = Clock::now();
      if (const auto product = catalog_.get(request.at(4)); product.ok()) {
        catalog_us = microseconds_since(start);
      }
    }
    const auto start = Clock::now();
    const auto seen = carts_.get(request.at(2));
    const std::string get_us = microseconds_since(start);
    if (!seen.ok()) return failed(number, seen.status());
    Cart cart = seen->found() ? parse_cart(seen->object()) : Cart();
    if (request.at(0) == "add") {
      cart.emplace(request.at(3), request.at(5) + " x " + request.at(4));
      if (request.size() > 6) cart.erase(request.at(6));
    } else {
      cart.erase(request.at(3));
    }
    const auto put_start = Clock::now();
    const auto put = carts_.put(request.at(2), seen->context, format_cart(cart));
    if (!put.ok()) return failed(number, put.status());
    return line_of({number, "ok", get_us, microseconds_since(put_start), catalog_us,
                    std::to_string(seen->siblings)});
  }

  std::string session(const std::vector<std::string>& request) const {
    const auto start = Clock::now();
    const auto seen = sessions_.get(request.at(2));
    const std::string get_us = microseconds_since(start);
    if (!seen.ok()) return failed(request.at(1), seen.status());
    const auto put_start = Clock::now();
    const auto put = sessions_.put(request.at(2), seen->context, request.at(3));
    if (!put.ok()) return failed(request.at(1), put.status());
    return line_of({request.at(1), "ok", get_us, microseconds_since(put_start), "0",
                    std::to_string(seen->siblings)});
  }

  std::string product(const std::vector<std::string>& request) const {
    const auto start = Clock::now();
    const auto put = catalog_.update(request.at(2), [](const dynamo::GetResult&) {
      return std::optional<std::string>("in stock");
    });
    if (!put.ok()) return failed(request.at(1), put.status());
    return line_of({request.at(1), "ok", "0", microseconds_since(start), "0", "1"});
  }

  std::string show_cart(const std::vector<std::string>& request) const {
    const auto start = Clock::now();
    const auto seen = carts_.get(request.at(2));
    if (!seen.ok()) return failed(request.at(1), seen.status());
    std::string adds;
    if (seen->found()) {
      for (const auto& [add, item] : parse_cart(seen->object()))
        adds += (adds.empty() ? "" : ",") + add;
    }
    return line_of({request.at(1), "ok", microseconds_since(start), "0", "0",
                    std::to_string(seen->siblings), adds});
  }

  dynamo::Store carts_;
  dynamo::Store sessions_;
  dynamo::Store catalog_;
};

absl::StatusOr<Shop> open_shop(dynamo::Node& node) {
  using std::chrono::seconds;
  auto carts = node.open(
      "carts", {.reconciler = dynamo::reconcile_with(merge_carts), .timeout = seconds(5)});
  if (!carts.ok()) return carts.status();
  auto sessions = node.open("sessions", {.reconciler = dynamo::last_write_wins(),
                                         .durability = dynamo::Durability::buffered,
                                         .timeout = seconds(5)});
  if (!sessions.ok()) return sessions.status();
  auto catalog = node.open("catalog", {.quorum = {.n = 3, .r = 1, .w = 3}, .timeout = seconds(5)});
  if (!catalog.ok()) return catalog.status();
  return Shop(*std::move(carts), *std::move(sessions), *std::move(catalog));
}

// One line, one write: a line is in the pipe even if this process is killed the moment after.
void say(const std::string& line) {
  static std::mutex mutex;
  const std::lock_guard lock(mutex);
  std::size_t written = 0;
  while (written < line.size()) {
    const ssize_t n = ::write(STDOUT_FILENO, line.data() + written, line.size() - written);
    if (n <= 0) return;
    written += static_cast<std::size_t>(n);
  }
}

// Whether standard input ended with "quit", rather than with the parent.
bool serve(const Shop& shop) {
  Queue queue;
  std::vector<std::thread> threads;
  for (int i = 0; i < workers; ++i) {
    threads.emplace_back([&] {
      while (const auto line = queue.pop()) say(shop.answer(split(*line, '\t')));
    });
  }
  bool quit = false;
  for (std::string line; !quit && std::getline(std::cin, line);) {
    quit = line == "quit";
    if (!quit) queue.push(std::move(line));
  }
  queue.close();
  for (std::thread& thread : threads) thread.join();
  return quit;
}

}  // namespace

int run_node(const NodeArguments& arguments) {
  // Ctrl-C is for the parent, who tells us by closing the pipe.
  ::signal(SIGINT, SIG_IGN);
  ::signal(SIGPIPE, SIG_IGN);
  bool quit = false;
  {
    dynamo::NodeOptions options{.cluster = "demo", .name = arguments.name};
    options.data_dir = arguments.base / arguments.name;
    for (const dynamo::Member& member : arguments.members) {
      if (member.name == arguments.name) options.listen = member.address;
    }
    dynamo::Components parts{.membership = dynamo::fixed_membership(arguments.members)};
    auto node = dynamo::Node::start(options, std::move(parts));
    if (!node.ok()) return say(line_of({"0", "failed", std::string(node.status().message())})), 1;
    const auto shop = open_shop(*node);
    if (!shop.ok()) return say(line_of({"0", "failed", std::string(shop.status().message())})), 1;
    say(line_of({"0", "ok"}));
    quit = serve(*shop);
  }
  if (!quit) {
    std::error_code ignored;
    std::filesystem::remove_all(arguments.base, ignored);
  }
  return 0;
}

}  // namespace demo
