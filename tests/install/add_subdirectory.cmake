# The source tree, embedded in that of an application.
include("${CMAKE_CURRENT_LIST_DIR}/steps.cmake")
set(WITH_TESTING ON)
consume_with_cmake(add_subdirectory "-DDYNAMO_SOURCE_DIR=${DYNAMO_SOURCE_DIR}")
