#include <dynamo/detail/erased_handler.h>

#include <utility>

#include <asio/execution/outstanding_work.hpp>
#include <asio/io_context.hpp>
#include <asio/post.hpp>
#include <asio/require.hpp>

#include "base/block_pool.h"
#include "host/executor_target.h"
#include "store/handler_scope.h"

namespace dynamo::detail {

namespace {

thread_local int handlers_on_this_thread = 0;

// What asio makes of it lies in a block, too.
struct PooledWork {
  using allocator_type = core::PoolAllocator<void>;

  absl::AnyInvocable<void()> work;

  allocator_type get_allocator() const noexcept { return {}; }
  void operator()() { work(); }
};

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

void* take_block(std::size_t bytes) { return core::BlockPool::take(bytes); }

void give_block(void* block, std::size_t bytes) noexcept { core::BlockPool::give(block, bytes); }

void post_work(const asio::any_io_executor& executor, absl::AnyInvocable<void()> work) {
  // An executor of any kind has no place for an allocator.
  using Tracked = std::decay_t<decltype(asio::require(
      std::declval<asio::io_context::executor_type>(), asio::execution::outstanding_work.tracked))>;
  if (const auto* const context = host::target_of<Tracked>(executor)) {
    asio::post(*context, PooledWork{std::move(work)});
  } else {
    asio::post(executor, std::move(work));
  }
}

HandlerScope::HandlerScope() { ++handlers_on_this_thread; }

HandlerScope::~HandlerScope() { --handlers_on_this_thread; }

bool in_handler() { return handlers_on_this_thread > 0; }

}  // namespace dynamo::detail
