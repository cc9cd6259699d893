# The reference of the public headers as HTML, by doxygen: the target `reference`, and a test that
# there are no warnings. Both only where doxygen is installed, which nothing else needs.
find_program(DOXYGEN_PROGRAM doxygen)
mark_as_advanced(DOXYGEN_PROGRAM)
if(NOT DOXYGEN_PROGRAM)
  return()
endif()

# dynamo_reference(<directory> <headers>): a Doxyfile for the headers, and the command that uses it
function(dynamo_reference name headers)
  set(DYNAMO_REFERENCE_INPUT "${headers}")
  set(DYNAMO_REFERENCE_DIR "${CMAKE_CURRENT_BINARY_DIR}/${name}")
  configure_file("${CMAKE_CURRENT_FUNCTION_LIST_DIR}/reference/Doxyfile.in"
    "${DYNAMO_REFERENCE_DIR}/Doxyfile" @ONLY)
  set(DYNAMO_REFERENCE_COMMAND "${CMAKE_COMMAND}" -D "DOXYGEN=${DOXYGEN_PROGRAM}"
    -D "DIR=${DYNAMO_REFERENCE_DIR}"
    -P "${CMAKE_CURRENT_FUNCTION_LIST_DIR}/reference/reference.cmake" PARENT_SCOPE)
endfunction()

dynamo_reference(reference "${CMAKE_CURRENT_SOURCE_DIR}/include/dynamo")
add_custom_target(reference COMMAND ${DYNAMO_REFERENCE_COMMAND} VERBATIM)
if(DYNAMO_BUILD_TESTS AND NOT DYNAMO_SANITIZE)
  add_test(NAME reference.no_warnings COMMAND ${DYNAMO_REFERENCE_COMMAND})
  # The test of the test: a header with a type that says nothing.
  dynamo_reference(reference_bad "${CMAKE_CURRENT_LIST_DIR}/reference/bad")
  add_test(NAME reference.self COMMAND ${DYNAMO_REFERENCE_COMMAND})
  set_tests_properties(reference.self PROPERTIES
    PASS_REGULAR_EXPRESSION "doxygen warns:[ \n]*[^\n]*Compound dynamo::Silent is not documented")
  set_tests_properties(reference.no_warnings reference.self PROPERTIES LABELS reference)
endif()
