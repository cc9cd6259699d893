// An application with one thread. The node runs on its io_context, beside everything else it does;
// only the flusher has a thread of its own, because a commit blocks.
//
// Three nodes share the thread here; an application has one.

#include <cstdio>
#include <vector>

#include <dynamo/dynamo.h>
#include <asio/bind_executor.hpp>
#include <asio/io_context.hpp>
#include <asio/post.hpp>

#include "local_cluster.h"

namespace {

// All that follows happens in handlers, on the one thread.
class Application {
 public:
  explicit Application(asio::io_context& io) : io_(io) {
    const std::vector<dynamo::Member> members = example::local_members(3);
    for (const dynamo::Member& self : members) {
      dynamo::NodeOptions options{.name = self.name, .listen = self.address};
      dynamo::Components parts{.membership = dynamo::fixed_membership(members)};
      parts.storage = dynamo::memory_storage();
      parts.executor = io.get_executor();
      nodes_.push_back(example::require(dynamo::Node::start(options, std::move(parts))));
    }
  }

  void greet() {
    const dynamo::Store store = example::require(nodes_[0].open("greetings"));
    // A blocking call would wait here for a handler that only this thread could run: it is refused.
    blocked_ = store.get("hello").status();
    store.async_put("hello", dynamo::Context(), "world",
                    [this, store](const absl::StatusOr<dynamo::PutResult>& put) {
                      example::require(put.status());
                      store.async_get("hello", [this](absl::StatusOr<dynamo::GetResult> found) {
                        greeting_ = example::require(std::move(found)).object();
                        stop();
                      });
                    });
  }

  // stop() would block the only thread; async_stop() does not. run() ends once all have stopped.
  void stop() {
    for (dynamo::Node& node : nodes_) node.async_stop(asio::bind_executor(io_, [] {}));
  }

  absl::Status blocked_{};
  std::string greeting_{};

 private:
  asio::io_context& io_;
  std::vector<dynamo::Node> nodes_{};
};

}  // namespace

int main() {
  asio::io_context io(1);
  Application application(io);
  asio::post(io, [&] { application.greet(); });
  io.run();

  std::printf("%s\nhello %s\n", application.blocked_.ToString().c_str(),
              application.greeting_.c_str());
  const bool refused = application.blocked_.code() == absl::StatusCode::kFailedPrecondition;
  return refused && application.greeting_ == "world" ? 0 : 1;
}
