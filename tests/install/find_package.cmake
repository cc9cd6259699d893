# An install tree, found by CMake.
include("${CMAKE_CURRENT_LIST_DIR}/steps.cmake")
set(prefix "${WORK_DIR}/prefix")
install_into("${prefix}")
consume_with_cmake(find_package "-DCMAKE_PREFIX_PATH=${prefix}"
  "-DDYNAMO_EXPECTED_PREFIX=${prefix}" "-DDYNAMO_EXPECTED_VERSION=${VERSION}"
  "-DWITH_TESTING=${WITH_TESTING}")
