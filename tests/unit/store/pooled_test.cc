// Where handlers of any kind lie on their way.

#include <cstdint>
#include <stdexcept>
#include <utility>

#include <dynamo/detail/erased_handler.h>

#include "catch.hpp"

using dynamo::detail::make_pooled;
using dynamo::detail::Pooled;

namespace {

struct alignas(64) Wide {
  int value = 0;
};

struct MovedOnce {
  explicit MovedOnce(int moves) : moves_left(moves) {}
  MovedOnce(MovedOnce&& other) : moves_left(other.moves_left - 1) {
    if (moves_left < 0) throw std::runtime_error("moved too often");
  }
  int moves_left;
};

}  // namespace

TEST_CASE("pooled: an object with an alignment of its own") {
  const Pooled<Wide> wide = make_pooled(Wide{7});
  CHECK(reinterpret_cast<std::uintptr_t>(wide.get()) % alignof(Wide) == 0);
  CHECK(wide->value == 7);
}

TEST_CASE("pooled: an object whose move throws leaves nothing behind") {
  CHECK(make_pooled(MovedOnce(1))->moves_left == 0);
  CHECK_THROWS_WITH(make_pooled(MovedOnce(0)), "moved too often");
}
