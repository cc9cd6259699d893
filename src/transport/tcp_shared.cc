#include "transport/tcp_shared.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

namespace dynamo::transport {
namespace {

void set_option(int descriptor, int name, int value) {
  // Best effort: a kernel without the option only notices a dead peer later.
  ::setsockopt(descriptor, IPPROTO_TCP, name, &value, sizeof(value));
}

}  // namespace

void set_close_on_exec(int descriptor) { ::fcntl(descriptor, F_SETFD, FD_CLOEXEC); }

void set_keep_alive(Socket& socket) {
  asio::error_code ignored;
  socket.set_option(asio::socket_base::keep_alive(true), ignored);
  set_option(socket.native_handle(), TCP_KEEPIDLE, 30);
  set_option(socket.native_handle(), TCP_KEEPINTVL, 10);
  set_option(socket.native_handle(), TCP_KEEPCNT, 3);
}

}  // namespace dynamo::transport
