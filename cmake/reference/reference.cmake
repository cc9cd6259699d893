# cmake -D DOXYGEN=<program> -D DIR=<directory of the Doxyfile> -P reference.cmake
#
# Makes the reference; fails if doxygen warns of anything but members without a comment.
execute_process(COMMAND "${DOXYGEN}" "${DIR}/Doxyfile" RESULT_VARIABLE failed)
if(failed OR NOT EXISTS "${DIR}/html/index.html")
  message(FATAL_ERROR "doxygen failed: ${failed}")
endif()
file(STRINGS "${DIR}/warnings" warnings)
list(FILTER warnings EXCLUDE REGEX "Member .* is not documented")
if(warnings)
  list(JOIN warnings "\n  " text)
  message(FATAL_ERROR "doxygen warns:\n  ${text}")
endif()
message(STATUS "${DIR}/html/index.html")
