#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <absl/status/statusor.h>
#include <dynamo/transport.h>
#include <dynamo/transport/tcp.h>
#include <asio/executor_work_guard.hpp>
#include <asio/io_context.hpp>

#include "transport/tcp_listener.h"
#include "transport/tcp_peers.h"
#include "transport/tcp_shared.h"

namespace dynamo::transport {

// Puts what comes in and what goes out together and gives them an executor: the application's, or a
// thread "dyn-io". Or several, of a node's loops: then `receive` is called by all of them at once.
//
// Thread safety: as Transport. stop() may be called from inside `receive`; the thread is then
// joined by the next stop(), or by the destructor.
class TcpTransport : public Transport {
 public:
  // `loops`: executors of io_contexts beside that of the options.
  explicit TcpTransport(TcpOptions options, TcpTiming timing = {},
                        std::vector<asio::any_io_executor> loops = {});
  ~TcpTransport() override;

  absl::StatusOr<std::string> start(Receiver receive) override;
  void send(std::string_view address, Lane lane, std::string packet) override;
  void redial(std::string_view address) override;
  void stop() override;

  // REQUIRES: start() has succeeded.
  const TcpCounters& counters() const { return sides_.front().shared->counters; }

 private:
  struct Side {
    std::shared_ptr<TcpShared> shared{};
    std::shared_ptr<TcpListener> listener{};
    std::shared_ptr<TcpPeers> peers{};
  };

  absl::Status validate() const;
  void make_sides(Receiver receive);
  TcpPeers& peers_for(std::string_view address) const;
  absl::Status start_thread();
  void join_thread();

  const TcpOptions options_;
  const TcpTiming timing_;
  const std::vector<asio::any_io_executor> loops_;

  // Set by start(). The context, if it is ours, outlives all that lives in it; its thread shares
  // it, because the transport may be destroyed by what that thread runs.
  std::shared_ptr<asio::io_context> context_;
  std::unique_ptr<asio::executor_work_guard<asio::io_context::executor_type>> work_;
  std::thread thread_;
  std::vector<Side> sides_;  // the first one listens
};

}  // namespace dynamo::transport
