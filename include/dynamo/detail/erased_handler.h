#pragma once

#include <cstddef>
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

// Memory of what lives as long as an operation, with the alignment of operator new. What is given
// back on a thread is what that thread takes next.
DYNAMO_EXPORT void* take_block(std::size_t bytes);
DYNAMO_EXPORT void give_block(void* block, std::size_t bytes) noexcept;

// Owns an object in such a block.
struct GiveBack {
  template <class T>
  void operator()(T* object) const noexcept {
    if constexpr (alignof(T) > __STDCPP_DEFAULT_NEW_ALIGNMENT__) {
      delete object;
    } else {
      std::destroy_at(object);
      give_block(object, sizeof(T));
    }
  }
};
template <class T>
using Pooled = std::unique_ptr<T, GiveBack>;

template <class T>
Pooled<T> make_pooled(T object) {
  if constexpr (alignof(T) > __STDCPP_DEFAULT_NEW_ALIGNMENT__) {
    return Pooled<T>(new T(std::move(object)));
  } else {
    struct Block {
      ~Block() {
        if (memory != nullptr) give_block(memory, sizeof(T));
      }
      void* memory = take_block(sizeof(T));
    } block;
    Pooled<T> made(::new (block.memory) T(std::move(object)));  // which may throw
    block.memory = nullptr;
    return made;
  }
}

// As asio::post().
DYNAMO_EXPORT void post_work(const asio::any_io_executor& executor,
                             absl::AnyInvocable<void()> work);

template <class Result>
struct ErasedHandler {
  // Makes the result on the handler's executor (reconcilers run in it) and hands it to the handler
  // there. Call once, from any thread.
  absl::AnyInvocable<void(absl::AnyInvocable<Result()>)> complete;
  // Null if the handler has no connected cancellation slot; shared with it.
  std::shared_ptr<CancelHook> cancel;
};

// A handler on its way, all of it in one block.
template <class Result, class Handler, class Slot, class Executor>
struct PostedHandler {
  Handler handler;
  Slot slot;
  Executor executor;
  absl::AnyInvocable<Result()> make{};

  static void run(Pooled<PostedHandler> posted) {
    if (posted->slot.is_connected()) posted->slot.clear();
    HandlerScope scope;
    // What the handler starts may have the block.
    if constexpr (std::is_void_v<Result>) {
      posted->make();
      Handler handler = std::move(posted->handler);
      posted.reset();
      std::move(handler)();
    } else {
      Result result = posted->make();
      Handler handler = std::move(posted->handler);
      posted.reset();
      std::move(handler)(std::move(result));
    }
  }
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
  using Posted = PostedHandler<Result, Handler, decltype(slot), decltype(executor)>;
  erased.complete = [posted = make_pooled(Posted{std::move(handler), slot, std::move(executor)})](
                        absl::AnyInvocable<Result()> make) mutable {
    posted->make = std::move(make);
    const auto to = std::move(posted->executor);
    auto work = [posted = std::move(posted)]() mutable { Posted::run(std::move(posted)); };
    if constexpr (std::is_same_v<decltype(to), const asio::any_io_executor>) {
      post_work(to, std::move(work));
    } else {
      asio::post(to, std::move(work));
    }
  };
  return erased;
}

}  // namespace dynamo::detail
