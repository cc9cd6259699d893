#include <asio/any_io_executor.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/steady_timer.hpp>
#include <absl/container/flat_hash_map.h>

void stop() {
  exit(1);
  std::abort();
  std::cerr << 1;
  ::signal(SIGINT, nullptr);
  sigaction(SIGINT, nullptr, nullptr);
  if (::fork() == 0) return;
  socket.abort();
  // @MARK@ one day
  // @MARK@(perf): allowed
}
