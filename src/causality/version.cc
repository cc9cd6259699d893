#include <dynamo/version.h>

#include <fmt/format.h>

namespace dynamo {

std::string Dot::to_string() const { return fmt::format("{}:{}", actor.to_string(), counter); }

}  // namespace dynamo
