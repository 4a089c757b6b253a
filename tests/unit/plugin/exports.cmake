# Fails if libzoospan.so exports anything but its two entry points, or lacks one of them.
execute_process(COMMAND ${NM} -D --defined-only --format=posix ${LIBRARY} OUTPUT_VARIABLE listing
                COMMAND_ERROR_IS_FATAL ANY)
string(REGEX MATCHALL "[^\n]+" lines "${listing}")
set(exported "")
foreach(line ${lines})
  string(REGEX REPLACE "[ @].*" "" symbol "${line}")
  list(APPEND exported ${symbol})
endforeach()
list(SORT exported)
if(NOT exported STREQUAL "JNI_OnLoad;JNI_OnUnload")
  message(FATAL_ERROR "${LIBRARY} exports: ${exported}")
endif()
