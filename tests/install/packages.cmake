# The Debian packages: built, taken apart into an empty root, and used from there. That their
# dependencies suffice is tested where they are really installed, by tests/bare_machine/run.
include("${CMAKE_CURRENT_LIST_DIR}/steps.cmake")

set(root "${WORK_DIR}/root")
file(REMOVE_RECURSE "${WORK_DIR}")
run("${CPACK}" --config "${BUILD_DIR}/CPackConfig.cmake" -B "${WORK_DIR}/packages")
file(GLOB packages "${WORK_DIR}/packages/*.deb")

function(expect_dependencies package)
  output_of(depends dpkg-deb -f "${package}" Depends)
  foreach(dependency IN LISTS ARGN)
    if(NOT ", ${depends}," MATCHES ", ${dependency}[ ,]")
      message(FATAL_ERROR "${package} does not depend on ${dependency}, only on ${depends}")
    endif()
  endforeach()
endfunction()

set(names)
foreach(package IN LISTS packages)
  run(dpkg-deb -x "${package}" "${root}")
  output_of(name dpkg-deb -f "${package}" Package)
  list(APPEND names "${name}")
  if(name STREQUAL "libdynamo-dev")
    expect_dependencies("${package}" "libdynamo0\\.1 \\(= ${VERSION}\\)" libabsl-dev libasio-dev)
  else()
    expect_dependencies("${package}" "libabsl[0-9]+(t64)?" "libfmt[0-9]+" "liblmdb0(t64)?" libc6)
  endif()
endforeach()
if(NOT names STREQUAL "libdynamo-dev;libdynamo0.1")
  message(FATAL_ERROR "built the packages ${names}")
endif()

set(prefix "${root}/usr")
consume_with_cmake(find_package "-DCMAKE_PREFIX_PATH=${prefix}"
  "-DDYNAMO_EXPECTED_PREFIX=${prefix}" "-DDYNAMO_EXPECTED_VERSION=${VERSION}")
consume_with_pkg_config("${prefix}" "${LIBDIR}" dynamo main)
