#pragma once

#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>

#include <dynamo/transport.h>

namespace dynamo::transport {

// The way to the application's `receive`, which can be closed: once close() has returned, it is not
// called again. No lock is held during a call, so `receive` may do anything, even close the gate.
//
// Thread safety: deliver() from one thread at a time, close() from any.
class ReceiverGate {
 public:
  explicit ReceiverGate(Transport::Receiver receive);

  void deliver(std::string packet);
  // Waits for a call that is under way in another thread. Idempotent.
  void close();

 private:
  // Guarded by mutex_; receive_ is called without it, by the one thread that is in deliver().
  std::mutex mutex_;
  std::condition_variable idle_;
  Transport::Receiver receive_;
  std::thread::id caller_{};  // who is inside receive_
  bool closed_ = false;
};

}  // namespace dynamo::transport
