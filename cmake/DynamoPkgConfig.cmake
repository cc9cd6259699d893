# The variables of dynamo.pc.in and dynamo_testing.pc.in, from what the target `dynamo` links
# (`public_links` and `externals` of the top level). asio is left out: Debian 12
# ships no .pc file for it, and it is only headers.
include_guard()

function(_dynamo_pc_names out)
  list(REMOVE_DUPLICATES ARGN)
  list(FILTER ARGN EXCLUDE REGEX "^(asio|Threads)::")
  list(TRANSFORM ARGN REPLACE "^absl::(.*)$" "absl_\\1")
  list(TRANSFORM ARGN REPLACE "^fmt::.*$" "fmt")
  list(TRANSFORM ARGN REPLACE "^LMDB::.*$" "lmdb")
  list(TRANSFORM ARGN REPLACE "^OpenSSL::Crypto$" "libcrypto")
  list(REMOVE_DUPLICATES ARGN)
  list(JOIN ARGN " " names)
  set(${out} "${names}" PARENT_SCOPE)
endfunction()

set(DYNAMO_PC_CFLAGS "-DASIO_STANDALONE -DASIO_NO_DEPRECATED")
if(BUILD_SHARED_LIBS)
  _dynamo_pc_names(DYNAMO_PC_REQUIRES ${public_links})
else()
  # A static archive needs what it uses on every link line, not only on those of --static.
  _dynamo_pc_names(DYNAMO_PC_REQUIRES ${public_links} ${externals})
  string(APPEND DYNAMO_PC_CFLAGS " -DDYNAMO_STATIC_DEFINE")
endif()
_dynamo_pc_names(DYNAMO_PC_TESTING_REQUIRES ${externals})
file(RELATIVE_PATH DYNAMO_PC_PREFIX "/prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/prefix")
string(REGEX REPLACE "/$" "" DYNAMO_PC_PREFIX "${DYNAMO_PC_PREFIX}")
