# Counts the instructions of one operation and compares them with recorded.txt: more than a tenth
# above is a failure. Fewer are good news, and a tenth below the record asks for a new one.
#
# The program is run under callgrind, which counts exactly and needs no counter of the processor's,
# with a number of operations and with twice as many: the difference is theirs alone. A record is
# of one compiler and kind of build, which its first line names; others are skipped.
#
# DYNAMO_UPDATE=1 in the environment writes a new record.

if(NOT VALGRIND)
  message("skipped: instructions are counted with valgrind, which is not installed")
  return()
endif()

file(STRINGS "${RECORDED}" lines)
list(POP_FRONT lines build)
set(update "$ENV{DYNAMO_UPDATE}")
if(NOT update STREQUAL "1" AND NOT build STREQUAL BUILD)
  message("skipped: the record is of ${build}, this is ${BUILD}")
  return()
endif()

set(count 400)
math(EXPR twice "2 * ${count}")

# instructions(<operation> <count> <result variable>)
function(instructions operation number result)
  execute_process(
    COMMAND "${VALGRIND}" --tool=callgrind --callgrind-out-file=/dev/null "${PROGRAM}"
            "${operation}" "${number}"
    RESULT_VARIABLE failed OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(failed OR NOT output MATCHES "Collected : ([0-9]+)")
    message(FATAL_ERROR "${operation} ${number}: ${failed}\n${output}")
  endif()
  set(${result} "${CMAKE_MATCH_1}" PARENT_SCOPE)
endfunction()

set(record "${BUILD}\n")
set(worse)
foreach(line IN LISTS lines)
  string(REPLACE " " ";" words "${line}")
  list(GET words 0 operation)
  list(GET words 1 recorded)
  instructions("${operation}" ${count} once)
  instructions("${operation}" ${twice} both)
  math(EXPR each "(${both} - ${once}) / ${count}")
  math(EXPR percent "100 * ${each} / ${recorded}")
  message("${operation}: ${each} instructions, ${percent} % of the ${recorded} recorded")
  string(APPEND record "${operation} ${each}\n")
  if(percent GREATER 110)
    list(APPEND worse "${operation}")
  elseif(percent LESS 90)
    message("  fewer than recorded: DYNAMO_UPDATE=1 records them")
  endif()
endforeach()

if(update STREQUAL "1")
  file(WRITE "${RECORDED}" "${record}")
elseif(worse)
  message(FATAL_ERROR "more than a tenth above the record: ${worse}")
endif()
