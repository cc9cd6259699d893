# What libdynamo.so lets others see: the public API, as listed in symbols.txt, and beyond it only weak
# instances of other libraries' templates, which every program that includes their headers has too.
#
# After an intended change of the API: DYNAMO_UPDATE=1 ctest --preset package -R install.symbols
# rewrites the list; read the diff, a line that goes away is a break for linked programs.
include("${CMAKE_CURRENT_LIST_DIR}/steps.cmake")

set(listed_in "${CMAKE_CURRENT_LIST_DIR}/symbols.txt")
set(own "^_Z(T[VTIS]|GV)?N?[KVRO]*6dynamo")
set(internal "^_Z(T[VTIS]|GV)?N?[KVRO]*6dynamo(4core|4host|7runtime|7storage|9transport|7testing)")
set(foreign "^_Z(T[VTIS]|GV)?[ZPF]*N?[KVRO]*(S[tabsiod]|4absl|4asio|3fmt|9__gnu_cxx)")

# One "<type letter> <mangled> <demangled>" for each symbol: nm prints both forms in one order.
output_of(mangled "${NM}" -D --defined-only -p "${LIBRARY}")
output_of(demangled "${NM}" -D --defined-only -p -C "${LIBRARY}")
foreach(text mangled demangled)
  # A CMake list cannot hold a lone bracket; names have [abi:cxx11].
  string(REPLACE "[" "{" ${text} "${${text}}")
  string(REPLACE "]" "}" ${text} "${${text}}")
  string(REPLACE "\n" ";" ${text} "${${text}}")
endforeach()

set(found)
set(wrong)
foreach(line name IN ZIP_LISTS mangled demangled)
  string(REGEX MATCH "^[0-9a-f]* *([A-Za-z]) ([^ @]+)" ignored "${line}")
  set(type "${CMAKE_MATCH_1}")
  set(symbol "${CMAKE_MATCH_2}")
  string(REGEX REPLACE "^[0-9a-f]* *[A-Za-z] " "" name "${name}")
  # Abseil's inline namespace is another in each release.
  string(REGEX REPLACE "absl::(debian|lts_)[0-9]+::" "absl::" name "${name}")
  if(symbol MATCHES "${own}" AND NOT symbol MATCHES "${internal}")
    list(APPEND found "${name}")
  elseif(NOT (symbol MATCHES "${foreign}" AND type MATCHES "[WVuwv]"))
    string(APPEND wrong "  ${type} ${name}\n")
  endif()
endforeach()
if(wrong)
  message(FATAL_ERROR "exported, but neither public nor a template of another library:\n${wrong}")
endif()

list(REMOVE_DUPLICATES found)
list(SORT found)
list(JOIN found "\n" found)
string(REPLACE "{" "[" found "${found}")
string(REPLACE "}" "]" found "${found}")
if(DEFINED ENV{DYNAMO_UPDATE})
  file(WRITE "${listed_in}" "${found}\n")
endif()
file(READ "${listed_in}" listed)
if(NOT listed STREQUAL "${found}\n")
  set(actual "${WORK_DIR}/symbols.txt")
  file(WRITE "${actual}" "${found}\n")
  execute_process(COMMAND diff -u "${listed_in}" "${actual}")
  message(FATAL_ERROR "the exported symbols are not those of ${listed_in}")
endif()
