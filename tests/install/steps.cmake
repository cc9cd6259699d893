# What the scripts of this folder share. They are run by ctest, as `cmake -D .. -P <script>`.

# run(<command> <argument>..)
#
# Runs it and shows what it prints; a failure ends the script.
function(run)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE result)
  if(NOT result EQUAL 0)
    list(JOIN ARGN " " command)
    message(FATAL_ERROR "failed (${result}): ${command}")
  endif()
endfunction()

# output_of(<variable> <command> <argument>..)
function(output_of variable)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE result OUTPUT_VARIABLE output
    OUTPUT_STRIP_TRAILING_WHITESPACE)
  if(NOT result EQUAL 0)
    list(JOIN ARGN " " command)
    message(FATAL_ERROR "failed (${result}): ${command}")
  endif()
  set(${variable} "${output}" PARENT_SCOPE)
endfunction()

# install_into(<prefix>)
#
# An install tree works from wherever it is moved to, so it is moved.
function(install_into prefix)
  file(REMOVE_RECURSE "${prefix}" "${prefix}.first")
  run("${CMAKE_COMMAND}" --install "${BUILD_DIR}" --prefix "${prefix}.first")
  file(RENAME "${prefix}.first" "${prefix}")
endfunction()

# consume_with_cmake(<source folder> <cmake argument>..)
#
# Configures, builds and runs the programs of a consumer.
function(consume_with_cmake source)
  set(build "${WORK_DIR}/${source}")
  file(REMOVE_RECURSE "${build}")
  run("${CMAKE_COMMAND}" -S "${CMAKE_CURRENT_LIST_DIR}/${source}" -B "${build}" -G "${GENERATOR}"
    "-DCMAKE_CXX_COMPILER=${COMPILER}" "-DCMAKE_CXX_COMPILER_LAUNCHER=${LAUNCHER}" ${ARGN})
  run("${CMAKE_COMMAND}" --build "${build}")
  run("${build}/consumer")
  if(WITH_TESTING)
    run("${build}/consumer_tests")
  endif()
endfunction()

# consume_with_pkg_config(<prefix> <library directory below it> <.pc name> <program>)
#
# As a Makefile does it: what pkg-config prints, and nothing else, on one command line.
function(consume_with_pkg_config prefix libdir name program)
  file(MAKE_DIRECTORY "${WORK_DIR}/pkg_config")
  set(binary "${WORK_DIR}/pkg_config/${program}")
  set(ENV{PKG_CONFIG_PATH} "${prefix}/${libdir}/pkgconfig")
  output_of(version "${PKG_CONFIG}" --modversion ${name})
  if(NOT version STREQUAL VERSION)
    message(FATAL_ERROR "pkg-config says that ${name} is of version ${version}, not ${VERSION}")
  endif()
  output_of(flags "${PKG_CONFIG}" --cflags --libs ${name})
  separate_arguments(flags UNIX_COMMAND "${flags}")
  run(${LAUNCHER} "${COMPILER}" -std=c++20 -o "${binary}"
    "${CMAKE_CURRENT_LIST_DIR}/consumer/${program}.cc" ${flags})
  run("${CMAKE_COMMAND}" -E env "LD_LIBRARY_PATH=${prefix}/${libdir}" "${binary}")
endfunction()
