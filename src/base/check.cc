#include "base/check.h"

#include <cstdio>
#include <cstdlib>

namespace dynamo::core {

void check_failed(const char* condition, const char* file, int line) {
  std::fprintf(stderr, "dynamo: broken invariant at %s:%d: %s\n", file, line, condition);
  std::abort();
}

}  // namespace dynamo::core
