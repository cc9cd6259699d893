#pragma once

#include <lmdb.h>

#include <cstddef>
#include <filesystem>

#include "catch.hpp"

namespace test {

// Of the pages of a database that hold data. REQUIRES: the engine is closed.
inline std::size_t page_bytes(const std::filesystem::path& directory) {
  MDB_env* environment = nullptr;
  MDB_stat shape{};
  REQUIRE(mdb_env_create(&environment) == 0);
  REQUIRE(mdb_env_open(environment, directory.c_str(), MDB_RDONLY | MDB_NOLOCK, 0600) == 0);
  REQUIRE(mdb_env_stat(environment, &shape) == 0);
  mdb_env_close(environment);
  return (shape.ms_branch_pages + shape.ms_leaf_pages + shape.ms_overflow_pages) * shape.ms_psize;
}

}  // namespace test
