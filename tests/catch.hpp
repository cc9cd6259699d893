#pragma once

// Catch2 2.13 (Debian 12) and 3 (Debian 13) under one name.
#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>
namespace test {
using Catch::Approx;
using Catch::Matchers::ContainsSubstring;
}  // namespace test
#else
#include <catch2/catch.hpp>
namespace test {
using Catch::Detail::Approx;
// Version 3 gave the old name, Contains, another meaning.
inline auto ContainsSubstring(const std::string& part) { return Catch::Matchers::Contains(part); }
}  // namespace test
#endif
