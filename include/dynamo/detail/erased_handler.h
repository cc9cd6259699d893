#pragma once

#include <memory>
#include <mutex>
#include <type_traits>
#include <utility>

#include <absl/functional/any_invocable.h>
#include <dynamo/export.h>
#include <asio/any_io_executor.hpp>
#include <asio/associated_cancellation_slot.hpp>
#include <asio/associated_executor.hpp>
#include <asio/execution/outstanding_work.hpp>
#include <asio/post.hpp>
#include <asio/prefer.hpp>

// How a handler of any type becomes one of ours: template at the edge, compiled code behind it. Not
// for applications.
namespace dynamo::detail {

// Carries a cancellation signal to an operation that may not have begun yet, or may be over.
class DYNAMO_EXPORT CancelHook {
 public:
  // From the library: what to do on a signal. Runs at once if the signal came first.
  void arm(absl::AnyInvocable<void()> cancel);
  // From the cancellation slot.
  void emit();

 private:
  std::mutex mutex_;
  bool emitted_ = false;               // guarded
  absl::AnyInvocable<void()> cancel_;  // guarded
};

// While it lives, blocking calls on this thread are refused: it is running a handler or a
// reconciler.
class DYNAMO_EXPORT HandlerScope {
 public:
  HandlerScope();
  ~HandlerScope();
  HandlerScope(const HandlerScope&) = delete;
  HandlerScope& operator=(const HandlerScope&) = delete;
};

template <class Result>
struct ErasedHandler {
  // Makes the result on the handler's executor (reconcilers run in it) and hands it to the handler
  // there. Call once, from any thread.
  absl::AnyInvocable<void(absl::AnyInvocable<Result()>)> complete;
  // Null if the handler has no connected cancellation slot; shared with it.
  std::shared_ptr<CancelHook> cancel;
};

template <class Result, class Handler>
ErasedHandler<Result> erase_handler(Handler handler, const asio::any_io_executor& fallback) {
  ErasedHandler<Result> erased;
  auto slot = asio::get_associated_cancellation_slot(handler);
  if (slot.is_connected()) {
    erased.cancel = std::make_shared<CancelHook>();
    slot.assign([hook = erased.cancel](asio::cancellation_type) { hook->emit(); });
  }
  auto executor = asio::prefer(asio::get_associated_executor(handler, fallback),
                               asio::execution::outstanding_work.tracked);
  erased.complete = [executor = std::move(executor), handler = std::move(handler),
                     slot](absl::AnyInvocable<Result()> make) mutable {
    asio::post(executor, [handler = std::move(handler), make = std::move(make), slot]() mutable {
      if (slot.is_connected()) slot.clear();
      HandlerScope scope;
      if constexpr (std::is_void_v<Result>) {
        make();
        std::move(handler)();
      } else {
        Result result = make();
        std::move(handler)(std::move(result));
      }
    });
  };
  return erased;
}

}  // namespace dynamo::detail
