#include <dynamo/detail/erased_handler.h>

#include "store/handler_scope.h"

namespace dynamo::detail {

namespace {

thread_local int handlers_on_this_thread = 0;

}  // namespace

void CancelHook::arm(absl::AnyInvocable<void()> cancel) {
  {
    const std::lock_guard lock(mutex_);
    if (!emitted_) {
      cancel_ = std::move(cancel);
      return;
    }
  }
  cancel();
}

void CancelHook::emit() {
  absl::AnyInvocable<void()> cancel;
  {
    const std::lock_guard lock(mutex_);
    emitted_ = true;
    cancel = std::move(cancel_);
    cancel_ = nullptr;
  }
  if (cancel) cancel();
}

HandlerScope::HandlerScope() { ++handlers_on_this_thread; }

HandlerScope::~HandlerScope() { --handlers_on_this_thread; }

bool in_handler() { return handlers_on_this_thread > 0; }

}  // namespace dynamo::detail
