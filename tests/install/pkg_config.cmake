# An install tree, found by pkg-config.
include("${CMAKE_CURRENT_LIST_DIR}/steps.cmake")
set(prefix "${WORK_DIR}/prefix")
install_into("${prefix}")
consume_with_pkg_config("${prefix}" "${LIBDIR}" dynamo main)
if(WITH_TESTING)
  consume_with_pkg_config("${prefix}" "${LIBDIR}" dynamo_testing sim)
endif()
