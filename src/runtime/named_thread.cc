#include "runtime/named_thread.h"

#include <pthread.h>
#include <signal.h>

#include <utility>

namespace dynamo::runtime {

std::thread named_thread(const char* name, std::function<void()> run) {
  // Blocked before the thread is there, so that it never runs with the application's mask.
  sigset_t blocked;
  sigset_t before;
  sigfillset(&blocked);
  for (const int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT})
    sigdelset(&blocked, fault);
  pthread_sigmask(SIG_SETMASK, &blocked, &before);
  std::thread thread(std::move(run));
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  pthread_setname_np(thread.native_handle(), name);
  return thread;
}

}  // namespace dynamo::runtime
