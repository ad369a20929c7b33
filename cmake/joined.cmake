# For who builds once. Reading JSON's, fmt's and the standard library's headers takes more time than compiling what we
# write: they are read once, precompiled, and some sources of a target are compiled as one. So two sources of a target
# cannot have a name of their own in common, even in unnamed namespaces.
#
# For who builds often a compiler cache does more (-DKEDGE_CCACHE=/usr/bin/ccache); then, or with -DKEDGE_JOINED=OFF, each
# source is compiled by itself, which shows what one of them lacks.
if(KEDGE_CCACHE)
  set(joined_default OFF)
else()
  set(joined_default ON)
endif()
option(KEDGE_JOINED "compile some sources as one, with precompiled headers" ${joined_default})
if(NOT KEDGE_JOINED)
  return()
endif()
set(sources_joined 8 CACHE STRING "how many sources are compiled as one; 0 = all of a target, which shows every name that two of them share")

set(common_headers
    <algorithm> <array> <chrono> <condition_variable> <cstdint> <cstring> <filesystem> <functional> <map> <memory>
    <mutex> <optional> <set> <span> <stop_token> <string> <string_view> <thread> <utility> <variant> <vector>
    <fmt/format.h> <nlohmann/json.hpp>)

file(WRITE ${CMAKE_BINARY_DIR}/precompiled.cpp "")
foreach(kind program test)
  add_library(precompiled_${kind} OBJECT ${CMAKE_BINARY_DIR}/precompiled.cpp)
  target_link_libraries(precompiled_${kind} PRIVATE fmt::fmt nlohmann_json::nlohmann_json)
endforeach()
target_precompile_headers(precompiled_program PRIVATE ${common_headers})
target_link_libraries(precompiled_test PRIVATE GTest::gmock)
target_compile_options(precompiled_test PRIVATE -O1)
target_precompile_headers(precompiled_test PRIVATE ${common_headers} <gmock/gmock.h> <gtest/gtest.h>)

# What stands in a precompiled header is no system header any more to the passes that follow values, and they warn of the
# standard library's own code; a name of another source that is hidden is no mistake. Builds one by one keep these
# warnings.
set(warned_wrongly -Wno-shadow)
if(CMAKE_CXX_COMPILER_ID STREQUAL GNU)
  list(APPEND warned_wrongly -Wno-array-bounds -Wno-restrict -Wno-stringop-overflow -Wno-stringop-overread)
endif()

targets_under(${CMAKE_SOURCE_DIR}/tests in_tests)
foreach(target ${in_src} ${in_lab} ${in_tests})
  get_target_property(type ${target} TYPE)
  if(type STREQUAL EXECUTABLE OR type STREQUAL STATIC_LIBRARY)
    target_compile_options(${target} PRIVATE ${warned_wrongly})
    set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE ${sources_joined})
  endif()
  if(target MATCHES "_test$")
    target_compile_options(${target} PRIVATE -O1)  # as the header was made, or the compiler fails
    target_precompile_headers(${target} REUSE_FROM precompiled_test)
  elseif(type STREQUAL EXECUTABLE OR type STREQUAL STATIC_LIBRARY)
    target_precompile_headers(${target} REUSE_FROM precompiled_program)
  endif()
endforeach()
