#pragma once

#include <concepts>
#include <cstdint>
#include <random>
#include <string>
#include <utility>

#include <absl/functional/function_ref.h>
#include <absl/status/status.h>
#include <dynamo/reconciler.h>

// The laws of a reconciler as a program, for the application's own tests. Belongs to no test
// framework: OK means that the laws hold as far as was tried, any other status names the law that
// was broken and the objects that broke it, as literals to paste into a test.
namespace dynamo::testing {

namespace detail {

using NextObject = absl::FunctionRef<std::string(std::mt19937_64& random)>;
absl::Status merge_laws_hold(const Reconciler& reconciler, NextObject next_object,
                             std::uint64_t seed);

}  // namespace detail

// Whether readers who merge the same versions get the same bytes, whatever way the versions took:
//
//   it merges            it gives an object, not an error, and throws nothing
//   it is a function     the same versions give the same bytes each time: no clock, no chance
//   order is nothing     which version has which dot, and so which place, makes no difference
//   grouping is nothing  merging a part first, as a put of its result does, makes no difference
//   it is idempotent     what was merged already, or is there twice, adds nothing
//
// `next_object` makes an object such as the application stores. It takes nothing, a
// std::mt19937_64& to draw from, or one random std::uint64_t; draw from these, and the same seed
// tries the same objects. Small objects that often overlap find more than large ones that never do.
// INVALID_ARGUMENT if it gives the same object each time.
//
// The versions look as get() makes them: two to five, ascending by dot. The result of a group is
// given back with a dot of its own and the newest written_at of the group; some versions share one
// written_at, so whoever decides by it needs a rule for a draw. last_write_wins() holds by
// construction, because replicas choose its winner.
//
//   EXPECT_TRUE(dynamo::testing::merge_laws_hold(*dynamo::reconcile_with(merge_carts),
//                                                [](auto& random) { return some_cart(random); })
//                   .ok());
//
// Thread safety: any thread.
template <class Generator>
absl::Status merge_laws_hold(const Reconciler& reconciler, Generator next_object,
                             std::uint64_t seed = 1) {
  const auto next = [&next_object](std::mt19937_64& random) -> std::string {
    if constexpr (std::invocable<Generator&, std::mt19937_64&>) {
      return next_object(random);
    } else if constexpr (std::invocable<Generator&, std::uint64_t>) {
      return next_object(std::uint64_t{random()});
    } else {
      return next_object();
    }
  };
  return detail::merge_laws_hold(reconciler, next, seed);
}

}  // namespace dynamo::testing
