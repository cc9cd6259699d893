# The building blocks of the build: one function per kind of target, so that a layer's or a test's
# own CMakeLists.txt is a list of files and nothing else.

# Reads cmake/layers.txt: DYNAMO_LAYERS in the order of the table, DYNAMO_MAY_INCLUDE_<layer> each.
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS
  "${CMAKE_CURRENT_LIST_DIR}/layers.txt")
set(DYNAMO_LAYERS)
file(STRINGS "${CMAKE_CURRENT_LIST_DIR}/layers.txt" _lines REGEX "^[a-z]")
foreach(_line IN LISTS _lines)
  string(REGEX MATCHALL "[a-z]+" _words "${_line}")
  list(POP_FRONT _words _layer)
  list(APPEND DYNAMO_LAYERS ${_layer})
  set(DYNAMO_MAY_INCLUDE_${_layer} ${_words})
endforeach()

# dynamo_compile_settings(<target>)
#
# How everything of this project is compiled: warnings, language, sanitizers. Never exported.
function(dynamo_compile_settings target)
  target_compile_features(${target} PRIVATE cxx_std_20)
  set_target_properties(${target} PROPERTIES
    CXX_EXTENSIONS OFF POSITION_INDEPENDENT_CODE ON
    CXX_VISIBILITY_PRESET ${DYNAMO_VISIBILITY} VISIBILITY_INLINES_HIDDEN ON)
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wpedantic -Wshadow -Wconversion)
  if(DYNAMO_WERROR)
    target_compile_options(${target} PRIVATE -Werror)
  endif()
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # g++ 12 and 14 take the string inside an empty std::optional for one that is read
    # uninitialized; with a sanitizer they guess wrongly elsewhere too.
    target_compile_options(${target} PRIVATE -Wno-maybe-uninitialized)
  endif()
  if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
    # The standard library of g++ 12 uses std::get_temporary_buffer, and only g++ is told not to mind.
    target_compile_options(${target} PRIVATE -Wno-deprecated-declarations)
  endif()
  if(BUILD_SHARED_LIBS AND NOT DYNAMO_EXPORT_INTERNALS)
    target_compile_options(${target} PRIVATE
      "SHELL:-include ${CMAKE_CURRENT_FUNCTION_LIST_DIR}/shared_asio.h")
    target_link_libraries(${target} PRIVATE asio::asio)
  endif()
  if(DYNAMO_MUTANTS)
    target_compile_definitions(${target} PRIVATE DYNAMO_MUTANTS)
  endif()
  if(DYNAMO_SANITIZE)
    target_compile_options(${target} PRIVATE ${DYNAMO_SANITIZE_FLAGS})
    if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
      # asio's fences are unknown to tsan but harmless.
      target_compile_options(${target} PRIVATE -Wno-tsan)
    endif()
  endif()
endfunction()

# dynamo_library_settings(<target>)
#
# How the library is compiled.
function(dynamo_library_settings target)
  dynamo_compile_settings(${target})
  # As CMake does it for Release: a get takes 6 % less processor time than with -O2.
  target_compile_options(${target} PRIVATE $<$<CONFIG:RelWithDebInfo>:-O3>)
endfunction()

# dynamo_test_settings(<target>)
#
# How the project's own tests are compiled.
function(dynamo_test_settings target)
  dynamo_compile_settings(${target})
  if(DYNAMO_SANITIZE)
    # The tests' own code is most of the code and little of the work: half the time to compile.
    target_compile_options(${target} PRIVATE -O0)
  endif()
endfunction()

# What is full of checks: what takes time there is the library, and -O2 would cost a quarter more to
# compile.
set(DYNAMO_CATCH_OPTIONS $<$<NOT:$<CONFIG:Debug>>:-O1>)

# dynamo_catch_settings(<target>)
function(dynamo_catch_settings target)
  dynamo_test_settings(${target})
  target_compile_options(${target} PRIVATE ${DYNAMO_CATCH_OPTIONS})
endfunction()

# dynamo_precompile(<target> <header> [PROGRAM] SETTINGS <function> LINK <targets>)
#
# A precompiled header, which dynamo_use_precompiled(<user> <target>) takes for one more target that
# is compiled with the same settings, and is a program too or not. It holds other libraries' headers
# only: one of ours would recompile everything when it changes.
function(dynamo_precompile target header)
  cmake_parse_arguments(PARSE_ARGV 2 ARG "PROGRAM" "SETTINGS" "LINK")
  if(NOT DYNAMO_PRECOMPILE)
    return()
  endif()
  set(source "${CMAKE_CURRENT_BINARY_DIR}/${target}.cc")
  file(CONFIGURE OUTPUT "${source}"
    CONTENT "// Only here to own a precompiled header.\nint main() {}\n")
  if(ARG_PROGRAM)
    add_executable(${target} "${source}")
  else()
    add_library(${target} OBJECT "${source}")
  endif()
  target_link_libraries(${target} PRIVATE ${ARG_LINK})
  cmake_language(CALL ${ARG_SETTINGS} ${target})
  target_precompile_headers(${target} PRIVATE "${PROJECT_SOURCE_DIR}/${header}")
endfunction()

function(dynamo_use_precompiled user target)
  if(TARGET ${target})
    target_precompile_headers(${user} REUSE_FROM ${target})
    if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
      # What comes from a precompiled header is no longer known to come from the standard library,
      # where these warnings guess wrongly. The builds without keep them (CMakePresets.json: shared).
      target_compile_options(${user} PRIVATE
        -Wno-array-bounds -Wno-restrict -Wno-stringop-overflow -Wno-stringop-overread)
    endif()
  endif()
endfunction()

