find_package(Threads REQUIRED)
find_package(absl REQUIRED)
find_package(fmt REQUIRED)
find_package(Asio 1.22 MODULE REQUIRED)
find_package(LMDB 0.9.24 MODULE REQUIRED)

# xxHash is compiled in from its header (XXH_INLINE_ALL): a path, nothing to link or to export.
find_path(XXHASH_INCLUDE_DIR NAMES xxhash.h)
mark_as_advanced(XXHASH_INCLUDE_DIR)
if(NOT XXHASH_INCLUDE_DIR)
  message(FATAL_ERROR "xxhash.h not found: install libxxhash-dev, or set XXHASH_INCLUDE_DIR")
endif()
