# Installs BUILD_DIR into a fresh prefix, then configures, builds and runs SOURCE_DIR against it.

function(run)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE result)
  if(NOT result EQUAL 0)
    list(JOIN ARGN " " command)
    message(FATAL_ERROR "failed (${result}): ${command}")
  endif()
endfunction()

set(prefix "${WORK_DIR}/prefix")
set(build "${WORK_DIR}/build")
file(REMOVE_RECURSE "${WORK_DIR}")

# An install tree works from wherever it is moved to, so it is moved.
run("${CMAKE_COMMAND}" --install "${BUILD_DIR}" --prefix "${WORK_DIR}/first")
file(RENAME "${WORK_DIR}/first" "${prefix}")

run("${CMAKE_COMMAND}" -S "${SOURCE_DIR}" -B "${build}" -G "${GENERATOR}"
  "-DCMAKE_PREFIX_PATH=${prefix}" "-DCMAKE_BUILD_TYPE=${BUILD_TYPE}"
  "-DCMAKE_CXX_COMPILER=${COMPILER}" "-DCMAKE_CXX_COMPILER_LAUNCHER=${LAUNCHER}"
  "-DDYNAMO_EXPECTED_PREFIX=${prefix}" "-DDYNAMO_EXPECTED_VERSION=${VERSION}"
  "-DWITH_TESTING=${WITH_TESTING}")
run("${CMAKE_COMMAND}" --build "${build}")
run("${build}/consumer")
if(WITH_TESTING)
  run("${build}/consumer_tests")
endif()