# dynamo_layer(<name> SOURCES .. HEADERS .. DEPS <layers> LINK <external targets>)
#
# One layer of src/ as the OBJECT library dynamo_<name>, joined into `dynamo`. The layer `testing` is
# a STATIC library of its own on top of `dynamo`.
function(dynamo_layer name)
  cmake_parse_arguments(PARSE_ARGV 1 ARG "" "" "SOURCES;HEADERS;DEPS;LINK")
  if(ARG_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "dynamo_layer(${name}): unknown arguments ${ARG_UNPARSED_ARGUMENTS}")
  endif()
  if(NOT name IN_LIST DYNAMO_LAYERS)
    message(FATAL_ERROR "dynamo_layer(${name}): no such layer in cmake/layers.txt")
  endif()
  foreach(dep IN LISTS ARG_DEPS)
    if(NOT dep IN_LIST DYNAMO_MAY_INCLUDE_${name})
      message(FATAL_ERROR "dynamo_layer(${name}): cmake/layers.txt forbids a dependency on ${dep}")
    endif()
  endforeach()

  set(target dynamo_${name})
  if(name STREQUAL "testing")
    add_library(${target} STATIC ${ARG_SOURCES} ${ARG_HEADERS})
    add_library(dynamo::testing ALIAS ${target})
    set_target_properties(${target} PROPERTIES EXPORT_NAME testing)
    target_compile_features(${target} PUBLIC cxx_std_20)
    target_link_libraries(${target} PUBLIC dynamo PRIVATE ${ARG_LINK})
    dynamo_use_precompiled(${target} dynamo_library_headers)
    file(GLOB_RECURSE headers CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/include/dynamo/testing/*.h")
    target_sources(${target} PUBLIC FILE_SET HEADERS
      BASE_DIRS "${PROJECT_SOURCE_DIR}/include" FILES ${headers})
  else()
    add_library(${target} OBJECT ${ARG_SOURCES} ${ARG_HEADERS})
    target_sources(dynamo PRIVATE $<TARGET_OBJECTS:${target}>)
    list(TRANSFORM ARG_DEPS PREPEND dynamo_ OUTPUT_VARIABLE deps)
    target_link_libraries(${target} PUBLIC dynamo_interface ${deps} PRIVATE ${ARG_LINK})
    if("fmt::fmt" IN_LIST ARG_LINK)  # the precompiled header has it, with its definitions
      dynamo_use_precompiled(${target} dynamo_library_headers)
    endif()
    # `dynamo`, which owns the objects, links these once all layers are known.
    set_property(GLOBAL APPEND PROPERTY DYNAMO_EXTERNALS ${ARG_LINK})
  endif()
  target_include_directories(${target} PRIVATE "${PROJECT_SOURCE_DIR}/src")
  target_include_directories(${target} SYSTEM PRIVATE "${XXHASH_INCLUDE_DIR}")
  dynamo_library_settings(${target})
endfunction()

# dynamo_test_executable(<target> SOURCES .. LINK <targets>)
#
# A program of this project's own tests: it may include private headers and calls what they declare.
function(dynamo_test_executable target)
  cmake_parse_arguments(PARSE_ARGV 1 ARG "" "" "SOURCES;LINK")
  add_executable(${target} ${ARG_SOURCES})
  get_property(externals GLOBAL PROPERTY DYNAMO_EXTERNALS)
  list(REMOVE_DUPLICATES externals)
  if(TARGET dynamo_testing)
    target_link_libraries(${target} PRIVATE dynamo_testing)
  endif()
  target_link_libraries(${target} PRIVATE dynamo ${externals} ${ARG_LINK})
  target_include_directories(${target} PRIVATE
    "${PROJECT_SOURCE_DIR}/src" "${PROJECT_SOURCE_DIR}/tests")
  target_include_directories(${target} SYSTEM PRIVATE "${XXHASH_INCLUDE_DIR}")
  dynamo_test_settings(${target})
endfunction()

# dynamo_catch_tests(<target> PREFIX <test name prefix> LABEL <label> SOURCES .. LINK <targets>)
#
# A Catch2 program whose test cases are ctest tests each.
function(dynamo_catch_tests target)
  cmake_parse_arguments(PARSE_ARGV 1 ARG "" "PREFIX;LABEL" "SOURCES;LINK")
  dynamo_test_executable(${target} SOURCES ${ARG_SOURCES}
    LINK Catch2::Catch2WithMain ${ARG_LINK})
  target_compile_options(${target} PRIVATE ${DYNAMO_CATCH_OPTIONS})
  dynamo_use_precompiled(${target} dynamo_test_headers)
  # Under the thread sanitizer everything takes ten times as long.
  set(timeout 120)
  if(DYNAMO_SANITIZE STREQUAL "thread")
    set(timeout 900)
  endif()
  catch_discover_tests(${target} TEST_PREFIX "${ARG_PREFIX}"
    PROPERTIES LABELS "${ARG_LABEL}" TIMEOUT ${timeout}
    DISCOVERY_MODE PRE_TEST)
endfunction()

# dynamo_unit_tests(<layer> SOURCES .. LINK <external targets>)
#
# The unit tests of one layer: the program dynamo_unit_<layer>, tests unit.<layer>.<case>, label unit.
# Sources are relative to tests/unit.
function(dynamo_unit_tests layer)
  cmake_parse_arguments(PARSE_ARGV 1 ARG "" "" "SOURCES;LINK")
  dynamo_catch_tests(dynamo_unit_${layer} PREFIX "unit.${layer}." LABEL unit
    SOURCES ${ARG_SOURCES} LINK ${ARG_LINK})
endfunction()
