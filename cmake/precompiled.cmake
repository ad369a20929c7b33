# Reading JSON's, fmt's and the standard library's headers takes more time than compiling what we write, so a build
# without a compiler cache reads them once. Sources include what they use all the same: a build with ccache (or with
# -DKEDGE_PRECOMPILED=OFF) has no precompiled headers and shows what is missing.
if(KEDGE_CCACHE)
  set(precompiled_default OFF)
else()
  set(precompiled_default ON)
endif()
option(KEDGE_PRECOMPILED "precompile the headers that most sources include" ${precompiled_default})
if(NOT KEDGE_PRECOMPILED)
  return()
endif()

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
# standard library's own code. Builds without precompiled headers keep these warnings.
set(warned_wrongly -Wno-array-bounds -Wno-restrict -Wno-stringop-overflow -Wno-stringop-overread)

targets_under(${CMAKE_SOURCE_DIR}/tests in_tests)
foreach(target ${in_src} ${in_lab} ${in_tests})
  get_target_property(type ${target} TYPE)
  if(type STREQUAL EXECUTABLE OR type STREQUAL STATIC_LIBRARY)
    target_compile_options(${target} PRIVATE ${warned_wrongly})
  endif()
  if(target MATCHES "_test$")
    target_compile_options(${target} PRIVATE -O1)  # as the header was made, or the compiler fails
    target_precompile_headers(${target} REUSE_FROM precompiled_test)
  elseif(type STREQUAL EXECUTABLE OR type STREQUAL STATIC_LIBRARY)
    target_precompile_headers(${target} REUSE_FROM precompiled_program)
  endif()
endforeach()
