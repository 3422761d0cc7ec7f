# Compiler settings that every target of ours takes by linking lockstep_options.
include(CheckCXXCompilerFlag)

add_library(lockstep_options INTERFACE)
target_include_directories(lockstep_options INTERFACE ${PROJECT_SOURCE_DIR})
# Simulated times have to be equal bit for bit with every compiler: no fused multiply-add.
target_compile_options(lockstep_options INTERFACE -ffp-contract=off -Wall -Wextra -Wshadow -Wconversion -Wno-sign-conversion
                       -Wnon-virtual-dtor -Woverloaded-virtual)
# Not -Wpedantic: durations and bandwidths multiply in 128 bits, and __int128 is an extension that gcc and clang share.
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  # gcc 12 reports impossible sizes in its own string concatenation (gcc bug 105329) when it inlines at -O3.
  target_compile_options(lockstep_options INTERFACE -Wno-restrict -Wno-stringop-overflow -Wno-array-bounds)
endif()
if(CMAKE_CXX_COMPILER_ID MATCHES "Clang")
  # std::stable_sort of libstdc++ 12 uses what the same library calls deprecated.
  target_compile_options(lockstep_options INTERFACE -Wno-deprecated-declarations)
endif()
if(LOCKSTEP_WERROR)
  target_compile_options(lockstep_options INTERFACE -Werror)
endif()
if(LOCKSTEP_RELASSERT)
  target_compile_definitions(lockstep_options INTERFACE LOCKSTEP_RELASSERT=1)
endif()
if(LOCKSTEP_SANITIZE)
  target_compile_options(lockstep_options INTERFACE -fsanitize=${LOCKSTEP_SANITIZE} -fno-omit-frame-pointer
                         -fno-sanitize-recover=all)
  target_link_options(lockstep_options INTERFACE -fsanitize=${LOCKSTEP_SANITIZE})
  if(LOCKSTEP_SANITIZE MATCHES "thread")
    # Asio uses atomic_thread_fence, which ThreadSanitizer does not model; gcc says so with a warning.
    check_cxx_compiler_flag(-Wno-tsan LOCKSTEP_HAS_WNO_TSAN)
    if(LOCKSTEP_HAS_WNO_TSAN)
      target_compile_options(lockstep_options INTERFACE -Wno-tsan)
    endif()
  endif()
endif()

find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  # ccache takes precompiled headers by their content if time stamps are left out of account, here and in the headers themselves.
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
      ${CCACHE_PROGRAM})
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    target_compile_options(lockstep_options INTERFACE -fpch-preprocess)
  else()
    target_compile_options(lockstep_options INTERFACE "SHELL:-Xclang -fno-pch-timestamp")
  endif()
endif()

# Headers compiled once for every target of the rooms. What changes a header's meaning has to be the same for all that share it:
# the thread flag and the definitions of the formatting library.
add_library(lockstep_precompiled OBJECT ${PROJECT_SOURCE_DIR}/cmake/precompiled.cpp)
target_link_libraries(lockstep_precompiled PUBLIC lockstep_options fmt::fmt nlohmann_json::nlohmann_json Threads::Threads)
target_precompile_headers(lockstep_precompiled PRIVATE ${PROJECT_SOURCE_DIR}/cmake/precompiled.hpp)

# What runs once per file or command compiles in two thirds of the time at -O1, which nobody who waits for a result sees.
set(LOCKSTEP_COLD_OPTIONS "")
if(CMAKE_BUILD_TYPE STREQUAL "Release")
  set(LOCKSTEP_COLD_OPTIONS -O1)
  add_library(lockstep_precompiled_cold OBJECT ${PROJECT_SOURCE_DIR}/cmake/precompiled.cpp)
  target_link_libraries(lockstep_precompiled_cold PUBLIC lockstep_precompiled)
  target_compile_options(lockstep_precompiled_cold PUBLIC ${LOCKSTEP_COLD_OPTIONS})
  target_precompile_headers(lockstep_precompiled_cold PRIVATE ${PROJECT_SOURCE_DIR}/cmake/precompiled.hpp)
endif()

# lockstep_room(NAME LIBRARIES... [COLD REGEX]): one static library from every .cpp below the current folder (real/gpu/cuda/,
# real/mpi/, real/ucx/ and real/nccl/ build their own). COLD: sources, by their paths from the room, that are not worth full optimisation.
function(lockstep_room name)
  cmake_parse_arguments(PARSE_ARGV 1 room "" "COLD" "")
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp)
  list(FILTER sources EXCLUDE REGEX "/real/(gpu/cuda|mpi|ucx|nccl)/")
  set(cold ${sources})
  if(room_COLD AND LOCKSTEP_COLD_OPTIONS)
    list(FILTER cold INCLUDE REGEX "^${CMAKE_CURRENT_SOURCE_DIR}/(${room_COLD})")
    list(FILTER sources EXCLUDE REGEX "^${CMAKE_CURRENT_SOURCE_DIR}/(${room_COLD})")
    add_library(${name}_cold OBJECT ${cold})
    target_link_libraries(${name}_cold PUBLIC lockstep_options ${room_UNPARSED_ARGUMENTS})
    target_compile_options(${name}_cold PRIVATE ${LOCKSTEP_COLD_OPTIONS})
    target_precompile_headers(${name}_cold REUSE_FROM lockstep_precompiled_cold)
    list(APPEND sources $<TARGET_OBJECTS:${name}_cold>)
  endif()
  add_library(${name} STATIC ${sources})
  target_link_libraries(${name} PUBLIC lockstep_options ${room_UNPARSED_ARGUMENTS})
  target_precompile_headers(${name} REUSE_FROM lockstep_precompiled)
  if(LOCKSTEP_FUZZERS)
    # What -fsanitize=fuzzer-no-link asks for; by that name, clang would want precompiled headers of each room's own.
    target_compile_options(${name} PRIVATE -fsanitize-coverage=inline-8bit-counters,indirect-calls,trace-cmp,pc-table)
  endif()
endfunction()

# lockstep_transport_module(NAME LIBRARIES SOURCES...): a transport over a library that may be missing, from the sources of the
# current folder; SOURCES: what it takes of core/, by path without ending. The program opens it when it is asked for.
function(lockstep_transport_module name libraries)
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp)
  foreach(source base/error base/text ${ARGN})
    list(APPEND sources ${PROJECT_SOURCE_DIR}/core/${source}.cpp)
  endforeach()
  add_library(${name} MODULE ${sources})
  target_link_libraries(${name} PRIVATE lockstep_options fmt::fmt Threads::Threads ${libraries})
  set_target_properties(${name} PROPERTIES PREFIX "" CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON
                        LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/modules)
  add_dependencies(lockstep_modules ${name})
endfunction()
