#pragma once

#include <memory>
#include <type_traits>
#include <typeinfo>
#include <utility>

#include <asio/any_io_executor.hpp>
#include <asio/execution/context.hpp>
#include <asio/query.hpp>
#include <asio/strand.hpp>

// What is behind an executor of any kind. Asio's own target() takes the caller's word for the type.
namespace dynamo::host {

// Null if it is of another type.
template <class Executor>
const Executor* target_of(const asio::any_io_executor& executor) {
  return executor.target_type() == typeid(Executor) ? executor.target<Executor>() : nullptr;
}

namespace detail {

// Properties that were asked for (tracked, never blocking, a continuation) are bits of the type.
template <class Context, int... Bits>
Context* context_of(const asio::any_io_executor& executor, std::integer_sequence<int, Bits...>) {
  Context* context = nullptr;
  const auto look = [&](const auto* target) {
    if (target != nullptr) context = &asio::query(*target, asio::execution::context);
  };
  using Allocator = std::allocator<void>;
  const auto look_for = [&]<class Executor>(std::type_identity<Executor>) {
    look(target_of<Executor>(executor));
    look(target_of<asio::strand<Executor>>(executor));
  };
  (look_for(std::type_identity<typename Context::template basic_executor_type<Allocator, Bits>>()),
   ...);
  return context;
}
using AllBits = std::make_integer_sequence<int, 8>;

}  // namespace detail

// The io_context or thread_pool that an executor or a strand belongs to; null if to none, or to
// another wrapper of one.
template <class Context>
Context* context_of(const asio::any_io_executor& executor) {
  if (const auto* strand = target_of<asio::strand<asio::any_io_executor>>(executor)) {
    return context_of<Context>(strand->get_inner_executor());
  }
  return detail::context_of<Context>(executor, detail::AllBits());
}

}  // namespace dynamo::host
